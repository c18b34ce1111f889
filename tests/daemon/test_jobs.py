"""Does each job look at what it must, and none at what another one looks at already?"""

import threading
from datetime import timedelta

from sqlalchemy import select

from reconciler.daemon import Timing, jobs_of
from reconciler.db import sweeps, tables
from reconciler.db.session import Database
from reconciler.simulator.api import Request
from tests.poll.account import Account


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
        "money": 3600,
        "money_night": None,
        "recent": 3600,
        "recent_night": None,
        "open": 30,
        "invoices": 60,
        "fetches": 5,
        "retries": 5,
    }
    assert {jobs[f"{name}_night"].at for name in ("events", "money", "recent")} == {Timing().night}


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
