"""What may be said to `apply_payment_state`, and by whom?

Three kinds of evidence go through the one door: an `Observation` (Stripe's word about one object), an `Assignment`
(a person's decision) and an `InvoiceSeen` (the app's invoice is there, or has changed). None of them says what to *do*.

An observation carries a projection: the few fields of the Stripe object that a decision may rest on, already cleaned of
Stripe's field names and of personal data other than the customer's e-mail. Amounts are integer minor units of
`currency`; times are integer milliseconds since the epoch in Stripe's clock, because facts are compared by the
thousand and stored as JSON.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple, TypeAlias


class Source(StrEnum):
    """Which door a piece of evidence came through."""

    WEBHOOK = "webhook"
    POLL = "poll"
    MANUAL = "manual"


class ReferenceKind(StrEnum):
    """The ways in which a payment can name an invoice, or another object can name the payment."""

    PAYMENT_INTENT = "payment_intent"
    CHECKOUT_SESSION = "checkout_session"
    CHARGE = "charge"
    METADATA = "metadata"
    FROZEN_METADATA = "frozen_metadata"
    SESSION_METADATA = "session_metadata"
    FROZEN_SESSION_METADATA = "frozen_session_metadata"
    CLIENT_REFERENCE = "client_reference_id"
    PAYMENT_LINK = "payment_link"


class Reference(NamedTuple):
    """One name that a payment carries, for example `(metadata, "INV-7")`."""

    kind: ReferenceKind
    value: str


class Span(NamedTuple):
    """When an observation was true, in Stripe's clock: both ends included, in milliseconds.

    An event is true within the second of its `created`. A read is true somewhere between the allowed replica lag before
    it was asked for and the second of the answer's `Date`. Nothing is ever ordered within a span.
    """

    lo_ms: int
    hi_ms: int


class Failure(NamedTuple):
    """One failed attempt: when, and the code that Stripe gave."""

    at_ms: int
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentSeen:
    """A PaymentIntent as it was seen (https://docs.stripe.com/api/payment_intents/object).

    `succeeded_ms` is the time of the `payment_intent.succeeded` event when the observation *is* that event: the best
    evidence of the moment of payment, and the sign that its metadata is frozen. `failures` maps attempt ids to failures.
    `foreign` holds the reasons why the payment is none of our business; a non-empty set is never emptied.
    """

    id: str
    status: str
    amount_minor: int
    currency: str
    created_ms: int
    received_minor: int = 0
    capturable_minor: int = 0
    succeeded_ms: int | None = None
    references: frozenset[Reference] = frozenset()
    failures: tuple[tuple[str, Failure], ...] = ()
    emails: frozenset[str] = frozenset()
    foreign: frozenset[str] = frozenset()
    newborn: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignSeen:
    """Something says of a PaymentIntent only that it belongs to another product of Stripe, such as its Invoices."""

    id: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeSeen:
    """A charge as it was seen (https://docs.stripe.com/api/charges/object).

    `intent` is None where Stripe says that there is no PaymentIntent: such a charge is a payment of its own.
    `refunds_listed` says that the complete list of its refunds was part of the same answer.
    """

    id: str
    intent: str | None
    status: str
    amount_minor: int
    currency: str
    created_ms: int
    captured_minor: int = 0
    refunded_minor: int = 0
    refunds_listed: bool = False
    is_card: bool = False
    failure_code: str = ""
    references: frozenset[Reference] = frozenset()
    emails: frozenset[str] = frozenset()
    foreign: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundSeen:
    """A refund as it was seen (https://docs.stripe.com/api/refunds/object).

    `booked` says that it names a balance transaction: money has moved.
    """

    id: str
    charge: str | None
    intent: str | None
    status: str
    amount_minor: int
    currency: str
    created_ms: int
    booked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeSeen:
    """A dispute as it was seen (https://docs.stripe.com/api/disputes/object)."""

    id: str
    charge: str
    intent: str | None
    status: str
    reason: str
    amount_minor: int
    currency: str
    created_ms: int
    respond_by_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSeen:
    """A Checkout Session in payment mode (https://docs.stripe.com/api/checkout/sessions/object).

    `frozen` says that the observation *is* the event of its completion: later edits of its metadata don't count.
    """

    id: str
    intent: str | None
    payment_status: str
    complete: bool
    created_ms: int
    amount_minor: int = 0
    currency: str = ""
    references: frozenset[Reference] = frozenset()
    emails: frozenset[str] = frozenset()
    frozen: bool = False


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class TransactionSeen:
    """A balance transaction (https://docs.stripe.com/api/balance_transactions/object), in the settlement currency.

    It has an order, so that two contradicting ones of one id can be written down in one way only.
    """

    id: str
    source: str
    type: str
    category: str
    currency: str
    amount_minor: int
    fee_minor: int
    net_minor: int
    exchange_rate: str
    created_ms: int
    available_on_ms: int


Projection: TypeAlias = (
    IntentSeen | ForeignSeen | ChargeSeen | RefundSeen | DisputeSeen | SessionSeen | TransactionSeen
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """Stripe's word about one object: an event that it signed, or an answer that we asked it for.

    `evidence` is the event's id, or the request id of the read.
    """

    span: Span
    evidence: str
    projection: Projection
    is_read: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A person's decision about one payment: where its money belongs. The highest `serial` of a payment wins.

    `shares` maps invoice ids to minor units, or to None for all that is left; an empty tuple takes the payment away from
    every invoice and lets nothing but a later decision move it. The database gives the serial number, because decisions
    are ordered and evidence is not; a decision that is new has None. `previous` is the one before it: a share that it
    took over unchanged is still the word of whoever gave it.
    """

    payment_id: str
    shares: tuple[tuple[str, int | None], ...]
    by: str
    reason: str
    decided_ms: int
    serial: int | None = None
    previous: "Assignment | None" = None

    def author_of(self, count: int) -> "Assignment":
        """The decision that gave the last of the first so many shares: the earliest in a row to have them all."""
        author = self
        while author.previous and author.previous.shares[:count] == self.shares[:count]:
            author = author.previous
        return author


@dataclass(frozen=True, slots=True)
class InvoiceSeen:
    """The app's invoice is there or has changed: settle it again."""

    invoice_id: str


Evidence: TypeAlias = Observation | Assignment | InvoiceSeen


def ms(moment: datetime) -> int:
    """Milliseconds since the epoch of an aware datetime."""
    return int(moment.timestamp() * 1000)


def moment(at_ms: int) -> datetime:
    """The aware UTC datetime of milliseconds since the epoch."""
    return datetime.fromtimestamp(at_ms // 1000, UTC).replace(microsecond=at_ms % 1000 * 1000)
