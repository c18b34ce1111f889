"""Does money that lies, or names too much or too little, end where the rules say, whatever comes first or never?"""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from itertools import permutations

import pytest

from reconciler.apply import Policy, apply_payment_state
from reconciler.core.observation import InvoiceSeen, Source, moment
from reconciler.db import queries
from reconciler.db.session import Database
from reconciler.poll import RecentSweep, read_due, sweep_events, sweep_invoices, sweep_recent
from reconciler.simulator import checkout, till
from reconciler.simulator.world import Json
from tests.attacks.attacks import ATTACKS
from tests.attacks.edges import ALIKE, EDGES
from tests.attacks.plays import (
    SWEEP,
    asked,
    by_sweep,
    by_webhook,
    card,
    invoice,
    lost,
    one_by_one,
    play,
    problems,
    wrong_books,
)
from tests.journeys.conftest import add_invoices, write_invoices
from tests.poll.account import Account

ALL_ORDERS_OF = 2
SHUFFLES = 2
RECENT = RecentSweep(name="recent", reach_s=2 * 86_400)
CASES = {**ATTACKS, **EDGES}

each_case = pytest.mark.parametrize("name", CASES)
SEVERAL = [name for name, case in CASES.items() if len(case.words) > 1]
# One value names them all, so that whichever is there alone is the one that is meant.
ONE_NAME = (
    "a Payment Link of three invoices",
    "an id that is another's number",
    "a number of two invoices",
)


def _orders(events: Sequence[Json]) -> list[Sequence[Json]]:
    """Give all orders of a few events, some of many; and some with each of them twice."""
    chance = random.Random(len(events))  # noqa: S311 - no secret
    twice = [[*events, *events] for _ in range(SHUFFLES)]
    for each in twice:
        chance.shuffle(each)
    if len(events) <= ALL_ORDERS_OF:
        return [*permutations(events), *twice]
    return [events[::-1], *twice]


@each_case
def test_it_ends_the_same_whatever_comes_first_or_twice(database: Database, name: str) -> None:
    """By webhook, in any order and repetition, money ends where it belongs, or in an exception with its amount."""
    case = CASES[name]
    account, invoices, events = play(case, database)
    straight = by_webhook(account, invoices, events)
    assert problems(account, case) == []

    for order in _orders(events):
        assert by_webhook(account, invoices, order) == straight
        assert problems(account, case) == []


@each_case
def test_it_ends_the_same_when_only_a_sweep_tells(database: Database, name: str) -> None:
    """Where every webhook was lost, the books are the same."""
    case = CASES[name]
    account, invoices, events = play(case, database)
    straight = by_webhook(account, invoices, events)

    assert by_sweep(account, invoices) == straight
    assert problems(account, case) == []


@each_case
def test_it_ends_the_same_when_invoices_come_late(database: Database, name: str) -> None:
    """Where the app writes its invoices in the middle of it, or after it, one tick later the books are the same."""
    case = CASES[name]
    account, invoices, events = play(case, database)
    straight = by_webhook(account, invoices, events)

    for late in (len(events) // 2, len(events)):
        assert by_webhook(account, invoices, events, billed_after=late) == straight
        assert problems(account, case) == []


@pytest.mark.parametrize("is_backward", [False, True])
@pytest.mark.parametrize("name", sorted({*SEVERAL} - {*ONE_NAME}))
def test_it_ends_the_same_when_invoices_come_one_by_one(
    database: Database, name: str, is_backward: bool
) -> None:
    """A payment that an invoice has already is decided again when another invoice is named by it, too."""
    account, invoices, events = play(CASES[name], database)
    straight = by_webhook(account, invoices, events)

    ended = one_by_one(account, invoices[::-1] if is_backward else invoices, events)

    assert ended == straight
    assert lost(account) + wrong_books(account) == []


@pytest.mark.parametrize("is_old", [False, True], ids=["new", "old"])
@pytest.mark.parametrize("name", ONE_NAME)
def test_it_takes_from_no_invoice_what_another_is_called_like(
    database: Database, name: str, is_old: bool
) -> None:
    """What one invoice alone was named for stays there; a person is asked if another one may have been meant at that time."""
    account, invoices, events = play(CASES[name], database)
    made = moment(account.world.clock.now_ms() - 86_400_000) if is_old else datetime.now(UTC)
    invoices = [{**each, "created_at": made} for each in invoices]

    one_by_one(account, invoices[:1], events)
    before = _words(database)[str(invoices[0]["id"])]
    write_invoices(database, *invoices[1:])
    sweep_invoices(account.poller)

    assert before == ("paid", "paid")
    assert _words(database)[str(invoices[0]["id"])] == before
    assert [*asked(account)] == (["conflicting_references"] if is_old else [])
    assert lost(account) + wrong_books(account) == []


def test_it_takes_nothing_alike_for_the_same(database: Database) -> None:
    """A value that only looks like an invoice's number or id leaves the money with a person, however it is told."""
    account, invoices, events = play(ALIKE, database)

    straight = by_webhook(account, invoices, events)

    assert problems(account, ALIKE) == []
    assert by_sweep(account, invoices) == straight
    assert problems(account, ALIKE) == []


def _edited_after_payment(database: Database) -> tuple[Account, list[Json]]:
    """Give an account in which INV-1 was paid, and whoever reads the PaymentIntent today finds INV-2 in it."""
    account = Account(database)
    add_invoices(database, invoice("1", 5_000), invoice("2", 5_000))
    paid = card(account.world, 5_000, invoice_id="INV-1")
    till.edit(account.world, paid, metadata={"invoice_id": "INV-2"})
    return account, [each.event for each in account.world.happenings]


def _words(database: Database) -> dict[str, tuple[str, str]]:
    with database.reading() as tx:
        rows = queries.invoices(tx)
    return {row["id"]: (row["status"], row["payment_status"]) for row in rows}


def test_it_goes_by_the_metadata_that_was_paid(database: Database) -> None:
    """What is written into the metadata after the payment changes nothing, whoever reads it."""
    account, events = _edited_after_payment(database)
    account.tell(*events)

    sweep_recent(account.poller, RECENT)

    assert _words(database) == {"1": ("paid", "paid"), "2": ("open", None)}
    assert (asked(account), wrong_books(account)) == ({}, [])


def test_it_asks_about_a_paid_that_the_event_takes_away(database: Database) -> None:
    """A read that comes before the event pays the edited name; the event moves the money, and a person sees who has none."""
    account, events = _edited_after_payment(database)
    sweep_recent(account.poller, RECENT)
    before = _words(database)

    account.tell(*events)

    assert before["2"] == ("paid", "paid")
    assert _words(database) == {"1": ("paid", "paid"), "2": ("paid", "unpaid")}
    assert asked(account) == {"paid_here_not_at_stripe": ["-5000 eur"]}
    assert wrong_books(account) == []


@pytest.mark.parametrize("named", [{"invoice_id": "INV-1"}, {}], ids=["named", "not named"])
def test_it_goes_by_the_metadata_of_the_session_that_was_completed(
    database: Database, named: dict[str, str]
) -> None:
    """A Session's metadata can be edited after it was completed, too, and that changes nothing either."""
    account = Account(database)
    world = account.world
    add_invoices(database, invoice("1", 5_000), invoice("2", 5_000))
    fields = {"metadata": named, "client_reference_id": "INV-1"}
    session = checkout.open_session(world, amount=5_000, currency="eur", **fields)
    till.succeed(world, checkout.begin_payment(world, session, "ada@example.org"))
    checkout.complete(world, session)
    account.tell(*(each.event for each in world.happenings))
    world.save(world.get(session) | {"metadata": {"invoice_id": "INV-2"}})
    account.wait(60)

    sweep_recent(account.poller, RECENT)

    assert _words(database) == {"1": ("paid", "paid"), "2": ("open", None)}
    assert (asked(account), wrong_books(account)) == ({}, [])


def test_it_goes_by_the_metadata_of_a_free_session_that_was_completed(database: Database) -> None:
    """The same holds where nothing was asked for, and an invoice over nothing is paid by the Session alone."""
    account = Account(database)
    world = account.world
    add_invoices(database, invoice("1", 0), invoice("2", 0))
    fields = {"metadata": {"invoice_id": "INV-1"}}
    session = checkout.open_session(world, amount=0, currency="eur", **fields)
    checkout.complete(world, session, "no_payment_required")
    account.tell(*(each.event for each in world.happenings))
    world.save(world.get(session) | {"metadata": {"invoice_id": "INV-2"}})
    account.wait(60)

    sweep_recent(account.poller, RECENT)
    with database.writing() as tx:
        both = [InvoiceSeen("1"), InvoiceSeen("2")]
        apply_payment_state(tx, both, source=Source.POLL, now=account.now(), policy=Policy())

    with database.reading() as tx:
        assert [each["kind"] for each in queries.claims_of_invoice(tx, "1")] == ["waiver"]
        assert queries.claims_of_invoice(tx, "2") == []
    assert _words(database) == {"1": ("paid", "paid"), "2": ("open", None)}
    assert (asked(account), wrong_books(account)) == ({}, [])


STRANGERS = {
    "test events on a live endpoint": (True, {}, "default test"),
    "live events on a test endpoint": (False, {"livemode": True}, "default live"),
    "another account's events": (False, {"account": "acct_2"}, "acct_2 test"),
    "another account's events on a live endpoint": (
        True,
        {"livemode": True, "account": "acct_2"},
        "acct_2 live",
    ),
}


def _paid_elsewhere(database: Database, case: str) -> tuple[Account, list[Json]]:
    """Give an account in which an invoice is open, and the events of somewhere else that pay its number."""
    is_live, changed, _ = STRANGERS[case]
    account = Account(database)
    account.poller = account.poller_with(replace(account.poller.inbox, livemode=is_live))
    add_invoices(database, invoice("1", 5_000))
    card(account.world, 5_000, invoice_id="INV-1")
    events = [each.event | changed for each in account.world.happenings]
    account.world.happenings.clear()
    return account, events


def _assert_kept_apart(account: Account, events: Sequence[Json], subject: str) -> None:
    with account.database.reading() as tx:
        told = {row["id"]: row["state"] for row in queries.events(tx, limit=100)}
        [row] = queries.open_exceptions(tx, now=account.now())
        [bill] = queries.invoices(tx)
        assert queries.payments(tx) == []
    assert told == {each["id"]: "quarantined" for each in events}
    assert (row["kind"], row["subject"]) == ("wrong_account_or_mode", subject)
    assert (bill["status"], bill["payment_status"]) == ("open", None)
    assert wrong_books(account) == []


@pytest.mark.parametrize("case", STRANGERS)
def test_it_keeps_strangers_apart_by_webhook(database: Database, case: str) -> None:
    """Events of another mode or account are kept whole and settle nothing, in any order, and also not when tried again."""
    account, events = _paid_elsewhere(database, case)

    account.tell(*events[::-1], *events)
    for each in events:
        account.tell(each)
    account.poller.inbox.retry([each["id"] for each in events], now=account.now())
    while read_due(account.poller):
        pass

    _assert_kept_apart(account, events, STRANGERS[case][2])


@pytest.mark.parametrize("case", STRANGERS)
def test_it_keeps_strangers_apart_by_sweep(database: Database, case: str) -> None:
    """The same where Stripe's list of events tells them."""
    account, events = _paid_elsewhere(database, case)
    for each in events:
        account.world.publish(each, each["created"] * 1000)
    account.wait(60)

    sweep_events(account.poller, SWEEP)

    _assert_kept_apart(account, events, STRANGERS[case][2])
