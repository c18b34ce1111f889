"""Is lateness a number that was really had?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.lateness import Delivery, Figures, Lateness, Paid, Told, measure, told
from reconciler.core.observation import Source
from tests.core.builders import at

late_s = st.none() | st.floats(0, 1e7)


def _told(seconds: float | None, source: Source = Source.POLL, *, swept: bool = False) -> Told:
    return Told(
        payment_id="pi_1", source=source, known_at=at(0), late_s=seconds, is_only_swept=swept
    )


@pytest.mark.parametrize(
    ("seconds", "figures"),
    [
        ([], Figures()),
        ([None, None], Figures(count=2)),
        ([7.0], Figures(count=1, p50_s=7, p95_s=7, p99_s=7, max_s=7)),
        ([2.0, None, 1.0], Figures(count=3, p50_s=1, p95_s=2, p99_s=2, max_s=2)),
        (range(1, 101), Figures(count=100, p50_s=50, p95_s=95, p99_s=99, max_s=100)),
        (range(1, 21), Figures(count=20, p50_s=10, p95_s=19, p99_s=20, max_s=20)),
    ],
)
def test_it_says_how_late_so_many_in_a_hundred_were(
    seconds: list[float | None], figures: Figures
) -> None:
    """A percentile is the least lateness that so many of those with a time did not exceed; without any there is none."""
    assert measure(map(_told, seconds)).overall == figures


def test_it_counts_by_who_told_first() -> None:
    """Each source has figures of its own, also one that told nothing; the share found only by a sweep is of all."""
    found = measure(
        [
            _told(1, Source.WEBHOOK),
            _told(3, Source.WEBHOOK),
            _told(60),
            _told(90, swept=True),
        ]
    )

    by_source = {source: (each.count, each.max_s) for source, each in found.by_source.items()}
    assert by_source == {Source.WEBHOOK: (2, 3), Source.POLL: (2, 90), Source.MANUAL: (0, None)}
    assert (found.only_swept, found.swept_share) == (1, 0.25)
    assert measure([]).swept_share == 0


@pytest.mark.parametrize("source", Source)
def test_it_takes_the_word_of_whoever_had_to_step_in(source: Source) -> None:
    """What a webhook told and a read decided was told by the webhook; what a person decided, by the person."""
    brought = Delivery(type="charge.succeeded", created_at=at(0), received_at=at(2))
    paid = Paid(payment_id="pi_1", source=source, known_at=at(9), paid_at=at(0))

    found = told(paid, [brought])

    expected = Source.MANUAL if source is Source.MANUAL else Source.WEBHOOK
    assert (found.source, found.late_s, found.is_only_swept) == (expected, 9, False)


@given(st.lists(late_s))
def test_it_invents_nothing(seconds: list[float | None]) -> None:
    """Percentiles rise, none is a lateness that no payment had, and the last is the latest of all."""
    found: Lateness = measure(map(_told, seconds))

    overall, real = found.overall, [each for each in seconds if each is not None]
    said = [overall.p50_s, overall.p95_s, overall.p99_s, overall.max_s]
    if not real:
        assert said == [None] * 4
        return
    assert set(said) <= set(real)
    assert said == sorted(said, key=lambda each: each or 0)
    assert overall.max_s == max(real)
