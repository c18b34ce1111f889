"""Whether a sweep looks at all of the time that it must, once, and at none that Stripe could not answer for."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from reconciler.core.schedule import (
    DAY_MS,
    EVENTS_KEPT_MS,
    HOUR_MS,
    MINUTE_MS,
    SECOND_MS,
    Window,
    events_window,
    slices,
)

DATE_MS = 1_795_431_600_000
moments = st.integers(DATE_MS - 400 * DAY_MS, DATE_MS + 400 * DAY_MS)
lengths = st.integers(0, 3 * DAY_MS)
seconds = st.integers(0, 10**6)


@pytest.mark.parametrize(
    ("position_ms", "window"),
    [
        pytest.param(DATE_MS - MINUTE_MS, (-180, -10), id="a minute ago: back by the overlap"),
        pytest.param(DATE_MS - 5 * HOUR_MS, (-18_120, -10), id="hours ago: all of them"),
        pytest.param(DATE_MS - 10_000, (-130, -10), id="at the end: the overlap alone"),
        pytest.param(DATE_MS, (-130, -10), id="within the lag: still the overlap"),
        pytest.param(DATE_MS + DAY_MS, (-130, -10), id="in the future: still the overlap"),
        pytest.param(DATE_MS - 60 * DAY_MS, (-2_591_940, -10), id="beyond what Stripe keeps"),
        pytest.param(0, (-2_591_940, -10), id="never"),
    ],
)
def test_it_looks_from_behind_its_cursor_until_a_moment_ago(
    position_ms: int, window: tuple[int, int]
) -> None:
    """With two minutes of overlap and ten seconds of lag; in seconds from Stripe's Date."""
    found = events_window(
        position_ms=position_ms, date_ms=DATE_MS, overlap_ms=120_000, lag_ms=10_000
    )

    since_s, until_s = window
    assert found == (DATE_MS + since_s * SECOND_MS, DATE_MS + until_s * SECOND_MS)


@given(position_ms=moments, date_ms=moments, overlap_ms=lengths, lag_ms=lengths)
def test_it_looks_at_whole_seconds_that_stripe_keeps_and_has_complete(
    position_ms: int, date_ms: int, overlap_ms: int, lag_ms: int
) -> None:
    """It never reaches beyond thirty days, never ends after the Date less the lag, and is no time backwards."""
    found = events_window(
        position_ms=position_ms, date_ms=date_ms, overlap_ms=overlap_ms, lag_ms=lag_ms
    )

    assert date_ms - 30 * DAY_MS < found.since_ms <= found.until_ms <= date_ms - lag_ms
    assert (found.since_ms % SECOND_MS, found.until_ms % SECOND_MS) == (0, 0)


@given(position_ms=moments, date_ms=moments, overlap_ms=lengths, lag_ms=lengths)
def test_it_leaves_out_nothing_that_it_must_look_at(
    position_ms: int, date_ms: int, overlap_ms: int, lag_ms: int
) -> None:
    """The overlap is always there, wherever the cursor stands, and the end is less than a second early."""
    found = events_window(
        position_ms=position_ms, date_ms=date_ms, overlap_ms=overlap_ms, lag_ms=lag_ms
    )

    until_ms = date_ms - lag_ms
    assert until_ms - found.until_ms < SECOND_MS
    assert found.since_ms <= max(min(position_ms, until_ms) - overlap_ms, date_ms - EVENTS_KEPT_MS)


@given(dates=st.lists(moments, min_size=2, max_size=5), lag_ms=lengths)
def test_it_leaves_no_gap_between_two_sweeps(dates: list[int], lag_ms: int) -> None:
    """Each window begins where the one before ended or earlier, also without an overlap and if clocks go back."""
    position_ms = dates[0] - lag_ms
    for date_ms in dates:
        found = events_window(position_ms=position_ms, date_ms=date_ms, overlap_ms=0, lag_ms=lag_ms)
        if date_ms - position_ms < EVENTS_KEPT_MS:
            assert found.since_ms <= position_ms
        position_ms = found.until_ms


@given(position_ms=moments, lag_ms=lengths)
def test_it_looks_at_nothing_when_there_is_nothing_to_do(position_ms: int, lag_ms: int) -> None:
    """A cursor at the end, without an overlap, gives an empty window, and that has no slices."""
    assume(position_ms >= DATE_MS - lag_ms)

    found = events_window(position_ms=position_ms, date_ms=DATE_MS, overlap_ms=0, lag_ms=lag_ms)

    assert found.since_ms == found.until_ms
    assert list(slices(found)) == []


@given(since_s=seconds, length_s=seconds, longest_s=st.integers(10_000, 10**6))
def test_it_cuts_a_window_without_gap_or_overlap(
    since_s: int, length_s: int, longest_s: int
) -> None:
    """Oldest first, each slice begins where the one before ended, none is too long and none is empty."""
    window = Window(since_s * SECOND_MS, (since_s + length_s) * SECOND_MS)

    found = list(slices(window, longest_ms=longest_s * SECOND_MS))

    edges = [window.since_ms, *(each.until_ms for each in found)]
    assert [each.since_ms for each in found] == edges[:-1]
    assert edges[-1] == window.until_ms
    assert all(0 < until - since <= longest_s * SECOND_MS for since, until in found)
    assert all(edge % SECOND_MS == 0 for edge in edges)
    assert len(found) == -(-length_s // longest_s)


def test_it_cuts_by_the_hour_unless_told_otherwise() -> None:
    """What a crash repeats is at most an hour."""
    window = Window(DATE_MS, DATE_MS + 2 * HOUR_MS + MINUTE_MS)

    assert [until - since for since, until in slices(window)] == [HOUR_MS, HOUR_MS, MINUTE_MS]


@pytest.mark.parametrize("until_ms", [DATE_MS, DATE_MS - HOUR_MS])
def test_it_cuts_nothing_out_of_no_time(until_ms: int) -> None:
    """An empty window, or one that ends before it begins, has no slices."""
    assert list(slices(Window(DATE_MS, until_ms))) == []
