"""Whether Stripe is asked again as often, as late and as slowly as it wants, and never once the program must end."""

import threading
from itertools import pairwise

import pytest

from reconciler.stripe_api.problems import ProblemKind, Stopped
from tests.stripe_api.answering import Bench, Said, bench, problem_of, said_json

GOOD = Said()
HTML = b"<html><body>too many</body></html>"


def pauses_s(asking: Bench) -> list[float]:
    """Return how long was waited between the questions, by the clock of the test."""
    times = [each.at_s for each in asking.asked]
    return [later - earlier for earlier, later in pairwise(times)]


@pytest.mark.parametrize(
    ("status", "word", "tries"),
    [
        (500, "false", 1), (503, "false", 1), (409, "false", 1), (429, "false", 4),
        (500, "true", 4), (500, "odd", 4), (400, "true", 1),
    ],
)  # fmt: skip
def test_it_stops_asking_when_stripe_says_that_it_is_useless(
    status: int, word: str, tries: int
) -> None:
    """`Stripe-Should-Retry: false` ends it at once; only "too many" is always asked again, more slowly."""
    asking = bench([said_json({"error": {}}, status, stripe_should_retry=word)])

    problem_of(asking)

    assert len(asking.asked) == tries


@pytest.mark.parametrize(
    ("retry_after", "pause_s"),
    [
        ("3", 3), ("0", 0), ("0.5", 0.5), ("30", 30), ("-5", 0), ("nan", 0),
        ("Mon, 23 Nov 2026 11:00:07 GMT", 7), ("Mon, 23 Nov 2026 10:59:00 GMT", 0),
    ],
)  # fmt: skip
@pytest.mark.parametrize(("status", "body"), [(429, b"{}"), (503, HTML)])
def test_it_waits_as_long_as_stripe_asks(
    retry_after: str, pause_s: float, status: int, body: bytes
) -> None:
    """`Retry-After` is obeyed, in seconds or as a moment by Stripe's own clock, also in an answer that is no JSON."""
    asking = bench([Said(status, body, {"Retry-After": retry_after})])

    problem_of(asking)

    assert pauses_s(asking) == pytest.approx([pause_s] * 3, abs=1e-6)


@pytest.mark.parametrize("retry_after", ["31", "86400", "inf", "Mon, 23 Nov 2026 11:00:31 GMT"])
@pytest.mark.parametrize("status", [429, 503])
def test_it_asks_no_more_when_stripe_wants_to_be_left_alone(retry_after: str, status: int) -> None:
    """A `Retry-After` of more than half a minute is not cut short: whoever asked comes back at its next time."""
    asking = bench([Said(status, headers={"Retry-After": retry_after})])

    problem = problem_of(asking)

    assert (problem.kind, len(asking.asked)) == (ProblemKind.UNAVAILABLE, 1)


@pytest.mark.parametrize("headers", [{}, {"Retry-After": "soon"}, {"Retry-After": "Mon, 23 Nov"}])
def test_it_waits_longer_each_time_when_stripe_asks_for_nothing(headers: dict[str, str]) -> None:
    """The bounds of the pauses are one, two and four seconds, and the pauses are spread below them."""
    rounds = [bench([Said(503, headers=headers)]) for _ in range(60)]

    for asking in rounds:
        problem_of(asking)

    for pauses, bound_s in zip(zip(*map(pauses_s, rounds), strict=True), (1, 2, 4), strict=True):
        assert bound_s / 2 < max(pauses) <= bound_s + 1e-6
        assert min(pauses) < bound_s / 2


def test_it_asks_nothing_once_it_must_stop() -> None:
    """A program that ends makes no new request."""
    asking = bench([GOOD])
    asking.stop.set()

    with pytest.raises(Stopped):
        asking.gateway.ask("/v1/events")
    assert asking.asked == []


@pytest.mark.parametrize("requests_per_s", [1e9, 0.01], ids=["in a pause", "in the row"])
def test_it_ends_its_wait_at_once_when_it_must_stop(requests_per_s: float) -> None:
    """Half a minute of pause, or minutes in the row, end when the sign is set."""
    stop = threading.Event()
    asking = bench(
        [Said(503, headers={"Retry-After": "30" if requests_per_s > 1 else "0"})],
        requests_per_s=requests_per_s,
        stop=stop,
    )
    soon = threading.Timer(0.05, stop.set)

    soon.start()

    with pytest.raises(Stopped):
        asking.gateway.ask("/v1/events")
    assert len(asking.asked) == 1
    soon.join()


def test_it_gives_signs_of_life_while_it_waits_for_its_turn() -> None:
    """Whoever waits long in the row is not taken for dead: never more than five seconds pass without a sign."""
    looked: list[float] = []
    asking = bench([GOOD], requests_per_s=0.05, before_asking=lambda: looked.append(asking.clock()))

    for _ in range(3):
        asking.gateway.ask("/v1/events")

    assert [later - earlier for earlier, later in pairwise(looked)] == [5] * 8
    assert pauses_s(asking) == [20, 20]


def test_it_spaces_its_requests_and_slows_down_after_too_many() -> None:
    """Ten a second are a tenth of a second apart; after a 429, two tenths."""
    asking = bench([GOOD, GOOD, Said(429, headers={"Retry-After": "0"}), GOOD], requests_per_s=10)

    for _ in range(5):
        asking.gateway.ask("/v1/events")

    assert pauses_s(asking) == pytest.approx([0.1, 0.1, 0.1, 0.2, 0.2])


def test_it_keeps_its_distance_after_a_pause_too() -> None:
    """A pause before another try is no reason to be faster than the budget afterwards."""
    asking = bench([Said(503, headers={"Retry-After": "5"}), GOOD], requests_per_s=10)

    asking.gateway.ask("/v1/events")
    asking.gateway.ask("/v1/events")

    assert pauses_s(asking) == pytest.approx([5, 0.1])
