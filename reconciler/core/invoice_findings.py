"""What must a person look at about one invoice?

Each kind has the amounts and ids that make it true, and its own time by which it is old or new: of what somebody does in
the app nobody tells when, but what we have settled otherwise before is of today.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from reconciler.core import since
from reconciler.core.exceptions import ExceptionKind, Finding
from reconciler.core.invoice import PAID_WORD, Invoice, Settlement, Share
from reconciler.core.observation import ms


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What happened to an invoice before: whether its `paid` is our word, and the total at which it was covered."""

    was_paid_by_us: bool = False
    covered_due_minor: int | None = None


def of_invoice(
    invoice: Invoice,
    settlement: Settlement,
    shares: Sequence[Share],
    *,
    payable: frozenset[str],
    history: History,
) -> tuple[Finding, ...]:
    """What needs a person about one invoice."""
    kinds = _kinds(invoice, settlement, shares, payable, history)
    if not kinds:
        return ()
    due, net = settlement.amount_due_minor, settlement.net_minor
    covered = history.covered_due_minor
    strange = _strange(invoice, shares)
    at_stake = {
        ExceptionKind.WRONG_CURRENCY: strange[:1],
        ExceptionKind.INVOICE_NOT_PAYABLE: [(invoice.currency, net)],
        ExceptionKind.INVOICE_CHANGED_AFTER_PAID: [(invoice.currency, (covered or 0) - due)],
        ExceptionKind.NET_BELOW_ZERO: [(invoice.currency, net)],
    }
    truths = _truths(invoice, settlement, shares, history)
    of_money_ms = since.latest(*(each.payment.paid.at_ms for each in shares if each.payment.paid))
    of_today = _of_today(history)
    return tuple(
        Finding(
            kind=kind,
            subject=invoice.id,
            fingerprint=truths[kind],
            at_ms=None if kind in of_today else of_money_ms,
            counts_ms=None if kind in of_today else _counts_ms(kind, invoice, shares),
            amount_minor=amount_minor,
            currency=currency,
        )
        for kind in kinds
        for currency, amount_minor in at_stake.get(kind, [(invoice.currency, net - due)])
    )


def _kinds(
    invoice: Invoice,
    settlement: Settlement,
    shares: Sequence[Share],
    payable: frozenset[str],
    history: History,
) -> Sequence[ExceptionKind]:
    found: list[ExceptionKind] = []
    due, net = settlement.amount_due_minor, settlement.net_minor
    if 0 < settlement.received_minor < due or _was_paid_in_turns(settlement, shares):
        found.append(ExceptionKind.UNDERPAID)
    marked_by_hand = invoice.status == PAID_WORD and not history.was_paid_by_us and net > 0
    marked_by_hand = marked_by_hand and not _is_the_one_meant(invoice, shares)
    if marked_by_hand or _is_second(settlement, shares):
        found.append(ExceptionKind.SECOND_PAYMENT)
    elif net > max(due, 0):
        found.append(ExceptionKind.OVERPAID)
    if _strange(invoice, shares):
        found.append(ExceptionKind.WRONG_CURRENCY)
    if invoice.status not in payable | {PAID_WORD} and net != 0:
        found.append(ExceptionKind.INVOICE_NOT_PAYABLE)
    if history.covered_due_minor not in (None, due):
        found.append(ExceptionKind.INVOICE_CHANGED_AFTER_PAID)
    if net < 0:
        found.append(ExceptionKind.NET_BELOW_ZERO)
    # Paid by hand is the app's own affair, unless the app says that Stripe was asked, or the word is ours.
    is_about_stripe = invoice.names_stripe or history.was_paid_by_us
    is_ours_to_doubt = invoice.status == PAID_WORD and is_about_stripe and due > 0
    if is_ours_to_doubt and not any(each.received_minor > 0 for each in shares):
        found.append(ExceptionKind.PAID_HERE_NOT_AT_STRIPE)
    return found


def _truths(
    invoice: Invoice, settlement: Settlement, shares: Sequence[Share], history: History
) -> Mapping[ExceptionKind, str]:
    """The amounts and ids that make each kind true; what changes without mattering to it is not among them."""
    due, net, currency = settlement.amount_due_minor, settlement.net_minor, settlement.currency
    paying = [each for each in shares if each.received_minor > 0]
    own = _ids(each for each in paying if each.payment.currency == currency)
    others = _ids(each for each in paying if each.payment.currency != currency)
    held = " ".join(f"{amount_minor} {other}" for other, amount_minor in _strange(invoice, shares))
    stored = (invoice.payment_intent_id, invoice.checkout_session_id, invoice.payment_link_id)
    sums = f"{settlement.received_minor} {net} {due} {currency} {own}"
    return {
        ExceptionKind.UNDERPAID: sums,
        ExceptionKind.OVERPAID: sums,
        ExceptionKind.SECOND_PAYMENT: sums,
        ExceptionKind.WRONG_CURRENCY: f"{held} for {currency} {others}",
        ExceptionKind.INVOICE_NOT_PAYABLE: f"{invoice.status} {net} {currency} {own}",
        ExceptionKind.INVOICE_CHANGED_AFTER_PAID: f"{history.covered_due_minor} {due} {currency}",
        ExceptionKind.NET_BELOW_ZERO: f"{settlement.received_minor} {net} {currency} {own}",
        ExceptionKind.PAID_HERE_NOT_AT_STRIPE: " ".join(
            filter(None, (f"{due} {currency}", *stored))
        ),
    }


def _ids(shares: Iterable[Share]) -> str:
    return ",".join(sorted(each.payment.id for each in shares))


def _of_today(history: History) -> frozenset[ExceptionKind]:
    """What somebody did since we settled the invoice, however old its money is: nobody tells when."""
    of_today = {ExceptionKind.INVOICE_CHANGED_AFTER_PAID}
    if history.was_paid_by_us:
        of_today |= {ExceptionKind.INVOICE_NOT_PAYABLE, ExceptionKind.PAID_HERE_NOT_AT_STRIPE}
    return frozenset(of_today)


def _counts_ms(kind: ExceptionKind, invoice: Invoice, shares: Sequence[Share]) -> int | None:
    """Old invoices say `paid` and name payments of their time, which nobody has to read again; so do those without a date."""
    if kind is ExceptionKind.PAID_HERE_NOT_AT_STRIPE:
        dated = invoice.paid_at or invoice.created_at
        return ms(dated) if dated else 0
    return since.of_shares(shares)


def _strange(invoice: Invoice, shares: Sequence[Share]) -> list[tuple[str, int]]:
    """What is held of other currencies than the invoice's, which no sum of its own shows."""
    held: dict[str, int] = {}
    for each in shares:
        currency = each.payment.currency
        if currency != invoice.currency and each.net_minor:
            held[currency] = held.get(currency, 0) + each.net_minor
    return sorted(held.items())


def _was_paid_in_turns(settlement: Settlement, shares: Sequence[Share]) -> bool:
    """Whether it is covered only with money that was given back in full: half paid, returned, and half paid again."""
    due, net = settlement.amount_due_minor, settlement.net_minor
    own = [each for each in shares if each.payment.currency == settlement.currency]
    kept_minor = sum(each.received_minor for each in own if each.net_minor > 0)
    return 0 < net < due <= settlement.received_minor and kept_minor < due


def _is_the_one_meant(invoice: Invoice, shares: Sequence[Share]) -> bool:
    """Whether the app's own `paid` speaks of this very money: all of it is of the one payment that the app stores."""
    paying = [each for each in shares if each.received_minor > 0]
    if len(paying) != 1:
        return False
    return invoice.payment_intent_id == paying[0].payment.id or (
        invoice.payment_intent_id is None and invoice.checkout_session_id is not None
    )


def _is_second(settlement: Settlement, shares: Sequence[Share]) -> bool:
    """Whether the invoice would still be covered without one of its payments."""
    due, net = settlement.amount_due_minor, settlement.net_minor
    own = [each for each in shares if each.payment.currency == settlement.currency]
    return due > 0 and any(each.net_minor > 0 and net - each.net_minor >= due for each in own)
