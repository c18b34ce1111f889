"""What makes an invoice paid?

`settle` is the only place that knows. It looks at *all* payments allocated to one invoice and computes; it never adjusts
what was there before. Running it again on the same payments gives the same settlement, so nothing needs to remember
whether it ran. What it may write to the app's table is a second, smaller question: `write_for`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, tzinfo
from enum import StrEnum

from reconciler.core.facts import PaidAt
from reconciler.core.observation import moment
from reconciler.core.payment import PaymentStatus, Summary


class InvoiceStatus(StrEnum):
    """`payment_status` of an invoice: what Stripe's money says of it. The order is that of the rule."""

    REVIEW = "review"
    DISPUTED = "disputed"
    OVERPAID = "overpaid"
    PAID = "paid"
    CHARGED_BACK = "charged_back"
    PARTIALLY_REFUNDED = "partially_refunded"
    PARTIALLY_PAID = "partially_paid"
    PROCESSING = "processing"
    AUTHORIZED = "authorized"
    REFUNDED = "refunded"
    FAILED = "failed"
    UNPAID = "unpaid"


PAID_WORD = "paid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoice:
    """The app's invoice as it stands in its table. `amount_due_minor` is its total, never reduced by payments."""

    id: str
    number: str = ""
    currency: str
    amount_due_minor: int
    status: str
    payment_status: str | None = None
    paid_at: datetime | None = None
    user_id: str | None = None
    customer_email: str | None = None
    payment_intent_id: str | None = None
    checkout_session_id: str | None = None
    payment_link_id: str | None = None
    created_at: datetime | None = None
    paid_on_day_in: tzinfo | None = None
    """The zone whose day `paid_at` is, where the app keeps no more than that."""

    @property
    def names_stripe(self) -> bool:
        """Whether the app stored any id of Stripe's on it."""
        ids = (self.payment_intent_id, self.checkout_session_id, self.payment_link_id)
        return any(ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """The part of one payment that belongs to one invoice, in minor units of the payment's currency.

    `decided_ms` is when a person said so; None where no one had to.
    """

    payment: Summary
    received_minor: int
    refunded_minor: int = 0
    refund_pending_minor: int = 0
    disputed_minor: int = 0
    decided_ms: int | None = None

    @property
    def net_minor(self) -> int:
        """What is still held of the share; never clamped."""
        return self.received_minor - self.refunded_minor - self.disputed_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What else speaks of an invoice besides the money allocated to it."""

    in_conflict: bool = False
    waived: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What an invoice has received and still holds, in its own currency, with the inputs that were used."""

    invoice_id: str
    currency: str
    amount_due_minor: int
    received_minor: int
    refunded_minor: int
    refund_pending_minor: int
    disputed_minor: int
    payment_status: InvoiceStatus
    paid: PaidAt | None = None

    @property
    def net_minor(self) -> int:
        """What is still held; never clamped, so that money that should not be gone shows."""
        return self.received_minor - self.refunded_minor - self.disputed_minor

    @property
    def is_covered(self) -> bool:
        """Whether all that is due was received at some time; refunds and disputes do not undo it."""
        return self.received_minor >= self.amount_due_minor > 0


def settle(invoice: Invoice, shares: Sequence[Share], claims: Claims = Claims()) -> Settlement:
    """Compute the settlement of one invoice from all its shares, in any order."""
    own = [each for each in shares if each.payment.currency == invoice.currency]
    others = [each for each in shares if each.payment.currency != invoice.currency]
    received = sum(each.received_minor for each in own)
    return Settlement(
        invoice_id=invoice.id,
        currency=invoice.currency,
        amount_due_minor=invoice.amount_due_minor,
        received_minor=received,
        refunded_minor=sum(each.refunded_minor for each in own),
        refund_pending_minor=sum(each.refund_pending_minor for each in own),
        disputed_minor=sum(each.disputed_minor for each in own),
        payment_status=_status(invoice, own, others, claims),
        paid=_reached(own, invoice.amount_due_minor),
    )


def _status(
    invoice: Invoice, own: Sequence[Share], others: Sequence[Share], claims: Claims
) -> InvoiceStatus:
    """The first row of the table that matches wins."""
    due = invoice.amount_due_minor
    received = sum(each.received_minor for each in own)
    net = sum(each.net_minor for each in own)
    shares = (*own, *others)
    states = {each.payment.status for each in shares}
    if PaymentStatus.CONFLICT in states or claims.in_conflict:
        return InvoiceStatus.REVIEW
    if net != due and any(each.net_minor != 0 for each in others):
        return InvoiceStatus.REVIEW
    # Nothing was asked for and nothing came: an attempt that failed before it was waived does not matter.
    if claims.waived and due <= 0 and not any(each.received_minor for each in shares):
        return InvoiceStatus.PAID
    if any(each.payment.dispute_open for each in shares):
        return InvoiceStatus.DISPUTED
    # A credit asks for nothing, and is not overpaid by the nothing that came.
    if net > max(due, 0):
        return InvoiceStatus.OVERPAID
    if net == due > 0:
        return InvoiceStatus.PAID
    if sum(each.disputed_minor for each in own) > 0:
        return InvoiceStatus.CHARGED_BACK
    if net > 0:
        return InvoiceStatus.PARTIALLY_REFUNDED if received >= due else InvoiceStatus.PARTIALLY_PAID
    return _without_money(states, refunded=any(each.refunded_minor > 0 for each in own))


def _without_money(states: set[PaymentStatus], *, refunded: bool) -> InvoiceStatus:
    if PaymentStatus.PROCESSING in states:
        return InvoiceStatus.PROCESSING
    if PaymentStatus.REQUIRES_CAPTURE in states:
        return InvoiceStatus.AUTHORIZED
    if refunded:
        return InvoiceStatus.REFUNDED
    return InvoiceStatus.FAILED if PaymentStatus.FAILED in states else InvoiceStatus.UNPAID


def _reached(own: Sequence[Share], due_minor: int) -> PaidAt | None:
    """The moment at which the running sum of payments reached what is due; None if it never did."""
    if due_minor <= 0:
        return None
    dated = [(each.payment.paid, each) for each in own if each.payment.paid is not None]
    running_minor = 0
    for paid, share in sorted(dated, key=lambda pair: (pair[0].at_ms, pair[1].payment.id)):
        running_minor += share.received_minor
        if running_minor >= due_minor:
            return paid
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What we last wrote to an invoice: the word it had before our `paid`, and our `paid_at`. None: nothing yet."""

    prior_status: str | None = None
    paid_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceWrite:
    """The three columns that are ours, as they should stand; the same values mean that nothing is written."""

    invoice_id: str
    status: str
    payment_status: str | None
    paid_at: datetime | None


def write_for(
    invoice: Invoice,
    settlement: Settlement,
    written: Written,
    *,
    payable: frozenset[str],
    waived: bool,
) -> tuple[InvoiceWrite, Written]:
    """Decide what the app's row should say, and what we then have to remember.

    `status` moves in one way only: from a payable word to `paid`. Every other word belongs to the app. `paid_at` is ours
    as long as it is empty or still what we wrote.
    """
    if invoice.amount_due_minor <= 0 and not waived:
        return _unchanged(invoice), written
    covered = settlement.is_covered or (waived and invoice.amount_due_minor <= 0)
    status, prior = invoice.status, written.prior_status
    if covered and status in payable:
        status, prior = PAID_WORD, status
    paid_at = invoice.paid_at
    if settlement.paid is not None and paid_at in (None, written.paid_at):
        paid_at = _moment(settlement.paid, invoice)
    is_ours = settlement.paid is not None and paid_at == _moment(settlement.paid, invoice)
    return (
        InvoiceWrite(
            invoice_id=invoice.id,
            status=status,
            payment_status=settlement.payment_status.value,
            paid_at=paid_at,
        ),
        Written(prior_status=prior, paid_at=paid_at if is_ours else written.paid_at),
    )


def take_back(
    invoice: Invoice, write: InvoiceWrite, written: Written
) -> tuple[InvoiceWrite, Written]:
    """Undo what we wrote after a person moved the money away; what others wrote meanwhile stays.

    The word and the moment are ours or not each for itself: the word may be the app's `draft` beside our `paid_at`.
    """
    ours = written.prior_status if invoice.status == PAID_WORD else None
    moment_is_ours = write.paid_at == written.paid_at
    undone = InvoiceWrite(
        invoice_id=write.invoice_id,
        status=ours or write.status,
        payment_status=write.payment_status,
        paid_at=None if moment_is_ours else write.paid_at,
    )
    return undone, Written()


def _unchanged(invoice: Invoice) -> InvoiceWrite:
    return InvoiceWrite(
        invoice_id=invoice.id,
        status=invoice.status,
        payment_status=invoice.payment_status,
        paid_at=invoice.paid_at,
    )


def _moment(paid: PaidAt, invoice: Invoice) -> datetime:
    at, zone = moment(paid.at_ms), invoice.paid_on_day_in
    if zone is None:
        return at
    return datetime.combine(at.astimezone(zone).date(), time.min, zone).astimezone(UTC)
