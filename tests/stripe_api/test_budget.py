"""Whether requests are spread evenly over time, and half as fast after Stripe said that it was too much."""

import threading

import pytest

from reconciler.stripe_api.budget import Budget
from tests.stripe_api.answering import Clock


def places_s(budget: Budget, clock: Clock, count: int) -> list[float]:
    """Take so many places one after the other, waiting for each, and return when they were."""
    found = []
    for _ in range(count):
        clock.now_s += budget.take()
        found.append(clock.now_s)
    return found


@pytest.mark.parametrize(("requests_per_s", "space_s"), [(10, 0.1), (100, 0.01), (0.5, 2)])
def test_it_spaces_requests_evenly(requests_per_s: float, space_s: float) -> None:
    """The first goes at once, and each other one a fixed time after the one before."""
    clock = Clock()
    budget = Budget(requests_per_s, monotonic=clock)

    assert places_s(budget, clock, 4) == pytest.approx([1000 + n * space_s for n in range(4)])


def test_it_gives_those_who_ask_at_once_places_in_a_row() -> None:
    """Whoever comes while others wait stands behind them."""
    budget = Budget(10, monotonic=Clock())

    assert [budget.take() for _ in range(4)] == pytest.approx([0, 0.1, 0.2, 0.3])


def test_it_saves_nothing_up() -> None:
    """An hour without requests is followed by no burst."""
    clock = Clock()
    budget = Budget(10, monotonic=clock)
    budget.take()

    clock.now_s += 3600

    assert [budget.take() for _ in range(3)] == pytest.approx([0, 0.1, 0.2])


def test_it_goes_at_half_the_rate_for_a_minute() -> None:
    """After that minute, and not before, it is as fast as ever; a second complaint begins the minute anew."""
    clock = Clock()
    budget = Budget(10, monotonic=clock)

    budget.halve()
    clock.now_s += 30
    budget.halve()
    clock.now_s += 59
    slow = places_s(budget, clock, 3)
    clock.now_s += 1
    fast = places_s(budget, clock, 3)

    assert [later - slow[0] for later in slow] == pytest.approx([0, 0.2, 0.4])
    assert [later - fast[0] for later in fast] == pytest.approx([0, 0.1, 0.2])


def test_it_gives_no_place_to_two_threads() -> None:
    """However many ask together, there is one row."""
    budget = Budget(10, monotonic=Clock())
    taken: list[float] = []

    threads = [threading.Thread(target=lambda: taken.append(budget.take())) for _ in range(20)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert sorted(taken) == pytest.approx([n / 10 for n in range(20)])
