"""What is the state of one payment, given its facts?

A payment is a PaymentIntent, or a charge that has none, with the refunds, disputes, Checkout Sessions and balance
transactions around it. `summarise` derives all that others may ask; nothing here is stored as truth.
The words: https://docs.stripe.com/payments/paymentintents/lifecycle
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from reconciler.core.facts import (
    CANCELED,
    READ_RANK,
    SUCCEEDED,
    ChargeFacts,
    DisputeFacts,
    PaidAt,
    PaymentFacts,
    RefundFacts,
    SessionFacts,
    TransactionFacts,
)
from reconciler.core.lattice import current
from reconciler.core.observation import Failure, Reference, ReferenceKind, TransactionSeen
from reconciler.core.words import (
    DISPUTE_MONEY,
    REFUND_IN_FLIGHT,
    DisputeClass,
    dispute_class,
    gives_back,
    refund_word,
)


class PaymentStatus(StrEnum):
    """The status of a payment, in the order in which a contested one is shown."""

    SUCCEEDED = "succeeded"
    CONFLICT = "conflict"
    CANCELED = "canceled"
    REQUIRES_CAPTURE = "requires_capture"
    PROCESSING = "processing"
    REQUIRES_ACTION = "requires_action"
    FAILED = "failed"
    PENDING = "pending"


NEEDS_METHOD = "requires_payment_method"
KNOWN_WORDS = frozenset(
    {NEEDS_METHOD, "requires_confirmation", "requires_action", "processing", "requires_capture"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """Everything known around one payment."""

    id: str
    facts: PaymentFacts = field(default_factory=PaymentFacts)
    refunds: Mapping[str, RefundFacts] = field(default_factory=dict)
    disputes: Mapping[str, DisputeFacts] = field(default_factory=dict)
    sessions: Mapping[str, SessionFacts] = field(default_factory=dict)
    transactions: Mapping[str, TransactionFacts] = field(default_factory=dict)

    @property
    def is_intent(self) -> bool:
        """Whether the payment is a PaymentIntent; else it is a charge of its own."""
        return self.id.startswith("pi_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """A payment as invoices, people and reports see it. Amounts in minor units of `currency` unless said otherwise."""

    id: str
    status: PaymentStatus
    currency: str = ""
    amount_minor: int = 0
    received_minor: int = 0
    refunded_minor: int = 0
    refund_pending_minor: int = 0
    disputed_minor: int = 0
    dispute_open: bool = False
    paid: PaidAt | None = None
    created_ms: int | None = None
    failure_code: str = ""
    email: str = ""
    is_foreign: bool = False
    is_final: bool = False
    settlement_currency: str = ""
    settled_gross_minor: int | None = None
    settled_fee_minor: int | None = None
    settled_net_minor: int | None = None

    @property
    def net_minor(self) -> int:
        """What is still held of the payment; never clamped."""
        return self.received_minor - self.refunded_minor - self.disputed_minor

    @property
    def has_money(self) -> bool:
        """Whether money has come or is on its way."""
        on_its_way = {PaymentStatus.PROCESSING, PaymentStatus.REQUIRES_CAPTURE}
        return self.received_minor > 0 or self.status in on_its_way


def summarise(book: Book) -> Summary:
    """Derive the whole state of a payment from its facts."""
    standing = [each for each in book.refunds.values() if gives_back(each, book.facts.charges)]
    pending = [each for each in standing if refund_word(each) in REFUND_IN_FLIGHT]
    status, currency = payment_status(book), payment_currency(book)
    attempts = failed_attempts(book)
    created = (book.facts.intent.created_ms, *(c.created_ms for c in book.facts.charges.values()))
    gross, fee, net, settled_in = _settled(book)
    return Summary(
        id=book.id,
        status=status,
        currency=currency,
        amount_minor=_amount(book),
        received_minor=received_minor(book),
        refunded_minor=sum(max(each.amounts, default=0) for each in standing),
        refund_pending_minor=sum(max(each.amounts, default=0) for each in pending),
        disputed_minor=sum(held_minor(book, each, currency) for each in book.disputes),
        dispute_open=any(withholds(book, each) for each in book.disputes),
        paid=paid_at(book),
        created_ms=min((at for at in created if at is not None), default=None),
        failure_code=max(attempts.values(), default=Failure(0, "")).code,
        email=min(_emails(book), default=""),
        is_foreign=bool(_foreign(book)),
        is_final=is_final(book, status),
        settlement_currency=settled_in,
        settled_gross_minor=gross,
        settled_fee_minor=fee,
        settled_net_minor=net,
    )


def payment_status(book: Book) -> PaymentStatus:
    """The first row of the table that matches wins."""
    if not book.is_intent:
        return _charge_status(tuple(book.facts.charges.values()))
    intent = book.facts.intent
    if SUCCEEDED in intent.terminals:
        contradicted = CANCELED in intent.terminals and received_minor(book) == 0
        return PaymentStatus.CONFLICT if contradicted else PaymentStatus.SUCCEEDED
    if CANCELED in intent.terminals:
        return PaymentStatus.CANCELED
    words = current(intent.words)
    for status in (
        PaymentStatus.REQUIRES_CAPTURE,
        PaymentStatus.PROCESSING,
        PaymentStatus.REQUIRES_ACTION,
    ):
        if status in words:
            return status
    if NEEDS_METHOD in words and failed_attempts(book):
        return PaymentStatus.FAILED
    return PaymentStatus.PENDING


def _charge_status(charges: Collection[ChargeFacts]) -> PaymentStatus:
    words = frozenset(word for charge in charges for word in charge.statuses)
    captured = any(charge.captured_minor > 0 for charge in charges)
    if SUCCEEDED in words:
        return PaymentStatus.SUCCEEDED if captured else PaymentStatus.REQUIRES_CAPTURE
    if "failed" in words:
        return PaymentStatus.FAILED
    return PaymentStatus.PROCESSING if "pending" in words else PaymentStatus.PENDING


def received_minor(book: Book) -> int:
    """What was received: of a PaymentIntent what it says itself; of a lone charge what was captured."""
    if book.is_intent:
        return book.facts.intent.received_minor
    return sum(charge.captured_minor for charge in book.facts.charges.values())


def payment_currency(book: Book) -> str:
    """The currency of the money received, else the one the payment is in now."""
    intent = book.facts.intent
    of_charges = frozenset(c for charge in book.facts.charges.values() for c in charge.currencies)
    known = (
        intent.received_currencies,
        intent.final_currencies,
        current(intent.currencies),
        of_charges,
    )
    return next((min(each) for each in known if each), "")


def _amount(book: Book) -> int:
    intent = book.facts.intent
    of_charges = frozenset(a for charge in book.facts.charges.values() for a in charge.amounts)
    known = (intent.final_amounts, current(intent.amounts), of_charges)
    return next((max(each) for each in known if each), 0)


def failed_attempts(book: Book) -> dict[str, Failure]:
    """Every failed attempt by its id: the charge, or `payment_method:code` where no charge was made."""
    of_charges = {id_: c.failure for id_, c in book.facts.charges.items() if c.failure is not None}
    return {**book.facts.intent.failures, **of_charges}


def paid_at(book: Book) -> PaidAt | None:
    """The best evidence of the moment at which the money came; None while none has come."""
    if received_minor(book) <= 0:
        return None
    known = [book.facts.intent.paid] if book.facts.intent.paid else []
    for charge in book.facts.charges.values():
        if charge.captured_minor > 0 and charge.is_card and charge.created_ms is not None:
            known.append(PaidAt(2, charge.created_ms))
        elif charge.captured_minor > 0 and not book.is_intent and charge.created_ms is not None:
            known.append(PaidAt(READ_RANK, charge.created_ms))
    moved = _charge_transactions(book)
    known.extend(PaidAt(1, each.created_ms) for each in moved if each.amount_minor > 0)
    return min(known, default=None)


def active_references(book: Book) -> frozenset[Reference]:
    """The names that count now: metadata frozen by the succeeded event silences metadata that was merely read."""
    intent = book.facts.intent
    of_charges = (each for charge in book.facts.charges.values() for each in charge.references)
    of_sessions = (each for session in book.sessions.values() for each in session.names)
    known = (*intent.references, *of_charges, *of_sessions)
    silent = ReferenceKind.METADATA if intent.metadata_frozen else ReferenceKind.FROZEN_METADATA
    return frozenset(each for each in known if each.kind != silent)


def dispute_transactions(book: Book, dispute_id: str) -> tuple[TransactionSeen, ...]:
    """The money that a dispute has moved, fees apart."""
    seen = (each.value for each in book.transactions.values())
    return tuple(t for t in seen if t.source == dispute_id and t.category in DISPUTE_MONEY)


def held_minor(book: Book, dispute_id: str, currency: str) -> int:
    """What a dispute holds back now, in the charge's currency, positive, without fees."""
    dispute = book.disputes[dispute_id]
    moved = dispute_transactions(book, dispute_id)
    if all(each.currency == currency for each in moved):
        return -sum(each.amount_minor for each in moved)
    if not any(each.amount_minor < 0 for each in moved):
        return 0
    came_back = any(each.amount_minor > 0 for each in moved)
    if came_back and dispute_class(dispute) is DisputeClass.WON:
        return 0
    return max(dispute.amounts, default=0)


def awaits_return(book: Book, dispute_id: str) -> bool:
    """Whether a dispute was won and what it withdrew has not begun to come back."""
    if dispute_class(book.disputes[dispute_id]) is not DisputeClass.WON:
        return False
    moved = [each.amount_minor for each in dispute_transactions(book, dispute_id)]
    return any(amount < 0 for amount in moved) and not any(amount > 0 for amount in moved)


def withholds(book: Book, dispute_id: str) -> bool:
    """Whether a dispute is open, or won without its money."""
    is_open = dispute_class(book.disputes[dispute_id]) is DisputeClass.OPEN
    return is_open or awaits_return(book, dispute_id)


def is_final(book: Book, status: PaymentStatus) -> bool:
    """Whether nothing more is expected of a payment with this status; a refund or a dispute may still come."""
    ended = {PaymentStatus.SUCCEEDED, PaymentStatus.CANCELED}
    if not book.is_intent:
        ended.add(PaymentStatus.FAILED)
    in_flight = any(refund_word(each) in REFUND_IN_FLIGHT for each in book.refunds.values())
    contested = any(
        dispute_class(dispute) is DisputeClass.INQUIRY or withholds(book, id_)
        for id_, dispute in book.disputes.items()
    )
    return status in ended and not in_flight and not contested


def _charge_transactions(book: Book) -> list[TransactionSeen]:
    seen = (each.value for each in book.transactions.values())
    return [each for each in seen if each.source in book.facts.charges]


def _settled(book: Book) -> tuple[int | None, int | None, int | None, str]:
    moved = [each for each in _charge_transactions(book) if each.category == "charge"]
    currencies = {each.currency for each in moved}
    if len(currencies) != 1:
        return None, None, None, ""
    gross = sum(each.amount_minor for each in moved)
    fee = sum(each.fee_minor for each in moved)
    return gross, fee, sum(each.net_minor for each in moved), currencies.pop()


def _emails(book: Book) -> frozenset[str]:
    of_charges = (each for charge in book.facts.charges.values() for each in charge.emails)
    of_sessions = (each for session in book.sessions.values() for each in session.emails)
    return frozenset((*book.facts.intent.emails, *of_charges, *of_sessions))


def _foreign(book: Book) -> frozenset[str]:
    of_charges = (each for charge in book.facts.charges.values() for each in charge.foreign)
    return book.facts.intent.foreign | frozenset(of_charges)
