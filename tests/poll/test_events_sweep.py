"""Does a sweep of the events lose nothing, whatever happens to it?"""

from collections.abc import Callable
from datetime import datetime
from functools import partial

import pytest
from sqlalchemy import select

from reconciler.core.observation import moment
from reconciler.db import queries, sweeps, tables
from reconciler.db.digest import digest
from reconciler.db.session import Database, StorageUnavailable, open_database
from reconciler.poll import Depth, sweep_events
from reconciler.poll.events import TYPE_LISTS, TYPES_MAX
from reconciler.simulator import till
from reconciler.simulator.api import Request
from reconciler.simulator.faults import Fault, FaultKind
from reconciler.stripe_api.problems import Stopped, StripeProblem
from reconciler.stripe_api.translate import EVENT_TYPES
from tests.db.scratch import lock_of_a_stranger
from tests.journeys.conftest import add_invoices
from tests.poll.account import SINCE_MS, Account
from tests.stripe_api import shapes

SWEEP = Depth(name="events", overlap_s=120, lag_s=10)
DEEP = Depth(name="events_deep", overlap_s=3600, lag_s=10)


@pytest.fixture
def account(database: Database) -> Account:
    """Give an account whose events all reach us by sweeps alone."""
    return Account(database)


def _runs(database: Database) -> list[dict[str, object]]:
    with database.reading() as tx:
        rows = tx.execute(select(tables.sweep_runs).order_by(tables.sweep_runs.c.id)).mappings()
        return [dict(row) for row in rows]


def _cursor(database: Database) -> datetime | None:
    with database.reading() as tx:
        return sweeps.position(tx, "events")


def _stored(database: Database) -> dict[str, tuple[str, str]]:
    with database.reading() as tx:
        return {e["id"]: (e["state"], e["source"]) for e in queries.events(tx, limit=1000)}


def _alerts(database: Database) -> list[tuple[str, int]]:
    with database.reading() as tx:
        found = queries.open_exceptions(tx, now=datetime.max.replace(tzinfo=moment(0).tzinfo))
    return [(each["kind"], each["count"]) for each in found]


def _ids(account: Account) -> set[str]:
    return {each.event["id"] for each in account.world.happenings}


def _unpaid(account: Account, count: int) -> None:
    for number in range(count):
        till.make_intent(account.world, amount=100 + number, currency="eur")


def _paid(account: Account, **fields: object) -> str:
    paid = till.make_intent(account.world, amount=1000, currency="eur", **fields)
    till.succeed(account.world, paid)
    return paid


def test_it_asks_for_every_type_that_tells_something() -> None:
    """Together the lists name every type once, and each has at most as many as one question may name."""
    named = [each for types in TYPE_LISTS for each in types]

    assert sorted(named) == sorted(EVENT_TYPES)
    assert max(map(len, TYPE_LISTS)) <= TYPES_MAX == 20


def test_it_takes_in_all_that_the_webhook_missed(account: Account, database: Database) -> None:
    """With every webhook lost, one sweep over several pages and both lists pays the invoice; another changes nothing."""
    add_invoices(database, {"id": "1", "number": "INV-1", "amount_due": 1000})
    paid = _paid(account, metadata={"invoice_id": "INV-1"})
    _unpaid(account, 130)
    account.wait(60)

    sweep_events(account.poller, SWEEP)

    with database.reading() as tx:
        first, payment, invoice = digest(tx), queries.payment(tx, paid), queries.invoice(tx, "1")
    assert _stored(database) == dict.fromkeys(_ids(account), ("applied", "poll"))
    assert (invoice["status"], invoice["payment_status"]) == ("paid", "paid")
    assert payment["first_seen_source"] == "poll"

    sweep_events(account.poller, SWEEP)

    with database.reading() as tx:
        assert digest(tx) == first
    assert [(r["state"], r["objects"], r["found"]) for r in _runs(database)] == [
        ("done", 133, 133),
        ("done", 133, 0),
    ]


def _fail(account: Account, fault: Fault) -> None:
    account.faults.script(fault)


def _stop(account: Account) -> None:
    account.stop.set()


@pytest.mark.parametrize(
    ("trouble", "raised", "state", "line"),
    [
        (
            partial(_fail, fault=Fault(kind=FaultKind.ERROR_500, times=4)),
            StripeProblem,
            "failed",
            "/v1/events: Stripe gives no answer (status 500",
        ),
        (
            partial(_fail, fault=Fault(kind=FaultKind.AGED_OUT_CURSOR)),
            StripeProblem,
            "failed",
            "/v1/events: Stripe refused the question (status 400",
        ),
        (
            partial(_fail, fault=Fault(kind=FaultKind.SAME_PAGE)),
            StripeProblem,
            "failed",
            "/v1/events: the list does not come to an end",
        ),
        (
            partial(_fail, fault=Fault(kind=FaultKind.HTML)),
            StripeProblem,
            "failed",
            "/v1/events: the answer cannot be read (",
        ),
        (_stop, Stopped, "cut", ""),
    ],
    ids=["no answer", "aged cursor", "endless list", "a proxy's page", "stop"],
)
def test_it_moves_the_cursor_only_with_the_last_page(
    account: Account,
    database: Database,
    trouble: Callable[[Account], None],
    raised: type[Exception],
    state: str,
    line: str,
) -> None:
    """Trouble after the first page of three leaves the cursor where it was, and the next sweep loses nothing."""
    _unpaid(account, 210)
    account.wait(60)

    def strike(request: Request) -> None:
        if any(name == "starting_after" for name, _ in request.query):
            account.client.meanwhile = lambda _: None
            trouble(account)

    account.client.meanwhile = strike
    with pytest.raises(raised):
        sweep_events(account.poller, SWEEP)
    cut_at = len(_stored(database)), _cursor(database)
    account.stop.clear()
    sweep_events(account.poller, SWEEP)

    (first, second) = _runs(database)
    assert cut_at[0] in {100, 200}
    assert cut_at[1] is None
    # What lies behind the cursor is looked at first, and moves nothing.
    covered = (first["state"], first["covered_until"], first["objects"])
    assert covered == (state, moment(SINCE_MS), cut_at[0])
    assert str(first["error"] or "").startswith(line)
    assert "\n" not in str(first["error"])
    assert first["ended_at"] == account.now()
    assert _stored(database).keys() == _ids(account)
    assert (second["state"], second["found"]) == ("done", 210 - cut_at[0])
    assert _cursor(database) == second["covered_until"] == account.ago(SWEEP.lag_s)


def test_it_keeps_the_slices_that_it_has_completed(account: Account, database: Database) -> None:
    """A failure in a later slice leaves the cursor at the end of the last complete one, the oldest being first."""
    for _ in range(3):
        _unpaid(account, 1)
        account.wait(3600)
    end = account.ago(SWEEP.lag_s)

    def strike(request: Request) -> None:
        if ("created[gte]", str(SINCE_MS // 1000 + 2 * 3600)) in request.query:
            account.client.meanwhile = lambda _: None
            account.faults.script(Fault(kind=FaultKind.HTML))

    account.client.meanwhile = strike
    with pytest.raises(StripeProblem):
        sweep_events(account.poller, Depth(name="events", overlap_s=0, lag_s=10))
    at = _cursor(database)
    sweep_events(account.poller, SWEEP)

    first, second = _runs(database)
    since, until = moment(SINCE_MS), moment(SINCE_MS + 2 * 3600_000)
    assert (first["covered_from"], first["covered_until"], first["found"]) == (since, until, 2)
    assert at == until
    assert (second["covered_from"], second["covered_until"]) == (moment(SINCE_MS + 7080_000), end)
    assert _stored(database).keys() == _ids(account)


@pytest.mark.parametrize(
    ("hidden_s", "sweep", "is_found"),
    [(60, SWEEP, True), (540, SWEEP, False), (540, DEEP, True)],
    ids=["by the overlap", "too late for it", "by the deep sweep"],
)
def test_it_looks_behind_its_cursor_for_what_appears_late(
    account: Account, database: Database, hidden_s: int, sweep: Depth, is_found: bool
) -> None:
    """An event that enters the list behind the cursor is found as far back as the sweep reaches, and no farther."""
    account.world.hidden_for_ms = lambda _: hidden_s * 1000
    _unpaid(account, 1)
    account.wait(30)
    sweep_events(account.poller, SWEEP)
    before = len(_stored(database))

    account.wait(hidden_s)
    sweep_events(account.poller, Depth(name="events", overlap_s=0, lag_s=10))
    passed = len(_stored(database))
    sweep_events(account.poller, sweep)

    assert (before, passed) == (0, 0)
    assert len(_stored(database)) == int(is_found)


def test_it_leaves_the_newest_seconds_to_the_next_sweep(
    account: Account, database: Database
) -> None:
    """What is younger than the lag is not looked at, and the cursor does not pass it."""
    account.wait(60)
    _unpaid(account, 1)
    account.wait(5)

    sweep_events(account.poller, SWEEP)
    young = len(_stored(database)), _cursor(database)
    account.wait(60)
    sweep_events(account.poller, Depth(name="events", overlap_s=0, lag_s=10))

    assert young == (0, account.ago(60 + SWEEP.lag_s))
    assert len(_stored(database)) == 1


def test_it_asks_a_person_about_an_event_that_nobody_can_read(
    account: Account, database: Database
) -> None:
    """An unreadable event opens one alert, however often it is listed, and its neighbours are applied."""
    _unpaid(account, 1)
    bad = shapes.event("charge.failed", {"email": "payer@example.com"}, livemode="no")
    account.world.publish(bad | {"created": account.world.now_s}, account.world.clock.now_ms())
    _unpaid(account, 1)
    account.wait(60)

    sweep_events(account.poller, SWEEP)
    sweep_events(account.poller, SWEEP)

    assert [state for state, _ in _stored(database).values()] == ["applied", "applied"]
    assert _alerts(database) == [("event_dead", 2)]
    with database.reading() as tx:
        row = tx.execute(select(tables.exceptions)).one()
    assert "payer" not in str(row)
    assert row.fingerprint == "bad_livemode"
    assert _cursor(database) == account.ago(SWEEP.lag_s)


def test_it_keeps_a_stranger_apart(account: Account, database: Database) -> None:
    """An event of the other mode is stored as quarantined, moves no money and opens an alert."""
    intent = shapes.payment_intent("pi_live", livemode=True)
    stranger = shapes.event("payment_intent.succeeded", intent, livemode=True)
    stranger |= {"created": account.world.now_s}
    account.world.publish(stranger, account.world.clock.now_ms())
    account.wait(60)

    sweep_events(account.poller, SWEEP)

    assert _stored(database) == {"evt_1": ("quarantined", "poll")}
    assert _alerts(database) == [("wrong_account_or_mode", 1)]
    with database.reading() as tx:
        assert queries.payments(tx) == []


@pytest.mark.parametrize(
    ("faults", "raised"),
    [([], StorageUnavailable), ([Fault(kind=FaultKind.HTML)], StripeProblem)],
    ids=["alone", "with Stripe"],
)
def test_it_does_not_count_on_what_it_could_not_store(
    database: Database,
    database_url: str,
    schema: str,
    faults: list[Fault],
    raised: type[Exception],
) -> None:
    """Storage that goes away in the middle ends the sweep with the cursor where it was; nothing is lost later."""
    impatient = open_database(database_url, schema=schema, busy_timeout_s=0.1)
    account = Account(impatient)
    _unpaid(account, 150)
    account.wait(60)
    strangers = []

    def strike(request: Request) -> None:
        if any(name == "starting_after" for name, _ in request.query):
            account.client.meanwhile = lambda _: None
            strangers.append(lock_of_a_stranger(database_url, schema))
            for fault in faults:
                account.faults.script(fault)

    account.client.meanwhile = strike
    with pytest.raises(raised):
        sweep_events(account.poller, SWEEP)
    after = len(_stored(database)), _cursor(database), _runs(database)[0]["state"]
    strangers[0].close()
    sweep_events(account.poller, SWEEP)
    impatient.close()

    assert after == (100, None, "running")
    assert [(run["state"], run["found"]) for run in _runs(database)] == [("cut", 0), ("done", 50)]
    assert _stored(database).keys() == _ids(account)


@pytest.mark.parametrize("fails", [False, True])
def test_it_says_for_a_day_which_events_are_listed_no_more(
    account: Account, database: Database, fails: bool
) -> None:
    """Each run of a day after a long pause says so, though the first one fails half-way; then none does any more."""
    sweep_events(account.poller, SWEEP)
    account.wait(45 * 86_400)

    def strike(_: Request) -> None:
        if len(account.client.asked) > 500:
            _fail(account, Fault(kind=FaultKind.NO_RETRY))

    if fails:
        account.client.meanwhile = strike
        with pytest.raises(StripeProblem):
            sweep_events(account.poller, SWEEP)
        account.client.meanwhile = lambda _: None
        account.faults.heal()
    for _ in range(50):
        sweep_events(account.poller, SWEEP)
        account.wait(1800)

    said = ["Stripe lists no events of" in str(row["error"]) for row in _runs(database)]
    assert said == [False, *[True] * (48 + fails), False, False]
