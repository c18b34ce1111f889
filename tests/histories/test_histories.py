"""Do many seeded histories end in the truth, and does what is lost, doubled or late leave no trace in the books?"""

import pytest

from reconciler.db.session import Database
from reconciler.simulator.faults import Rates
from tests.databases import empty
from tests.histories.crew import Task, command_of, play_all
from tests.histories.history import MINUTE_MS, Ending, History, Weather

# `make simulate` plays as many as one likes.
SEEDS = range(1, 61)


def test_it_ends_in_the_truth_whatever_goes_wrong() -> None:
    """60 histories of mixed stories and faults come to the simulator's truth, and verify finds nothing."""
    tasks = [Task(seed, 2, "sqlite") for seed in SEEDS]

    wrong = [result for result in play_all(tasks) if result.problems]

    assert [(command_of(each.task), each.problems) for each in wrong] == []


def test_it_heals_what_a_replica_told_too_late() -> None:
    """A read that was forty seconds behind told the last word, and a payment that had failed was processing until the next look."""
    [result] = play_all([Task(519318, 3, "sqlite")])

    assert result.problems == ()


def _ending(database: Database, seed: int, weather: Weather) -> Ending:
    empty(database)
    return History(seed, database, weather, stories=8).play()


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_it_gives_the_same_books_in_any_weather(database: Database, seed: int) -> None:
    """Every webhook lost, or everything twice, shuffled and late: the digest is that of a fair day."""
    fair = Weather(rates=Rates(), sweep_every_ms=None)
    lost = Weather(rates=Rates(lost=1.0), sweep_every_ms=30 * MINUTE_MS)
    foul = Weather(
        rates=Rates(
            duplicated=1.0, late=0.5, reordered=1.0, hidden=0.5, errors=0.02, stale_reads=0.3
        ),
        sweep_every_ms=20 * MINUTE_MS,
        seed=seed,
    )

    endings = [_ending(database, seed, weather) for weather in (fair, lost, foul)]

    assert [each.problems for each in endings] == [(), (), ()]
    assert endings[1].digest == endings[0].digest
    assert endings[2].digest == endings[0].digest
