"""How does a test say in one line what Stripe showed, what the app's invoice says, or what a payment came to?

Every builder makes the plainest thing of its kind: ten euros, asked for and received at noon. A test names only what
matters to it. Seconds are counted from noon.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import reduce
from typing import Any, TypeVar

from reconciler.core.facts import PaidAt, PaymentFacts, lift
from reconciler.core.invoice import Invoice, Settlement, Share, settle
from reconciler.core.lattice import merge
from reconciler.core.observation import (
    ChargeSeen,
    DisputeSeen,
    Failure,
    ForeignSeen,
    IntentSeen,
    Observation,
    Projection,
    RefundSeen,
    SessionSeen,
    Span,
    TransactionSeen,
    ms,
)
from reconciler.core.payment import Book, PaymentStatus, Summary

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
NOON_MS = ms(NOON)
REPLICA_LAG_MS = 5000
DECLINED = (("ch_bad", Failure(NOON_MS, "card_declined")),)

# What a person would read as the number INV-1, or nearly, and what is another value.
LOOK_ALIKES = (
    "INV-01",
    "inv-1",
    " INV-1",
    "INV-1 ",
    "INV-1\n",
    "INV\u20111",
    "\uff29\uff2e\uff36-\uff11",
    "INV-\uff11",
    "INV-1\u200b",
    "INV-10",
    "INV",
    "01",
    "1.0",
    "\u0661",
)

F = TypeVar("F")


def at(second: int) -> datetime:
    """Return the moment so many seconds after noon."""
    return NOON + timedelta(seconds=second)


def at_ms(second: int) -> int:
    """Return the same moment as `at`, in milliseconds since the epoch."""
    return NOON_MS + 1000 * second


def event(projection: Projection, second: int = 0, evidence: str = "evt_1") -> Observation:
    """Build what a signed event says: true within the second of its `created`."""
    span = Span(at_ms(second), at_ms(second) + 999)
    return Observation(span=span, evidence=evidence, projection=projection)


def read(projection: Projection, second: int = 0, evidence: str = "req_1") -> Observation:
    """Build what an answer says: true somewhere between the replica lag and its `Date`."""
    span = Span(at_ms(second) - REPLICA_LAG_MS, at_ms(second) + 999)
    return Observation(span=span, evidence=evidence, projection=projection, is_read=True)


def intent(status: str = "succeeded", **changed: Any) -> IntentSeen:
    """Build a PaymentIntent; one that succeeded has received its whole amount."""
    amount_minor = changed.get("amount_minor", 1000)
    plain = {
        "id": "pi_1",
        "amount_minor": amount_minor,
        "currency": "eur",
        "created_ms": NOON_MS,
        "received_minor": amount_minor if status == "succeeded" else 0,
    }
    return IntentSeen(status=status, **{**plain, **changed})


def charge(status: str = "succeeded", **changed: Any) -> ChargeSeen:
    """Build a card charge of `pi_1`; one that succeeded is captured."""
    amount_minor = changed.get("amount_minor", 1000)
    plain = {
        "id": "ch_1",
        "intent": "pi_1",
        "amount_minor": amount_minor,
        "currency": "eur",
        "created_ms": NOON_MS,
        "captured_minor": amount_minor if status == "succeeded" else 0,
        "is_card": True,
    }
    return ChargeSeen(status=status, **{**plain, **changed})


def refund(status: str = "succeeded", amount_minor: int = 1000, **changed: Any) -> RefundSeen:
    """Build a refund of `ch_1`."""
    plain = {
        "id": "re_1",
        "charge": "ch_1",
        "intent": "pi_1",
        "currency": "eur",
        "created_ms": NOON_MS,
    }
    return RefundSeen(status=status, amount_minor=amount_minor, **{**plain, **changed})


def dispute(status: str = "needs_response", **changed: Any) -> DisputeSeen:
    """Build a dispute of the whole of `ch_1`."""
    plain = {
        "id": "dp_1",
        "charge": "ch_1",
        "intent": "pi_1",
        "reason": "fraudulent",
        "amount_minor": 1000,
        "currency": "eur",
        "created_ms": NOON_MS,
    }
    return DisputeSeen(status=status, **{**plain, **changed})


def session(payment_status: str = "paid", **changed: Any) -> SessionSeen:
    """Build a completed Checkout Session of `pi_1`."""
    plain = {
        "id": "cs_1",
        "intent": "pi_1",
        "complete": True,
        "created_ms": NOON_MS,
        "amount_minor": 1000,
        "currency": "eur",
    }
    return SessionSeen(payment_status=payment_status, **{**plain, **changed})


def transaction(amount_minor: int = 1000, **changed: Any) -> TransactionSeen:
    """Build a balance transaction; unless said otherwise it is the money of `ch_1`."""
    plain = {
        "id": "txn_1",
        "source": "ch_1",
        "type": "charge",
        "category": "charge",
        "currency": "eur",
        "fee_minor": 0,
        "net_minor": amount_minor,
        "exchange_rate": "",
        "created_ms": NOON_MS,
        "available_on_ms": NOON_MS,
    }
    return TransactionSeen(amount_minor=amount_minor, **{**plain, **changed})


def withdrawn(amount_minor: int = 1000, **changed: Any) -> TransactionSeen:
    """Build the money that a dispute took away."""
    plain = {"id": "txn_out", "source": "dp_1", "type": "adjustment", "category": "dispute"}
    return transaction(-amount_minor, **{**plain, **changed})


def reinstated(amount_minor: int = 1000, **changed: Any) -> TransactionSeen:
    """Build the money that a dispute gave back."""
    plain = {"id": "txn_in", "source": "dp_1", "type": "adjustment", "category": "dispute_reversal"}
    return transaction(amount_minor, **{**plain, **changed})


def fold(facts: Iterable[F]) -> F:
    """Merge one or more records of facts, in the order given."""
    return reduce(merge, facts)


def book(*observations: Observation, payment: str = "pi_1") -> Book:
    """Gather observations, in the order given, into everything known around one payment."""
    facts = PaymentFacts()
    around: dict[type, dict[str, Any]] = {
        kind: {} for kind in (RefundSeen, DisputeSeen, SessionSeen, TransactionSeen)
    }
    for each in observations:
        seen, lifted = each.projection, lift(each)
        if isinstance(seen, IntentSeen | ChargeSeen | ForeignSeen):
            facts = merge(facts, lifted)
            continue
        known = around[type(seen)]
        known[seen.id] = merge(known[seen.id], lifted) if seen.id in known else lifted
    return Book(
        id=payment,
        facts=facts,
        refunds=around[RefundSeen],
        disputes=around[DisputeSeen],
        sessions=around[SessionSeen],
        transactions=around[TransactionSeen],
    )


def summary(status: str = "succeeded", **changed: Any) -> Summary:
    """Build a payment as others see it; one that succeeded has received its amount, at noon."""
    amount_minor = changed.get("amount_minor", 1000)
    received_minor = changed.get("received_minor", amount_minor if status == "succeeded" else 0)
    plain = {
        "id": "pi_1",
        "currency": "eur",
        "amount_minor": amount_minor,
        "received_minor": received_minor,
        "paid": PaidAt(0, NOON_MS) if received_minor else None,
    }
    return Summary(status=PaymentStatus(status), **{**plain, **changed})


def share(status: str = "succeeded", **changed: Any) -> Share:
    """Build the share of an invoice to which a payment, built as by `summary`, belongs whole."""
    whole = summary(status, **changed)
    return Share(
        payment=whole,
        received_minor=whole.received_minor,
        refunded_minor=whole.refunded_minor,
        refund_pending_minor=whole.refund_pending_minor,
        disputed_minor=whole.disputed_minor,
    )


def invoice(id_: str = "inv_1", **changed: Any) -> Invoice:
    """Build an open invoice over ten euros."""
    plain = {"currency": "eur", "amount_due_minor": 1000, "status": "open"}
    return Invoice(id=id_, **{**plain, **changed})


def settled(*shares: Share, **changed: Any) -> Settlement:
    """Settle the plain invoice, changed as said, from these shares."""
    return settle(invoice(**changed), shares)
