"""Does the daemon go on whatever its jobs do, stand by while another leads, and end as it is told?"""

import logging
import os
import signal
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta

import pytest
from structlog.testing import capture_logs

from reconciler import daemon
from reconciler.daemon import Job, Leader
from reconciler.db import sweeps
from reconciler.db.session import Database
from reconciler.db.sweeps import Coverage, RunState
from reconciler.stripe_api.problems import ProblemKind, StripeProblem

AWAY = StripeProblem(ProblemKind.UNAVAILABLE, "/v1/events: Stripe gives no answer")


@pytest.fixture
def signals_restored() -> Iterator[None]:
    """Undo what the daemon does to signals and to a logger, which outlives it only inside a test."""
    kept = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    # The tests themselves may run where a shell ignores Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for each, handler in kept.items():
        signal.signal(each, handler)
    logging.getLogger("apscheduler").setLevel(logging.NOTSET)


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_it_goes_on_with_a_job_that_raises_every_time(
    database: Database, dialect: str, signals_restored: None
) -> None:
    """A job that raises is done again at its next time, a neighbour beside it; a stop ends both with exit code 0."""
    stop, done = threading.Event(), []

    def raising() -> None:
        done.append("raising")
        if done.count("raising") == 2:
            stop.set()
        raise AWAY

    jobs = [
        Job(name="raising", every_s=1, work=raising),
        Job(name="well", every_s=1, work=lambda: done.append("well")),
        Job(name="night", at=time(2, 17, tzinfo=UTC), work=lambda: done.append("night")),
    ]
    too_late = threading.Timer(10, stop.set)
    too_late.start()
    with capture_logs() as lines:
        code = daemon.run(jobs, database, stop, Leader(database))
    too_late.cancel()

    assert code == 0
    assert done.count("raising") == 2
    assert 1 <= done.count("well") <= 3
    assert "night" not in done
    assert [line["event"] for line in lines].count("job.failed") == 2


def _ran(database: Database, sweep: str, ago: timedelta, state: RunState) -> None:
    at = datetime.now(UTC) - ago
    with database.writing() as tx:
        run = sweeps.begin(tx, sweep, at)
        sweeps.end(tx, run, state, Coverage(), now=at, error=None)


DAY, NIGHT = timedelta(hours=23), timedelta(hours=26)


@pytest.mark.parametrize(
    ("runs", "is_made_up"),
    [
        ([("night", NIGHT, RunState.DONE)], True),
        ([("night", DAY, RunState.DONE)], False),
        ([("night", NIGHT, RunState.DONE), ("night", DAY, RunState.FAILED)], True),
        ([("events", NIGHT, RunState.DONE)], True),
        ([("events", DAY, RunState.DONE)], False),
        ([], False),
    ],
    ids=["missed", "done", "failed", "never done", "first day", "new database"],
)
def test_it_makes_up_for_a_night(
    database: Database,
    signals_restored: None,
    runs: list[tuple[str, timedelta, RunState]],
    is_made_up: bool,
) -> None:
    """What nobody has done to its end for a night is done at start, also if nobody ever did; all else waits for its time."""
    stop, done = threading.Event(), []
    for sweep, ago, state in runs:
        _ran(database, sweep, ago, state)

    def by_day() -> None:
        done.append("day")
        if done.count("day") == 2:
            stop.set()

    at = (datetime.now(UTC) + timedelta(hours=12)).timetz()
    jobs = [
        Job(name="night", at=at, work=lambda: done.append("night")),
        Job(name="day", every_s=1, work=by_day),
    ]
    daemon.run(jobs, database, stop, Leader(database))

    assert ("night" in done) == is_made_up


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_it_goes_on_when_the_clock_is_set_back(
    database: Database, dialect: str, signals_restored: None
) -> None:
    """A job that is due in an hour only because the clock was an hour fast is done when the clock is set right."""
    stop, done = threading.Event(), []
    is_right = threading.Event()

    def work() -> None:
        done.append("done")
        stop.set()

    right = threading.Timer(1.5, is_right.set)
    too_late = threading.Timer(10, stop.set)
    for each in (right, too_late):
        each.start()
    code = daemon.run(
        [Job(name="events", every_s=60, work=work)],
        database,
        stop,
        Leader(database),
        now=lambda: datetime.now(UTC) + timedelta(hours=0 if is_right.is_set() else 1),
    )
    too_late.cancel()

    assert (code, done) == (0, ["done"])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
@pytest.mark.parametrize("dialect", ["sqlite"])
def test_it_tells_ctrl_c_from_a_stop(
    database: Database, dialect: str, signals_restored: None, number: int, code: int
) -> None:
    """SIGTERM is no failure, and Ctrl-C is told to the shell as everywhere else."""
    job = Job(name="ends", every_s=60, work=lambda: os.kill(os.getpid(), number))

    ended = daemon.run([job], database, threading.Event(), Leader(database))

    assert ended == code
