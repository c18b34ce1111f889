"""Whether what is not final is looked at often at first, ever more rarely later, and never forgotten."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.schedule import (
    DAY_MS,
    EVENT_ATTEMPTS_MAX,
    HOUR_MS,
    MINUTE_MS,
    SECOND_MS,
    next_check_ms,
    retry_after_ms,
)

CREATED_MS = 1_772_000_000_000
ages = st.integers(0, 2000 * DAY_MS)


@pytest.mark.parametrize(
    ("age_ms", "wait_ms"),
    [
        pytest.param(0, MINUTE_MS, id="just made: at one minute"),
        pytest.param(59 * SECOND_MS, SECOND_MS, id="at one minute, whenever it was seen"),
        pytest.param(MINUTE_MS, MINUTE_MS, id="at two minutes"),
        pytest.param(5 * MINUTE_MS, 3 * MINUTE_MS, id="at eight minutes"),
        pytest.param(30 * MINUTE_MS, 30 * MINUTE_MS, id="at one hour"),
        pytest.param(HOUR_MS, HOUR_MS, id="hourly after the first hour"),
        pytest.param(DAY_MS - 1, HOUR_MS, id="hourly until a day"),
        pytest.param(DAY_MS, DAY_MS, id="daily from then on"),
        pytest.param(35 * DAY_MS, 7 * DAY_MS, id="weekly after 35 days"),
        pytest.param(400 * DAY_MS, 30 * DAY_MS, id="monthly after 400 days"),
        pytest.param(4000 * DAY_MS, 30 * DAY_MS, id="monthly for ever"),
        pytest.param(-5 * SECOND_MS, MINUTE_MS + 5 * SECOND_MS, id="a clock ahead of ours"),
    ],
)
def test_it_checks_ever_more_rarely(age_ms: int, wait_ms: int) -> None:
    """The wait follows the age of the payment."""
    now_ms = CREATED_MS + age_ms

    check_ms = next_check_ms(created_ms=CREATED_MS, now_ms=now_ms, in_flight=False)

    assert check_ms - now_ms == wait_ms


@given(age_ms=ages, in_flight=st.booleans())
def test_it_never_forgets(age_ms: int, in_flight: bool) -> None:
    """The next check is always ahead, within thirty days, and within a day while money is on the move."""
    now_ms = CREATED_MS + age_ms

    wait_ms = next_check_ms(created_ms=CREATED_MS, now_ms=now_ms, in_flight=in_flight) - now_ms

    assert 0 < wait_ms <= (DAY_MS if in_flight else 30 * DAY_MS)


@given(age_ms=ages)
def test_it_never_checks_money_on_the_move_later(age_ms: int) -> None:
    """Being in flight can only bring the next check forward."""
    times = {"created_ms": CREATED_MS, "now_ms": CREATED_MS + age_ms}

    assert next_check_ms(**times, in_flight=True) <= next_check_ms(**times, in_flight=False)


@pytest.mark.parametrize(
    ("attempts", "wait_s"),
    [(0, 5), (1, 5), (2, 20), (3, 80), (4, 320), (5, 1280), (6, 3600), (9, 3600)],
)
def test_it_retries_with_growing_pauses(attempts: int, wait_s: int) -> None:
    """Each pause is four times the last, and never more than an hour."""
    assert retry_after_ms(attempts) == wait_s * SECOND_MS


@pytest.mark.parametrize("attempts", [EVENT_ATTEMPTS_MAX, EVENT_ATTEMPTS_MAX + 1])
def test_it_gives_up_and_calls_a_person(attempts: int) -> None:
    """An event that keeps failing does not loop for ever."""
    assert retry_after_ms(attempts) is None
