"""How is a case of doubtful money told, played to our doors, and judged in the end?

A case is played once in a simulated account, which makes the events that Stripe would. They then come by webhook, in any
order and more than once, or by a sweep alone; the app's invoices are there before, or appear after. The end is the same.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from reconciler.db import queries
from reconciler.db.digest import digest
from reconciler.db.invoice_table import STORED
from reconciler.db.session import Database
from reconciler.poll import Depth, read_due, sweep_events, sweep_invoices
from reconciler.simulator import checkout, till
from reconciler.simulator.world import Json, World
from reconciler.stripe_api.translate import Vocabulary
from reconciler.verify import verify
from tests.databases import empty
from tests.journeys.conftest import add_invoices, write_invoices
from tests.poll.account import Account

SWEEP = Depth(name="events", overlap_s=120, lag_s=10)
# By then no time of grace holds anything back.
ANY_DAY = datetime.max.replace(tzinfo=UTC)
KEYS = Vocabulary(metadata_keys=("invoice_id", "order_id"))

Row = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Some money, and what must come of it.

    `play` lets somebody pay and returns the app's invoices. `words` maps each invoice to its `status` and its
    `payment_status`; `asks` maps the kinds of exceptions that a person is shown to their amounts; `parts` maps invoices
    to what is allocated to them, in the order in which it was paid.
    """

    play: Callable[[World], Sequence[Row]]
    words: dict[str, tuple[str, str | None]]
    asks: dict[str, list[str]] = field(default_factory=dict)
    parts: dict[str, list[int]] = field(default_factory=dict)


def invoice(id_: str, amount_due: int, **fields: object) -> Row:
    """Write an open invoice over euros with the number `INV-<id>`, unless it says otherwise."""
    # Rows are written many at once, and the first of them says which columns there are.
    plain = {"id": id_, "number": f"INV-{id_}", "amount_due": amount_due, "currency": "eur"}
    return {**dict.fromkeys(STORED), **plain, **fields}


def card(world: World, amount: int, currency: str = "eur", **metadata: str) -> str:
    """Somebody pays by card, with this metadata; returns the id of the PaymentIntent."""
    intent = till.make_intent(world, amount=amount, currency=currency, metadata=metadata)
    world.clock.advance(2_000)
    till.succeed(world, intent)
    world.clock.advance(60_000)
    return intent


def by_link(world: World, amount: int, link: str | None = None, **fields: Any) -> str:
    """Somebody pays by a Payment Link, with these fields in its Session; returns the id of the PaymentIntent."""
    opened = {"currency": "eur", "payment_link": link or checkout.make_link(world, "eur"), **fields}
    session = checkout.open_session(world, amount=amount, **opened)
    intent = checkout.begin_payment(world, session, "stranger@example.org")
    world.clock.advance(2_000)
    till.succeed(world, intent)
    checkout.complete(world, session)
    world.clock.advance(60_000)
    return intent


def play(case: Case, database: Database) -> tuple[Account, Sequence[Row], list[Json]]:
    """Let a case happen at Stripe; returns the account, the app's invoices and Stripe's events, of which we know nothing."""
    account = Account(database)
    account.poller = account.poller_with(replace(account.poller.inbox, vocabulary=KEYS))
    invoices = case.play(account.world)
    account.wait(60)
    return account, invoices, [each.event for each in account.world.happenings]


def by_webhook(
    account: Account, invoices: Sequence[Row], events: Sequence[Json], *, billed_after: int = 0
) -> str:
    """Begin with empty books; the invoices are written after so many events. Returns the digest of the end."""
    empty(account.database)
    for place, event in enumerate(events):
        if place == billed_after:
            _bill(account, invoices, is_told=place == 0)
        account.tell(event)
    if billed_after >= len(events):
        _bill(account, invoices, is_told=False)
    return _end(account)


def one_by_one(account: Account, invoices: Sequence[Row], events: Sequence[Json]) -> str:
    """The same where the app writes one invoice before it all, and each of the others a minute after the one before."""
    empty(account.database)
    for place, each in enumerate(invoices):
        _bill(account, [each], is_told=place == 0)
        if place == 0:
            account.tell(*events)
        ended = _end(account)
    return ended


def by_sweep(account: Account, invoices: Sequence[Row]) -> str:
    """The same where no webhook came at all."""
    empty(account.database)
    _bill(account, invoices, is_told=True)
    sweep_events(account.poller, SWEEP)
    return _end(account)


def _bill(account: Account, invoices: Sequence[Row], *, is_told: bool) -> None:
    if invoices:
        (add_invoices if is_told else write_invoices)(account.database, *invoices)


def _end(account: Account) -> str:
    """Let the daemon come to rest: a read of what no event could decide, and a look at the app's table."""
    while read_due(account.poller):
        account.wait(10)
    sweep_invoices(account.poller)
    with account.database.reading() as tx:
        return digest(tx)


def problems(account: Account, case: Case) -> list[str]:
    """Say what is not as the case wants it, and what is wrong with the books."""
    found = []
    with account.database.reading() as tx:
        rows = {row["id"]: row for row in queries.invoices(tx, limit=1000)}
        parts = {id_: _parts(tx, id_) for id_ in case.parts}
    for id_, (status_word, word) in case.words.items():
        if rows[id_]["status"] != status_word:
            found.append(f"invoice {id_} is {rows[id_]['status']}")
        if rows[id_]["payment_status"] != word:
            found.append(f"invoice {id_} says {rows[id_]['payment_status']}")
    if parts != case.parts:
        found.append(f"the parts are {parts}")
    if (shown := asked(account)) != case.asks:
        found.append(f"a person is asked {shown}")
    return [*found, *lost(account), *wrong_books(account)]


def _parts(tx: Any, invoice_id: str) -> list[int]:
    found = queries.allocations_of_invoice(tx, invoice_id)
    return sorted(int(each["amount"]) for each in found)


def asked(account: Account) -> dict[str, list[str]]:
    """What a person is asked once every grace is over: each kind, with its amounts."""
    with account.database.reading() as tx:
        rows = queries.open_exceptions(tx, now=ANY_DAY, limit=1000)
    found: dict[str, list[str]] = {}
    for row in rows:
        amount = "" if row["amount"] is None else f"{row['amount']} {row['currency']}"
        found.setdefault(row["kind"], []).append(amount)
    return {kind: sorted(amounts) for kind, amounts in sorted(found.items())}


def lost(account: Account) -> list[str]:
    """Money that Stripe has and that we neither gave to an invoice nor ask a person about."""
    with account.database.reading() as tx:
        rows = {row["id"]: row for row in queries.payments(tx, limit=1000)}
        shown = queries.open_exceptions(tx, now=ANY_DAY, limit=1000)
        allocated = {id_: queries.allocated_minor(tx, id_) for id_ in rows}
    subjects = {row["subject"] for row in shown}
    found = []
    for intent in account.world.every("payment_intent"):
        received, id_ = intent["amount_received"], intent["id"]
        known = rows[id_]["amount_received"] if id_ in rows else None
        if received and known != received:
            found.append(f"{received} were received and {known} are known")
        if received and allocated.get(id_, 0) != received and id_ not in subjects:
            found.append(f"{received} belong nowhere and nobody is asked")
    return found


def wrong_books(account: Account) -> list[str]:
    """Say what verify finds."""
    policy = account.poller.inbox.policy
    report = verify(account.database, policy, now=account.now(), rebuild=True)
    return [f"verify: {each.subject} {each.what}" for each in report.problems]
