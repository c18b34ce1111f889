"""Does each job look at what it must, and none at what another one looks at already?"""

import threading
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from reconciler.core.exceptions import ExceptionKind
from reconciler.core.report import RunHead, RunState
from reconciler.daemon import Timing, jobs_of
from reconciler.daemon.jobs import FORGET_AT_ONCE
from reconciler.daemon.pulse import heard_by
from reconciler.db import alerts, runs, sightings, sweeps, tables, touched
from reconciler.db.run_tables import reconcile_runs
from reconciler.db.session import Database
from reconciler.simulator.api import Request
from reconciler.stripe_api.problems import Stopped
from tests.outbox.post import Post
from tests.poll.account import START_MS, Account

DAY_S = 86_400


def test_it_reaches_back_as_far_as_each_sweep_is_told(database: Database) -> None:
    """The daemon's jobs look behind the cursor by their own overlaps, and the night forgets runs of five weeks ago."""
    account = Account(database)
    start = account.now()
    with database.writing() as tx:
        sweeps.begin(tx, "events", start - timedelta(days=36, seconds=1))
        sweeps.begin(tx, "events", start - timedelta(days=35))
        sweeps.move(tx, "events", start, start)
    account.wait(100)
    jobs = {job.name: job for job in jobs_of(account.poller, Timing(), account.poller)}

    for name in ("forget", "events", "events_deep", "events_night"):
        jobs[name].work()

    column = tables.sweep_runs.c
    with database.reading() as tx:
        asked = select(column.sweep, column.covered_from, column.started_at).order_by(column.id)
        rows = tx.execute(asked).all()
    ended = account.now() - timedelta(seconds=10)
    assert [(row.sweep, row.covered_from) for row in rows] == [
        ("events", None),
        ("forget", None),
        ("events", start - timedelta(minutes=2)),
        ("events_deep", ended - timedelta(hours=1)),
        ("events_night", ended - timedelta(hours=26)),
    ]
    assert {job.name: job.every_s for job in jobs.values()} == {
        "runs": 30,
        "events": 60,
        "events_deep": 900,
        "events_night": None,
        "money": 3600,
        "money_night": None,
        "recent": 3600,
        "recent_night": None,
        "open": 30,
        "invoices": 60,
        "fetches": 5,
        "retries": 5,
        "forget": None,
    }
    assert {jobs[f"{name}_night"].at for name in ("events", "money", "recent")} == {Timing().night}


@pytest.mark.parametrize(
    ("name", "deeper", "cursors", "stretches"),
    [
        ("events", "events_deep", ["events"], (5 * 3600 + 120, 3600 + 10)),
        ("money", "money_night", ["money"], (5 * 3600 + 2 * DAY_S, 8 * DAY_S + 10)),
        (
            "recent",
            "recent_night",
            ["recent_payment_intents", "recent_sessions", "recent_disputes"],
            (2 * DAY_S + 10, 35 * DAY_S + 10),
        ),
    ],
)
def test_it_walks_a_stretch_once(
    database: Database, name: str, deeper: str, cursors: list[str], stretches: tuple[int, int]
) -> None:
    """A deeper sweep that comes due while another moves their cursor waits for it, and looks from where that one came to."""
    account = Account(database, since_ms=START_MS - 400 * DAY_S * 1000)
    with database.writing() as tx:
        for cursor in cursors:
            sweeps.move(tx, cursor, account.ago(5 * 3600), account.now())
    jobs = {job.name: job for job in jobs_of(account.poller, Timing(), account.poller)}
    other = threading.Thread(target=jobs[deeper].work)
    waited = []

    def strike(_: Request) -> None:
        account.client.meanwhile = lambda _: None
        other.start()
        other.join(0.2)
        waited.append(other.is_alive())

    account.client.meanwhile = strike
    jobs[name].work()
    other.join(30)

    column = tables.sweep_runs.c
    with database.reading() as tx:
        found = tx.execute(select(column.sweep, column.covered_from).order_by(column.id)).all()
    assert waited == [True]
    assert [tuple(each) for each in found] == [
        (name, account.ago(stretches[0])),
        (deeper, account.ago(stretches[1])),
    ]


def test_it_forgets_what_no_list_shows_any_more(database: Database) -> None:
    """The night forgets what was remembered of objects five weeks ago, however many they are, and nothing younger."""
    account = Account(database)
    old, young = account.ago(36 * DAY_S + 1), account.ago(35 * DAY_S)
    with database.writing() as tx:
        sightings.remember(tx, {f"pi_{n}": "d" for n in range(FORGET_AT_ONCE + 1)}, old)
        sightings.remember(tx, {"pi_young": "d"}, young)
    jobs = {job.name: job for job in jobs_of(account.poller, Timing(), account.poller)}

    jobs["forget"].work()

    with database.reading() as tx:
        assert list(tx.scalars(select(tables.sightings.c.object_id))) == ["pi_young"]


def test_it_is_alive_while_it_forgets_and_stops_when_asked(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each part of what is forgotten is a sign of life, and none is begun once the daemon must end."""
    monkeypatch.setattr("reconciler.daemon.jobs.FORGET_AT_ONCE", 1)
    account = Account(database)
    with database.writing() as tx:
        sightings.remember(tx, {f"pi_{n}": "d" for n in range(5)}, account.ago(37 * DAY_S))
    jobs = {job.name: job for job in jobs_of(account.poller, Timing(), account.poller)}
    left = []

    def heard() -> None:
        with database.reading() as tx:
            left.append(len(list(tx.scalars(select(tables.sightings.c.object_id)))))
        if left[-1] == 2:
            account.stop.set()

    with heard_by(heard), pytest.raises(Stopped):
        jobs["forget"].work()

    assert left == [5, 4, 3, 2]


def test_it_closes_at_night_what_nothing_else_would(database: Database) -> None:
    """The alert of a push service behind which no browser is left ends with the night."""
    account = Account(database)
    kind = ExceptionKind.PUSH_REFUSED
    with database.writing() as tx:
        alerts.open_alert(tx, kind=kind, subject="gone", fingerprint="403", now=account.now())
    jobs = {job.name: job for job in jobs_of(account.poller, Timing(), account.poller)}

    jobs["forget"].work()

    with database.reading() as tx:
        assert alerts.subjects(tx, kind=kind) == set()


KEPT_OF_RUNS = [
    (RunState.COMPLETE, 36 * DAY_S + 1, False),
    (RunState.COMPLETE, 35 * DAY_S, True),
    (RunState.CUT_OFF, 36 * DAY_S + 1, True),
]


@pytest.mark.parametrize(("state", "ago_s", "is_kept"), KEPT_OF_RUNS)
def test_it_forgets_what_complete_runs_changed(
    database: Database, state: RunState, ago_s: int, is_kept: bool
) -> None:
    """What a run has changed is kept for five weeks behind its end, and for as long as somebody may go on with it."""
    account = Account(database)
    day = account.now().date()
    head = RunHead(
        id=0,
        first_day=day,
        last_day=day,
        zone="UTC",
        is_dry=False,
        state=state,
        by="ada",
        asked_at=account.now(),
    )
    with database.writing() as tx:
        for run_id in (runs.ask(tx, head), runs.ask(tx, head)):
            touched.touch(tx, run_id, {"pi_1": None, "pi_2": None})
            tx.execute(
                update(reconcile_runs)
                .where(reconcile_runs.c.id == run_id)
                .values(ended_at=account.ago(ago_s))
            )
    jobs = {job.name: job for job in jobs_of(account.poller, Timing(), account.poller)}

    jobs["forget"].work()

    with database.reading() as tx:
        left = [set(touched.touched(tx, run_id, after="")) for run_id in (1, 2)]
    assert left == [{"pi_1", "pi_2"} if is_kept else set()] * 2


def test_it_looks_after_what_waits(database: Database) -> None:
    """The jobs for reads and for retries do nothing, without a question to Stripe, while nothing waits."""
    account = Account(database)
    jobs = {job.name: job for job in jobs_of(account.poller, Timing(), account.poller)}

    counts = [jobs[name].work() for name in ("fetches", "retries")]

    assert counts == [0, 0]
    assert account.client.asked == []


def test_it_looks_at_notifications_every_two_seconds(database: Database) -> None:
    """With an outbox the daemon has one job more, which makes deliveries and sends them; the night forgets those that ended."""
    account, post = Account(database), Post(database)
    post.now = account.now()
    post.subscribe()
    post.notify()
    made = jobs_of(account.poller, Timing(), account.poller, post.outbox)
    jobs = {job.name: job for job in made}

    jobs["push"].work()
    assert post.outbox.rest(20)
    sent = post.states
    account.wait(37 * 86_400)
    jobs["forget"].work()

    assert jobs["push"].every_s == 2
    assert (sent, post.states) == (["accepted"], [])
