"""What is the truth about each invoice in the end, whatever was heard of it?

Told from the final objects of the world and from what the stories declared, never from events as they were delivered. It is
written from the rules in words, on purpose in another way than the core's: it follows the money charge by charge, and asks
each word of the list for its condition. Only the moment of payment is taken from the events that Stripe made.
"""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from reconciler.simulator.world import AppInvoice, Json, World

_DEAD_REFUNDS: Final = ("failed", "canceled")
_OPEN_DISPUTES: Final = ("needs_response", "under_review")


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceTruth:
    """One invoice at the end; amounts in minor units of its currency, `paid_at_ms` None unless it was ever covered."""

    invoice_id: str
    status: str
    payment_status: str | None
    received: int
    refunded: int
    disputed: int
    net: int
    paid_at_ms: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """Every invoice by its id, and the PaymentIntents that were paid and of which nobody can tell whose they are."""

    invoices: dict[str, InvoiceTruth]
    unmatched: frozenset[str]


@dataclass(slots=True)
class _Money:
    """What came and went of one or more PaymentIntents, in one currency."""

    received: int = 0
    refunded: int = 0
    disputed: int = 0
    withheld: bool = False

    @property
    def held(self) -> int:
        return self.received - self.refunded - self.disputed


@dataclass(slots=True)
class _Page:
    """One invoice with all that belongs to it: money by currency, the PaymentIntents and the Sessions.

    `is_claimed` says that money is about of which nobody can tell whether it belongs here.
    """

    invoice: AppInvoice
    money: dict[str, _Money] = field(default_factory=lambda: defaultdict(_Money))
    intents: list[Json] = field(default_factory=list)
    sessions: list[Json] = field(default_factory=list)
    is_claimed: bool = False

    @property
    def own(self) -> _Money:
        return self.money[self.invoice.currency]


def truth_of(world: World) -> Truth:
    """Tell the truth about every invoice of the app as things stand now."""
    with world.lock:
        pages = {each.id: _Page(each) for each in world.invoices.values()}
        unmatched = _share_out(world, pages)
        _count_money(world, pages)
        paid_ms = _payment_times(world)
        invoices = {id_: _truth(page, paid_ms) for id_, page in pages.items()}
    return Truth(invoices=invoices, unmatched=frozenset(unmatched))


def _share_out(world: World, pages: dict[str, _Page]) -> list[str]:
    """Lay every PaymentIntent and Session on its invoice's page; returns the paid PaymentIntents that have none."""
    owner = dict(world.meant)
    for session in world.every("checkout.session"):
        if session["id"] in owner:
            pages[owner[session["id"]]].sessions.append(session)
            owner[session["payment_intent"]] = owner[session["id"]]
    unmatched = []
    for intent in world.every("payment_intent"):
        received = intent["amount_received"]
        parts = world.parts.get(intent["id"]) or {owner.get(intent["id"], ""): received}
        for invoice_id, part in parts.items():
            if invoice_id:
                pages[invoice_id].intents.append(
                    intent | {"amount_received": part if received else 0}
                )
            elif received:
                unmatched.append(intent["id"])
        for invoice_id in world.claimed.get(intent["id"], ()):
            pages[invoice_id].is_claimed |= received > 0
    return unmatched


def _count_money(world: World, pages: dict[str, _Page]) -> None:
    """Follow the money of each charge into the pages of its invoices."""
    purses: dict[str, list[tuple[_Money, int]]] = defaultdict(list)
    for page in pages.values():
        for intent in page.intents:
            weight = world.parts.get(intent["id"], {}).get(page.invoice.id, 1)
            purses[intent["id"]].append((page.money[intent["currency"]], weight))
    for charge in world.every("charge"):
        for purse, amount in _dealt(charge["amount_captured"], purses[charge["payment_intent"]]):
            purse.received += amount
    for refund in world.every("refund"):
        if _moved(refund):
            for purse, amount in _dealt(refund["amount"], purses[refund["payment_intent"]]):
                purse.refunded += amount
    for dispute in world.every("dispute"):
        for purse, amount in _dealt(dispute["amount"], purses[dispute["payment_intent"]]):
            _count_dispute(purse, dispute, amount)


def _dealt(amount: int, purses: list[tuple[_Money, int]]) -> list[tuple[_Money, int]]:
    """Deal an amount over purses by their weights: cent by cent, each to who is furthest behind what is due to them."""
    whole = sum(weight for _, weight in purses)
    shares = [amount * weight // whole for _, weight in purses]
    behind = [amount * weight % whole for _, weight in purses]
    for _ in range(amount - sum(shares) if purses else 0):
        furthest = behind.index(max(behind))
        shares[furthest] += 1
        behind[furthest] = -1
    return [(purse, share) for (purse, _), share in zip(purses, shares, strict=True)]


def _moved(refund: Json) -> bool:
    """Whether a refund takes money away, now or soon; one that is through without any has only given up a hold."""
    if refund["status"] == "succeeded":
        return refund["balance_transaction"] is not None
    return refund["status"] not in _DEAD_REFUNDS


def _count_dispute(purse: _Money, dispute: Json, amount: int) -> None:
    """A dispute holds an amount from each withdrawal until its reversal, whatever currency that is settled in."""
    taken = sum(1 if each["amount"] < 0 else -1 for each in dispute["balance_transactions"])
    purse.disputed += taken * amount
    waits = dispute["status"] == "won" and taken > 0
    purse.withheld |= waits or dispute["status"] in _OPEN_DISPUTES


def _payment_times(world: World) -> dict[str, int]:
    """When each PaymentIntent succeeded, by the event that says so, in milliseconds."""
    found: dict[str, int] = {}
    for happening in world.happenings:
        event = happening.event
        if event["type"] == "payment_intent.succeeded":
            id_, at_ms = event["data"]["object"]["id"], event["created"] * 1000
            found[id_] = min(at_ms, found.get(id_, at_ms))
    return found


def _truth(page: _Page, paid_ms: dict[str, int]) -> InvoiceTruth:
    invoice, money = page.invoice, page.own
    is_covered = money.received >= invoice.amount_due > 0
    word = _word(page)
    is_waived = invoice.amount_due <= 0 and word == "paid"
    becomes_paid = invoice.status == "open" and (is_covered or is_waived)
    return InvoiceTruth(
        invoice_id=invoice.id,
        status="paid" if becomes_paid else invoice.status,
        payment_status=word,
        received=money.received,
        refunded=money.refunded,
        disputed=money.disputed,
        net=money.held,
        paid_at_ms=_covered_at_ms(page, paid_ms) if is_covered else None,
    )


def _covered_at_ms(page: _Page, paid_ms: dict[str, int]) -> int | None:
    """The moment at which enough had come."""
    came = sorted(
        (paid_ms[each["id"]], each["amount_received"])
        for each in page.intents
        if each["id"] in paid_ms and each["currency"] == page.invoice.currency
    )
    total = 0
    for at_ms, amount in came:
        total += amount
        if total >= page.invoice.amount_due:
            return at_ms
    return None


def _word(page: _Page) -> str | None:
    """The first word of the list whose condition holds; None for an invoice that nobody has named."""
    invoice = page.invoice
    if invoice.amount_due <= 0:
        is_free = any(each["payment_status"] == "no_payment_required" for each in page.sessions)
        return "paid" if is_free else None
    ids = (
        invoice.stripe_payment_intent_id,
        invoice.stripe_checkout_session_id,
        invoice.stripe_payment_link_id,
    )
    if not page.intents and not page.is_claimed and not any(ids):
        return None
    return next(_words(page))


def _words(page: _Page) -> Iterator[str]:
    due, money = page.invoice.amount_due, page.own
    strange = [each for key, each in page.money.items() if key != page.invoice.currency]
    states = {each["status"] for each in page.intents}
    failed = any(
        each["status"] == "requires_payment_method" and each["last_payment_error"]
        for each in page.intents
    )
    ladder = {
        "review": page.is_claimed or (any(each.held for each in strange) and money.held != due),
        "disputed": money.withheld or any(each.withheld for each in strange),
        "overpaid": money.held > due,
        "paid": money.held == due,
        "charged_back": money.disputed > 0,
        "partially_refunded": money.held > 0 and money.received >= due,
        "partially_paid": money.held > 0,
        "processing": "processing" in states,
        "authorized": "requires_capture" in states,
        "refunded": money.refunded > 0,
        "failed": failed,
        "unpaid": True,
    }
    return (word for word, holds in ladder.items() if holds)
