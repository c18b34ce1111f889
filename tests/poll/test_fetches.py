"""Are objects that no snapshot decides read until they are known, and never for ever?"""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from reconciler.db import evidence, payments, queries, tables
from reconciler.db.session import Database
from reconciler.poll import RecentSweep, read_due, sweep_recent
from reconciler.poll.fetches import SWEPT, read_these
from reconciler.simulator import objects, returns, till
from reconciler.simulator.api import Request
from reconciler.simulator.faults import Fault, FaultKind
from reconciler.simulator.world import Json
from reconciler.stripe_api.problems import Stopped, StripeProblem
from reconciler.stripe_api.translate import UnreadableObject
from tests.databases import refusing
from tests.journeys.conftest import add_invoices
from tests.poll.account import Account
from tests.stripe_api import shapes


@pytest.fixture
def account(database: Database) -> Account:
    """Give an account."""
    return Account(database)


def _thin(account: Account, intent_id: str, id_: str = "evt_thin_1") -> Json:
    """A thin event that names a PaymentIntent, made now."""
    related = ("payment_intent", intent_id)
    created = account.now().isoformat()
    return shapes.thin_event("v1.payment_intent.succeeded", related, id=id_, created=created)


def _paid(account: Account, **fields: object) -> str:
    paid = till.make_intent(account.world, amount=1000, currency="eur", **fields)
    till.succeed(account.world, paid)
    return paid


def _told(account: Account) -> list[Json]:
    return [each.event for each in account.world.happenings]


def _event(database: Database, id_: str = "evt_thin_1") -> tuple[str, int]:
    with database.reading() as tx:
        found = queries.event(tx, id_) or {}
    return found["state"], found["attempts"]


def _waits(account: Account) -> dict[str, float]:
    """How many seconds from now each object is due."""
    with account.database.reading() as tx:
        rows = tx.execute(select(tables.fetches.c.object_id, tables.fetches.c.due_at)).all()
    return {id_: (due_at - account.now()).total_seconds() for id_, due_at in rows}


def _persist(account: Account) -> list[float]:
    """Read whenever something is due until nothing is left; returns how long each wait was, in seconds."""
    waits = []
    read_due(account.poller)
    while left := _waits(account):
        waits.append(max(left.values()))
        account.wait(waits[-1])
        read_due(account.poller)
    return waits


def _alerts(database: Database) -> list[tuple[str, str, str, int]]:
    column = tables.exceptions.c
    with database.reading() as tx:
        asked = select(column.kind, column.subject, column.state, column["count"])
        wanted = ("read_forbidden", "event_dead")
        asked = asked.where(column.kind.in_(wanted)).order_by(column.kind, column.subject)
        return [tuple(row) for row in tx.execute(asked)]


def _ask(database: Database, account: Account, *keys: tuple[str, str]) -> None:
    with database.writing() as tx:
        evidence.ask(tx, keys, "event", account.now())


def test_it_reads_what_a_thin_event_only_names(account: Account, database: Database) -> None:
    """A thin event waits as deferred; the read of its object pays the invoice, and the event counts as applied."""
    add_invoices(database, {"id": "1", "number": "INV-1", "amount_due": 1000})
    paid = _paid(account, metadata={"invoice_id": "INV-1"})
    account.tell(_thin(account, paid))
    before = _event(database)

    read = read_due(account.poller)

    with database.reading() as tx:
        invoice = queries.invoice(tx, "1") or {}
    assert (before, read) == (("deferred", 0), 1)
    assert _event(database) == ("applied", 0)
    assert (invoice["status"], invoice["payment_status"]) == ("paid", "paid")
    assert _waits(account) == {}
    assert read_due(account.poller) == 0


def test_it_reads_for_a_thin_event_though_a_doubt_vanishes(
    account: Account, database: Database
) -> None:
    """A thin event about an object that a doubt asks for too keeps the read when the next event settles the doubt."""
    paid = _paid(account)
    told = _told(account)
    account.tell(*[each for each in told if each["type"].startswith("charge.")])
    doubted = _waits(account)
    account.tell(_thin(account, paid))

    account.tell(*[each for each in told if each["type"].startswith("payment_intent.")])

    assert (doubted, _waits(account)) == ({paid: 0.0}, {paid: 0.0})
    assert read_due(account.poller) == 1
    assert _event(database) == ("applied", 0)


def test_it_reads_again_for_an_event_that_came_during_the_read(
    account: Account, database: Database
) -> None:
    """An event that comes in while its object is read waits for a read that began after it."""
    paid = _paid(account)
    account.tell(_thin(account, paid))

    def strike(_: Request) -> None:
        account.client.meanwhile = lambda _: None
        account.wait(1)
        account.tell(_thin(account, paid, "evt_thin_2"))

    account.client.meanwhile = strike
    read_due(account.poller)
    between = _event(database), _event(database, "evt_thin_2")
    read_due(account.poller)

    assert between == (("applied", 0), ("deferred", 0))
    assert _event(database, "evt_thin_2") == ("applied", 0)
    assert _waits(account) == {}


def test_it_reads_for_a_thin_event_though_a_list_was_faster(
    account: Account, database: Database
) -> None:
    """A list that shows the object first, and may be older than the event, does not leave the event waiting for ever."""
    paid = _paid(account)
    account.tell(_thin(account, paid))
    account.wait(20)
    sweep_recent(account.poller, RecentSweep(name="recent", reach_s=3600))
    between = _event(database), _waits(account)

    account.poller.inbox.retry_due(now=account.now())

    assert between == (("deferred", 0), {})
    assert read_due(account.poller) == 1
    assert _event(database) == ("applied", 0)
    assert account.poller.inbox.retry_due(now=account.now()) == 0


def test_it_still_reads_refunds_when_the_payment_was_read(
    account: Account, database: Database
) -> None:
    """With a payment comes its charge, and what was given back of it; the refunds are read all the same, if not in this round."""
    paid = _paid(account)
    account.tell(_thin(account, paid))
    account.wait(1)
    returns.refund(account.world, paid, 400)
    account.tell(*(h for h in _told(account) if h["type"] == "charge.refunded"))
    with database.reading() as tx:
        [first, _] = evidence.due(tx, account.now(), limit=2)

    read_these(account.poller, [first], SWEPT)
    between = set(_waits(account))
    read_due(account.poller)

    with database.reading() as tx:
        found = payments.summaries(tx, [paid])[paid].refunded_minor
    charge = till.charge_of(account.world, paid)["id"]
    assert (first.object_id, between) == (paid, {charge})
    assert (found, _waits(account)) == (400, {})


def test_it_asks_once_for_refunds_that_nobody_tells(account: Account, database: Database) -> None:
    """A charge that comes without its refunds although it was read by its id is no question for ever."""
    paid = _paid(account)
    returns.refund(account.world, paid, 400)
    charge = till.charge_of(account.world, paid)
    account.world.save({**charge, "refunds": {"object": "list", "data": []}})
    _ask(database, account, ("charge", str(charge["id"])))

    read = [read_due(account.poller) for _ in range(3)]

    # The charge, the payment that it names, and nothing more.
    assert (read, _waits(account)) == ([1, 1, 0], {})


def test_it_asks_once_more_about_a_contested_word(account: Account, database: Database) -> None:
    """Two words of one second are read at once and, since a replica may lag, again six seconds later; then never."""
    intent = till.make_intent(account.world, amount=1000, currency="eur")
    till.require_action(account.world, intent)
    till.start_debit(account.world, intent)
    account.tell(*[each for each in _told(account) if each["type"].startswith("payment_intent.")])
    first = _waits(account)

    read_due(account.poller)
    second = _waits(account)
    account.wait(5)
    early = read_due(account.poller)
    account.wait(1)
    late = read_due(account.poller)

    assert (first, second) == ({intent: 0.0}, {intent: 6.0})
    assert (early, late) == (0, 1)
    assert _waits(account) == {}
    with database.reading() as tx:
        assert (queries.payment(tx, intent) or {})["status"] == "processing"


def test_it_asks_no_third_time_about_a_contested_word(account: Account, database: Database) -> None:
    """A word that the second read leaves contested too is asked for no more."""
    intent = till.make_intent(account.world, amount=1000, currency="eur")
    till.require_action(account.world, intent)
    till.start_debit(account.world, intent)
    account.tell(*[each for each in _told(account) if each["type"].startswith("payment_intent.")])
    # Stripe's clock stands still meanwhile, so that no read is surely later than the events.
    later = replace(account.poller, now=lambda: account.now() + timedelta(seconds=6))

    counts = [read_due(account.poller), read_due(later), read_due(later)]

    assert counts == [1, 1, 0]
    assert _waits(account) == {}


def test_it_gives_up_an_object_that_does_not_exist(account: Account, database: Database) -> None:
    """After a minute without such an object a person is asked, the row goes, and no state is changed."""
    processing = shapes.payment_intent(status="processing")
    account.tell(shapes.event("payment_intent.processing", processing), _thin(account, "pi_gone"))
    _ask(database, account, ("payment_intent", "pi_1"))
    waited = 0

    while _waits(account) and waited < 300:
        account.wait(6)
        waited += 6
        read_due(account.poller)

    assert 60 <= waited <= 120
    assert _alerts(database) == [
        ("event_dead", "evt_thin_1", "open", 1),
        ("read_forbidden", "payment_intent pi_1", "open", 1),
    ]
    assert _event(database) == ("dead", 1)
    with database.reading() as tx:
        assert (queries.payment(tx, "pi_1") or {})["status"] == "processing"


def test_it_says_once_a_kind_that_a_right_is_missing(account: Account, database: Database) -> None:
    """A key that may not read opens one alert a kind at once; with the right back all is read and the alert closes."""
    first, second = _paid(account), _paid(account)
    account.tell(_thin(account, first), _thin(account, second, "evt_thin_2"))
    account.client.api = account.api(frozenset({"event", "charge"}))

    with capture_logs() as lines:
        read_due(account.poller)
    without = _alerts(database), set(_waits(account))
    account.client.api = account.api(None)
    account.wait(6)
    read_due(account.poller)

    assert without == ([("read_forbidden", "payment_intent", "open", 2)], {first, second})
    assert [line["event"] for line in lines if line["log_level"] == "error"] == ["read.forbidden"]
    assert _alerts(database) == [("read_forbidden", "payment_intent", "cleared", 2)]
    assert _waits(account) == {}
    assert _event(database) == _event(database, "evt_thin_2") == ("applied", 0)


@pytest.mark.parametrize("kind", [FaultKind.HTML, FaultKind.EMPTY_OBJECT])
@pytest.mark.parametrize("asked_ago_s", [0, 3600])
@pytest.mark.parametrize(
    ("times", "state", "alerts"),
    [
        (1, ("applied", 0), []),
        (9, ("applied", 0), []),
        (10, ("dead", 1), [("event_dead", "evt_thin_1", "open", 1)]),
    ],
)
def test_it_gives_up_what_is_unreadable_ten_times(
    account: Account,
    database: Database,
    kind: FaultKind,
    asked_ago_s: int,
    times: int,
    state: tuple[str, int],
    alerts: list[tuple[str, str, str, int]],
) -> None:
    """An answer that can't be read is asked for again, however old the question, for hours; the tenth calls a person."""
    account.tell(_thin(account, _paid(account)))
    account.wait(asked_ago_s)
    account.faults.script(Fault(kind=kind, path="/v1/payment_intents/*", times=times))

    waits = _persist(account)

    assert waits == [6, 20, 80, 320, 1280, 3600, 3600, 3600, 3600][:times]
    assert _event(database) == state
    assert _alerts(database) == alerts


def test_it_gives_up_an_object_that_stays_half_readable(
    account: Account, database: Database
) -> None:
    """A PaymentIntent whose charge nobody can read is applied as far as it goes, and a person is asked."""
    paid = _paid(account)
    account.world.save(account.world.get(paid) | {"latest_charge": {"object": "charge"}})
    account.tell(_thin(account, paid))

    read_due(account.poller)
    between = _event(database), _waits(account)
    account.wait(6)
    _persist(account)

    assert between == (("deferred", 0), {paid: 6.0})
    assert _event(database) == ("dead", 1)
    assert _waits(account) == {}
    with database.reading() as tx:
        assert (queries.payment(tx, paid) or {})["status"] == "succeeded"


def test_it_never_gives_up_while_stripe_is_away(account: Account, database: Database) -> None:
    """Without an answer the next question waits ever longer, up to five minutes; days later the object is read."""
    paid = _paid(account)
    account.tell(_thin(account, paid))
    account.faults.script(Fault(kind=FaultKind.ERROR_500, path="/v1/payment*", times=4 * 400))
    waits = []

    for _ in range(400):
        read_due(account.poller)
        waits.append(_waits(account)[paid])
        account.wait(waits[-1])
    away = _event(database), _alerts(database), sum(waits)
    read_due(account.poller)

    assert waits[:4] == [6.0, 6.0, 12.0, 24.0]
    assert waits[-1] == 300.0
    assert waits == sorted(waits)
    assert away[:2] == (("deferred", 0), [])
    assert timedelta(seconds=away[2]) > timedelta(days=1)
    assert _event(database) == ("applied", 0)


def test_it_reads_at_once_what_an_event_tells_of(account: Account, database: Database) -> None:
    """An event brings a read forward that was put off while Stripe was away, and a date on which to look does not."""
    told, due = sorted(_paid(account) for _ in range(2))
    _ask(database, account, ("payment_intent", told), ("payment_intent", due))
    account.faults.script(Fault(kind=FaultKind.ERROR_500, path="/v1/payment*", times=4 * 2 * 20))
    for _ in range(20):
        account.wait(max(_waits(account).values()))
        read_due(account.poller)
    account.wait(100)

    with database.writing() as tx:
        evidence.ask(tx, [("payment_intent", due)], evidence.CHECK, account.now())
    account.tell(_thin(account, told))

    assert _waits(account) == {told: 0.0, due: 200.0}


def test_it_reads_at_once_what_a_new_doubt_asks_for(account: Account, database: Database) -> None:
    """A doubt about a payment whose read was put off waits for no back-off."""
    paid = _paid(account)
    _ask(database, account, ("payment_intent", paid))
    with database.writing() as tx:
        [fetch] = evidence.due(tx, account.now(), limit=1)
        evidence.postpone(tx, fetch, account.now() + timedelta(minutes=5), attempts=0)

    account.tell(*[each for each in _told(account) if each["type"].startswith("charge.")])

    assert _waits(account) == {paid: 0.0}


def test_it_leaves_the_rest_when_three_in_a_row_have_no_answer(
    account: Account, database: Database
) -> None:
    """Three objects in a row without an answer mean that Stripe is away: the rest stays due and nobody waits for it."""
    paid = [_paid(account) for _ in range(8)]
    _ask(database, account, *(("payment_intent", id_) for id_ in paid))
    order = sorted(paid)

    def strike(request: Request) -> None:
        if not request.path.endswith(order[2]):
            account.faults.script(Fault(kind=FaultKind.ERROR_500))

    account.client.meanwhile = strike
    with pytest.raises(StripeProblem):
        read_due(account.poller)

    asked = list(dict.fromkeys(each.path.rpartition("/")[2] for each in account.client.asked))
    put_off, due = {order[n]: 6.0 for n in (0, 1, 3, 4, 5)}, dict.fromkeys(order[6:], 0.0)
    assert asked == order[:6]
    assert _waits(account) == put_off | due


@pytest.mark.parametrize("kind", [FaultKind.HTML, FaultKind.EMPTY_OBJECT])
def test_it_takes_the_mood_of_a_proxy_for_no_word_about_its_objects(
    account: Account, database: Database, kind: FaultKind
) -> None:
    """Three useless answers in a row and no good one: it stops, and though that goes on for days, no object is given up."""
    paid = sorted(_paid(account) for _ in range(8))
    _ask(database, account, *(("payment_intent", id_) for id_ in paid))
    account.faults.script(Fault(kind=kind, path="/v1/payment_intents/*", times=10**6))

    with pytest.raises((StripeProblem, UnreadableObject)):
        read_due(account.poller)
    first = len(account.client.asked)
    for _ in range(500):
        account.wait(300)
        with suppress(StripeProblem, UnreadableObject):
            read_due(account.poller)
    meanwhile = set(_waits(account)), _alerts(database)
    account.faults.heal()
    account.wait(300)
    read = read_due(account.poller)

    assert first == 3
    assert meanwhile == (set(paid), [])
    assert (read, _waits(account)) == (8, {})


def test_it_gives_up_at_last_though_nothing_else_is_there_to_be_read(
    account: Account, database: Database
) -> None:
    """Three objects that nobody can read, and no other one, are a person's matter after some days, and asked for no more."""
    paid = sorted(_paid(account) for _ in range(3))
    for each in paid:
        account.world.save(account.world.get(each) | {"latest_charge": {"object": "charge"}})
    _ask(database, account, *(("payment_intent", id_) for id_ in paid))
    account.wait(3 * 86_400)

    while _waits(account):
        with suppress(UnreadableObject):
            read_due(account.poller)
        account.wait(3600)

    assert [subject for _, subject, *_ in _alerts(database)] == [
        f"payment_intent {each}" for each in paid
    ]


def test_it_counts_an_answer_that_is_useless_between_good_ones(
    account: Account, database: Database
) -> None:
    """Where Stripe answers well for others, three useless answers in a row are about their objects."""
    paid = sorted(_paid(account) for _ in range(6))
    _ask(database, account, *(("payment_intent", id_) for id_ in paid))
    for each in paid[1:4]:
        account.world.save(account.world.get(each) | {"latest_charge": {"object": "charge"}})

    read = read_due(account.poller)
    with database.reading() as tx:
        column = tables.fetches.c
        attempts = dict(tx.execute(select(column.object_id, column.attempts)).all())

    assert read == 3
    assert attempts == dict.fromkeys(paid[1:4], 1)


@pytest.mark.parametrize("mode", ["subscription", "setup"])
def test_it_drops_what_tells_nothing(account: Account, database: Database, mode: str) -> None:
    """A Session that is not about a payment answers the question by that; no row stays, no person is asked."""
    session = objects.checkout_session(
        "cs_1", currency="eur", amount=1000, created=account.world.now_s, mode=mode
    )
    account.world.save(session)
    _ask(database, account, ("checkout_session", "cs_1"))

    read_due(account.poller)

    assert _waits(account) == {}
    assert _alerts(database) == []


def test_it_lets_one_poisonous_object_disturb_nobody(account: Account, database: Database) -> None:
    """What the database refuses is tried ten times and given up with an alert; the others are applied at once."""
    paid = sorted(_paid(account) for _ in range(5))
    _ask(database, account, *(("payment_intent", id_) for id_ in paid))

    with refusing(database, paid[2]), capture_logs() as lines:
        read = read_due(account.poller)
        between = set(_waits(account))
        account.wait(6)
        _persist(account)

    assert (read, between) == (4, {paid[2]})
    assert [each["event"] for each in lines].count("object.not_applied") == 10
    assert _waits(account) == {}
    assert _alerts(database) == [("read_forbidden", f"payment_intent {paid[2]}", "open", 1)]
    with database.reading() as tx:
        assert {each["id"] for each in queries.payments(tx)} == set(paid) - {paid[2]}


def test_it_stops_at_once(account: Account, database: Database) -> None:
    """A stop between two objects passes through; what was read is kept, and what was not stays due as it was."""
    paid = sorted(_paid(account) for _ in range(3))
    _ask(database, account, *(("payment_intent", id_) for id_ in paid))
    account.client.meanwhile = lambda _: account.stop.set()

    with pytest.raises(Stopped):
        read_due(account.poller)

    assert _waits(account) == dict.fromkeys(paid[1:], 0.0)


def test_it_keeps_ids_of_strangers_out_of_the_path(account: Account, database: Database) -> None:
    """An id that looks like a path is asked for as an id."""
    account.tell(_thin(account, "../charges?x=1"))

    read_due(account.poller)

    assert [asked.path for asked in account.client.asked] == [
        "/v1/payment_intents/..%2Fcharges%3Fx%3D1"
    ]
