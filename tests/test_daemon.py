"""Does each job go on whatever happens to it, and is a person asked when it must not go on like that?"""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, time, timedelta

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from reconciler import daemon
from reconciler.daemon import Job, Timing, Watch, jobs_of
from reconciler.db import sweeps, tables
from reconciler.db.session import Database, StorageUnavailable, open_database
from reconciler.simulator.api import Request
from reconciler.stripe_api.problems import ProblemKind, Stopped, StripeProblem
from tests.db.scratch import lock_of_a_stranger
from tests.poll.account import Account

AWAY = StripeProblem(ProblemKind.UNAVAILABLE, "/v1/events: Stripe gives no answer")


def _failing(*errors: Exception | None) -> Callable[[], None]:
    """Give work that raises each of these in turn."""
    left = list(errors)

    def work() -> None:
        error = left.pop(0)
        if error is not None:
            raise error

    return work


def _alert(database: Database) -> tuple[object, ...] | None:
    column = tables.exceptions.c
    with database.reading() as tx:
        row = tx.execute(
            select(column.kind, column.subject, column.state, column.fingerprint)
        ).one_or_none()
    return None if row is None else tuple(row)


@pytest.mark.parametrize(
    ("error", "words", "cause"),
    [
        (AWAY, "/v1/events: Stripe gives no answer", "unavailable"),
        (
            StorageUnavailable("the database is locked"),
            "the database is locked",
            "StorageUnavailable",
        ),
        (ValueError("payer@example.com"), "ValueError", "ValueError"),
    ],
    ids=["Stripe", "storage", "a mistake of ours"],
)
def test_it_asks_a_person_once_about_a_job_that_fails(
    database: Database, error: Exception, words: str, cause: str
) -> None:
    """Two failures are borne; the third opens one alert with one error line; success closes it, and counting begins anew."""
    job = Job(name="events", work=_failing(*[error] * 5, None, error, error))
    watch = Watch(job, database)

    with capture_logs() as lines:
        watch.run()
        watch.run()
        borne = _alert(database)
        for _ in range(3):
            watch.run()
        opened = _alert(database)
        watch.run()
        closed = _alert(database)
        watch.run()
        watch.run()

    told = [line for line in lines if line["event"] == "sweep.failing"]
    assert borne is None
    assert opened == ("sweep_failing", "events", "open", cause)
    assert [(line["log_level"], line["problem"]) for line in told] == [("error", words)]
    assert closed == _alert(database) == ("sweep_failing", "events", "cleared", cause)


def test_it_closes_the_alert_of_the_daemon_before_it(database: Database) -> None:
    """An alert that an earlier process left open is closed by the first success."""
    with capture_logs():
        before = Watch(Job(name="events", work=_failing(AWAY, AWAY, AWAY)), database)
        for _ in range(3):
            before.run()

    Watch(Job(name="events", work=_failing(None)), database).run()

    assert _alert(database) == ("sweep_failing", "events", "cleared", "unavailable")


def test_it_takes_a_stop_for_no_failure(database: Database) -> None:
    """A job that was told to stop has not failed, however often."""
    watch = Watch(Job(name="events", work=_failing(*[Stopped()] * 4)), database)

    with capture_logs() as lines:
        for _ in range(4):
            watch.run()

    assert (_alert(database), lines) == (None, [])


def test_it_outlives_a_database_that_is_away(
    database: Database, database_url: str, schema: str
) -> None:
    """An alert that can't be stored does not end the job; it is stored at the next failure."""
    impatient = open_database(database_url, schema=schema, busy_timeout_s=0.1)
    watch = Watch(Job(name="events", work=_failing(*[AWAY] * 4)), impatient)
    with capture_logs():
        for _ in range(2):
            watch.run()

        stranger = lock_of_a_stranger(database_url, schema)
        watch.run()
        stranger.close()
        before = _alert(database)
        watch.run()
    impatient.close()

    assert before is None
    assert _alert(database) == ("sweep_failing", "events", "open", "unavailable")


@pytest.fixture
def signals_restored() -> Iterator[None]:
    """Undo what the daemon does to signals, which outlives it only inside a test."""
    kept = {each: signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGINT)}
    yield
    for each, handler in kept.items():
        signal.signal(each, handler)


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
        code = daemon.run(jobs, database, stop)
    too_late.cancel()

    assert code == 0
    assert done.count("raising") == 2
    assert 1 <= done.count("well") <= 3
    assert "night" not in done
    assert [line["event"] for line in lines].count("job.failed") == 2


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
@pytest.mark.parametrize("dialect", ["sqlite"])
def test_it_tells_ctrl_c_from_a_stop(
    database: Database, dialect: str, signals_restored: None, number: int, code: int
) -> None:
    """SIGTERM is no failure, and Ctrl-C is told to the shell as everywhere else."""
    job = Job(name="ends", every_s=60, work=lambda: os.kill(os.getpid(), number))

    ended = daemon.run([job], database, threading.Event())

    assert ended == code


def test_it_reaches_back_as_far_as_each_sweep_is_told(database: Database) -> None:
    """The daemon's jobs look behind the cursor by their own overlaps, and the night forgets runs of five weeks ago."""
    account = Account(database)
    start = account.now()
    with database.writing() as tx:
        sweeps.begin(tx, "events", start - timedelta(days=35, seconds=1))
        sweeps.begin(tx, "events", start - timedelta(days=34))
        sweeps.move(tx, "events", start, start)
    account.wait(100)
    jobs = {job.name: job for job in jobs_of(account.poller, Timing())}

    for name in ("events", "events_deep", "events_night"):
        jobs[name].work()

    column = tables.sweep_runs.c
    with database.reading() as tx:
        asked = select(column.sweep, column.covered_from, column.started_at).order_by(column.id)
        rows = tx.execute(asked).all()
    ended = account.now() - timedelta(seconds=10)
    assert [(row.sweep, row.covered_from) for row in rows] == [
        ("events", None),
        ("events", start - timedelta(minutes=2)),
        ("events_deep", ended - timedelta(hours=1)),
        ("events_night", ended - timedelta(hours=26)),
    ]
    assert {job.name: job.every_s for job in jobs.values()} == {
        "events": 60,
        "events_deep": 900,
        "events_night": None,
        "fetches": 5,
        "retries": 5,
    }
    assert jobs["events_night"].at == Timing().night


def test_it_walks_a_stretch_of_events_once(database: Database) -> None:
    """A deeper sweep that comes due while another moves their cursor waits for it, and looks only behind the cursor."""
    account = Account(database)
    with database.writing() as tx:
        sweeps.move(tx, "events", account.ago(5 * 3600), account.now())
    jobs = {job.name: job for job in jobs_of(account.poller, Timing())}
    other = threading.Thread(target=jobs["events_deep"].work)
    waited = []

    def strike(_: Request) -> None:
        account.client.meanwhile = lambda _: None
        other.start()
        other.join(0.2)
        waited.append(other.is_alive())

    account.client.meanwhile = strike
    jobs["events"].work()
    other.join(30)

    column = tables.sweep_runs.c
    with database.reading() as tx:
        stretches = tx.execute(select(column.sweep, column.covered_from).order_by(column.id)).all()
    assert waited == [True]
    assert [tuple(each) for each in stretches] == [
        ("events", account.ago(5 * 3600 + 120)),
        ("events_deep", account.ago(3600 + 10)),
    ]


def test_it_looks_after_what_waits(database: Database) -> None:
    """The jobs for reads and for retries do nothing, without a question to Stripe, while nothing waits."""
    account = Account(database)
    jobs = {job.name: job for job in jobs_of(account.poller, Timing())}

    counts = [jobs[name].work() for name in ("fetches", "retries")]

    assert counts == [0, 0]
    assert account.client.asked == []
