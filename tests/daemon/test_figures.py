"""Is what the daemon tells of itself and its database true, soon told, and told even when the database is away?"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from reconciler import metrics
from reconciler.core.exceptions import ExceptionKind
from reconciler.core.observation import Source
from reconciler.daemon import Figures
from reconciler.db import alerts, evidence, sweeps, tables
from reconciler.db.session import Database, Tx, open_database
from reconciler.db.sweeps import Coverage, RunState
from reconciler.poll import RecentSweep, sweep_open, sweep_recent
from reconciler.simulator import till
from reconciler.stripe_api.envelope import read_event
from tests.metrics.scraping import Scrape, counted, growth, scrape
from tests.poll.account import Account
from tests.stripe_api import shapes

TOLD = "reconciler_payments_first_told_total"


@pytest.fixture
def account(database: Database) -> Account:
    """Give an account, whose clock is also the daemon's."""
    return Account(database)


class Clock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        """Return the seconds that it shows."""
        return self.now_s


def _figures(account: Account, clock: Clock, *, leads: bool = True) -> Figures:
    return Figures(account.database, lambda: leads, account.now, monotonic=clock)


def _told(figures: Figures) -> Scrape:
    with metrics.listening("127.0.0.1", 0, (), figures.read) as port:
        return scrape(port)


def _run(tx: Tx, sweep: str, state: RunState, began: datetime, until: datetime | None) -> None:
    run_id = sweeps.begin(tx, sweep, began)
    coverage = Coverage(since=began, until=until)
    sweeps.end(tx, run_id, state, coverage, now=began, error="canary" if until is None else None)


def test_it_tells_how_far_each_sweep_has_come(account: Account) -> None:
    """The lag counts from what was looked at to its end, and a failed or cut run takes nothing back and adds nothing."""
    ago, at = account.ago, account.now()
    with account.database.writing() as tx:
        _run(tx, "events", RunState.DONE, ago(300), ago(310))
        _run(tx, "events", RunState.DONE, ago(60), ago(70))
        _run(tx, "events", RunState.CUT, ago(30), ago(40))
        _run(tx, "events", RunState.FAILED, ago(20), None)
        _run(tx, "invoices", RunState.DONE, ago(5), None)
        sweeps.move(tx, "money", ago(3600), at)

    told = _told(_figures(account, Clock()))

    assert told.under("reconciler_sweep_lag_seconds", "sweep") == {"events": 70}
    done = told.under("reconciler_sweep_last_done_timestamp_seconds", "sweep")
    assert done == {"events": ago(60).timestamp(), "invoices": ago(5).timestamp()}
    assert told.under("reconciler_cursor_lag_seconds", "cursor") == {"money": 3600}


def test_it_tells_what_waits(account: Account) -> None:
    """What waits to be read or looked at, and since when; nothing waiting is told as 0."""
    nothing = _told(_figures(account, Clock()))
    paid = till.make_intent(account.world, amount=1000, currency="eur")
    till.succeed(account.world, paid)
    account.tell(account.world.happenings[0].event)
    with account.database.writing() as tx:
        evidence.ask(tx, [("charge", "ch_canary")], "event", account.now())
        late = {"next_check_at": account.now()}
        tx.execute(tables.payments.update().values(late))
    account.wait(90)

    told = _told(_figures(account, Clock()))

    names = (
        "reconciler_fetches_waiting",
        "reconciler_fetch_oldest_age_seconds",
        "reconciler_check_oldest_overdue_seconds",
    )
    assert [nothing.value(name) for name in names] == [0, 0, 0]
    assert [told.value(name) for name in names] == [1, 90, 90]
    assert "ch_canary" not in told.text


def test_it_is_late_until_stripe_was_read(account: Account) -> None:
    """A look that was asked for is no look yet: while Stripe gives no answer its lateness grows."""
    till.make_intent(account.world, amount=1000, currency="eur")
    account.wait(60)
    sweep_recent(account.poller, RecentSweep(name="recent", reach_s=3600))
    account.wait(3600)
    sweep_open(account.poller)
    account.wait(600)

    told = _told(_figures(account, Clock()))

    assert told.value("reconciler_check_oldest_overdue_seconds") == 600


@pytest.mark.parametrize("state", ["deferred", "failed", "dead", "quarantined"])
def test_it_counts_events_that_are_not_applied(account: Account, state: str) -> None:
    """Each state in which an event waits is told, with 0 where none does; what is applied is not."""
    till.make_intent(account.world, amount=1000, currency="eur")
    till.make_intent(account.world, amount=2000, currency="eur")
    account.tell(*(each.event for each in account.world.happenings))
    one = account.world.happenings[0].event["id"]
    with account.database.writing() as tx:
        column = tables.stripe_events.c
        tx.execute(tables.stripe_events.update().where(column.id == one).values(state=state))

    told = _told(_figures(account, Clock()))

    none = dict.fromkeys(("deferred", "failed", "dead", "quarantined"), 0)
    assert told.under("reconciler_events_waiting", "state") == {**none, state: 1}


def test_it_tells_every_kind_of_exception(account: Account) -> None:
    """Every kind is told, with 0 where none is open, so that an alert can be written before the first one."""
    kind = ExceptionKind.SWEEP_FAILING
    with account.database.writing() as tx:
        for subject in ("money", "canary of a subject"):
            alerts.open_alert(tx, kind=kind, subject=subject, fingerprint="x", now=account.now())

    told = _told(_figures(account, Clock()))

    none = dict.fromkeys((each.value for each in ExceptionKind), 0)
    assert told.under("reconciler_exceptions_open", "kind") == {**none, kind.value: 2}
    assert "canary" not in told.text


@pytest.mark.parametrize("leads", [True, False])
@pytest.mark.parametrize("dialect", ["sqlite"])
def test_it_tells_whether_it_leads(account: Account, dialect: str, leads: bool) -> None:
    """One that stands by says so."""
    assert _told(_figures(account, Clock(), leads=leads)).value("reconciler_daemon_leads") == leads


@contextmanager
def _away(database: Database, file: Path) -> Iterator[None]:
    """Let the file of a database be somewhere else, and no connection open to it."""
    elsewhere = file.rename(file.with_suffix(".away"))
    database.engine.dispose()
    try:
        yield
    finally:
        elsewhere.rename(file)


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_it_is_told_that_the_database_is_away_and_comes_back(
    account: Account, dialect: str, tmp_path: Path
) -> None:
    """Without its database the daemon tells that, and the rest; when it is back, all of it again."""
    clock = Clock()
    figures = _figures(account, clock)
    with capture_logs() as lines, _away(account.database, tmp_path / "reconciler.db"):
        without = _told(figures)
    clock.now_s += 5
    again = _told(figures)

    assert (without.value("reconciler_database_up"), again.value("reconciler_database_up")) == (
        0,
        1,
    )
    assert (without.value("reconciler_daemon_leads"), again.value("reconciler_daemon_leads")) == (
        1,
        1,
    )
    assert without.under("reconciler_exceptions_open", "kind") == {}
    assert again.under("reconciler_exceptions_open", "kind")
    assert [line["log_level"] for line in lines if line["event"] == "metrics.not_read"] == [
        "warning"
    ]


def test_it_tells_nothing_of_the_way_to_its_database() -> None:
    """A server that refuses is told as 0, and the password in its address stands neither there nor in the log."""
    away = open_database("postgresql+psycopg://me:canary@127.0.0.1:1/books")
    figures = Figures(away, lambda: False, lambda: datetime.now(UTC), monotonic=Clock())

    with capture_logs() as lines:
        told = _told(figures)

    assert told.value("reconciler_database_up") == 0
    assert [line["event"] for line in lines] == ["metrics.opened", "metrics.not_read"]
    assert "canary" not in told.text + str(lines)


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_it_does_not_wait_for_a_database_that_hangs(
    account: Account, dialect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While an answer is outstanding nobody waits for it long, hears what is old, or asks once more."""
    monkeypatch.setattr("reconciler.daemon.figures.PATIENCE_S", 0.05)
    goes_on, hangs, clock = threading.Event(), [False], Clock()
    asked: list[threading.Thread] = []

    def now() -> datetime:
        asked.append(threading.current_thread())
        if hangs[0]:
            goes_on.wait(10)
        return account.now()

    figures = Figures(account.database, lambda: True, now, monotonic=clock)
    asked.clear()
    told = [_is_up(figures)]
    asked[-1].join(10)
    try:
        for hangs[0] in (False, True, True, True):
            clock.now_s += 5
            told.append(_is_up(figures))
    finally:
        goes_on.set()
    asked[-1].join(10)

    assert told[-3:] == [0, 0, 0]
    assert told[-4] == 1
    assert len(asked) == 3
    assert _is_up(figures) == 1


def _is_up(figures: Figures) -> float:
    return figures.read()[metrics.DATABASE_UP][()]


def test_it_asks_the_database_no_more_often_than_needed(account: Account) -> None:
    """Whoever asks again soon hears the same, and later what is new."""
    clock = Clock()
    figures = _figures(account, clock)
    heard = []
    for wait_s in (0, 4.9, 0.1):
        clock.now_s += wait_s
        heard.append(figures.read()[metrics.FETCHES_WAITING][()])
        with account.database.writing() as tx:
            evidence.ask(tx, [("charge", f"ch_{len(heard)}")], "event", account.now())

    assert heard == [0, 0, 2]


def _pay(account: Account, source: Source, *, after_s: float = 0) -> None:
    """Let a payment succeed at Stripe, and its events come in a while later."""
    before = len(account.world.happenings)
    paid = till.make_intent(account.world, amount=1000, currency="eur")
    till.succeed(account.world, paid)
    account.wait(after_s)
    happened = account.world.happenings[before:]
    events = [read_event(shapes.body(each.event)) for each in happened]
    account.poller.inbox.accept(events, source=source, now=account.now())


def test_it_counts_each_payment_once_by_who_told_it_and_how_late(account: Account) -> None:
    """A payment is counted a minute after it became known: by its webhook at once, by a sweep after 40 s."""
    clock = Clock()
    figures = _figures(account, clock)
    before = counted(metrics.OF_DAEMON)
    _pay(account, Source.WEBHOOK)
    _pay(account, Source.POLL, after_s=40)

    told = []
    for _ in range(3):
        clock.now_s += 61
        figures.read()
        told.append(counted(metrics.OF_DAEMON))
        account.wait(61)

    webhook, poll = frozenset({("source", "webhook")}), frozenset({("source", "poll")})
    both = {webhook: 1, poll: 1}
    assert [growth(before, each, TOLD) for each in told] == [{}, both, both]
    late = growth(before, told[-1], "reconciler_payment_lateness_seconds_bucket")
    assert late[webhook | {("le", "1.0")}] == late[poll | {("le", "60.0")}] == 1
    assert poll | {("le", "30.0")} not in late


def test_it_leaves_payments_to_the_daemon_that_leads(account: Account) -> None:
    """One that stands by counts none, and when it takes over, none that the other one has counted."""
    clock, leading = Clock(), [False]
    figures = Figures(account.database, lambda: leading[0], account.now, monotonic=clock)
    before = counted(metrics.OF_DAEMON)
    told = []
    for leads in (False, True, True):
        _pay(account, Source.WEBHOOK)
        account.wait(61)
        clock.now_s += 61
        leading[0] = leads
        figures.read()
        told.append(growth(before, counted(metrics.OF_DAEMON), TOLD))

    webhook = frozenset({("source", "webhook")})
    assert told == [{}, {webhook: 1}, {webhook: 2}]


def test_it_does_not_count_what_was_known_before_it_began(account: Account) -> None:
    """A restart counts no payment a second time."""
    _pay(account, Source.WEBHOOK)
    account.wait(3600)
    before = counted(metrics.OF_DAEMON)

    _figures(account, Clock()).read()

    after = counted(metrics.OF_DAEMON)
    assert growth(before, after, TOLD) == {}
