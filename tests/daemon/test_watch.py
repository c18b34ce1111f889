"""Does each job go on whatever happens to it, and is a person asked when it must not go on like that?"""

from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, time

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from reconciler.daemon import Job, Watch, beat
from reconciler.db import tables
from reconciler.db.leases import LeaseLost
from reconciler.db.session import Database, StorageUnavailable, open_database
from reconciler.stripe_api.problems import ProblemKind, Stopped, StripeProblem
from tests.db.scratch import lock_of_a_stranger

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


def test_it_does_nothing_while_another_daemon_leads(database: Database) -> None:
    """A job of a daemon that stands by is not begun; it is alive all the same."""
    now_s, done = [0.0], []
    job = Job(name="events", every_s=60, work=lambda: done.append("work"))
    watch = Watch(
        job, database, reign=lambda: nullcontext(enter_result=False), monotonic=lambda: now_s[0]
    )

    now_s[0] = 200.0
    watch.run()
    now_s[0] = 400.0

    assert (done, watch.hangs) == ([], False)


def test_it_takes_a_lost_lease_for_no_failure(database: Database) -> None:
    """A job whose daemon no longer leads is told so by the fence; nobody is called for that."""
    watch = Watch(Job(name="events", work=_failing(*[LeaseLost()] * 4)), database)

    with capture_logs() as lines:
        for _ in range(4):
            watch.run()

    assert _alert(database) is None
    assert [line["event"] for line in lines] == ["job.fenced"] * 4


def test_it_knows_a_job_that_hangs(database: Database) -> None:
    """A job hangs when three intervals and a minute have passed without an end, a beginning or a question to Stripe."""
    now_s, seen = [0.0], []

    def ask_for_long() -> None:
        for _ in range(3):
            now_s[0] += 239.0
            beat()
            seen.append(watch.hangs)
        now_s[0] += 241.0
        seen.append(watch.hangs)

    job = Job(name="events", every_s=60, work=ask_for_long)
    watch = Watch(job, database, monotonic=lambda: now_s[0])

    watch.run()
    ended = watch.hangs
    now_s[0] += 241.0

    assert seen == [False, False, False, True]
    assert (ended, watch.hangs) == (False, True)


def test_it_expects_no_sign_of_life_by_day_of_a_job_of_the_night(database: Database) -> None:
    """A job of the night may hang only while it runs."""
    now_s, seen = [0.0], []

    def work() -> None:
        now_s[0] += 61.0
        seen.append(watch.hangs)

    job = Job(name="night", at=time(2, 17, tzinfo=UTC), work=work)
    watch = Watch(job, database, monotonic=lambda: now_s[0])

    now_s[0] = 80_000.0
    by_day = watch.hangs
    watch.run()

    assert (by_day, seen) == (False, [True])
