"""Which invoices does a name fit?

Values are compared exactly. A page of a hundred payments brings as many invoices and names: each name is looked up, and the
invoices are not gone through once more for it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from reconciler.core.invoice import Invoice
from reconciler.core.observation import Reference, ReferenceKind, ms

STORED = frozenset({ReferenceKind.PAYMENT_INTENT, ReferenceKind.CHECKOUT_SESSION})
# The app's times may have no zone, or hold no more than the day: an invoice is known to be later than a payment only after that.
LATER_MS = 26 * 3_600_000

# Ids of Stripe that an invoice may carry; every other kind of name is compared with its own id and number.
_CARRIED = STORED | {ReferenceKind.PAYMENT_LINK}


@dataclass(frozen=True, slots=True)
class Directory:
    """Invoices by id, and by all that they are called."""

    invoices: Mapping[str, Invoice]
    _called: Mapping[tuple[ReferenceKind | None, str], tuple[Invoice, ...]] = field(repr=False)

    def fitting(self, reference: Reference) -> tuple[Invoice, ...]:
        """All invoices that a name fits, whatever speaks against them."""
        kind, value = reference
        if not value or kind is ReferenceKind.CHARGE:
            return ()
        return self._called.get((kind if kind in _CARRIED else None, value), ())

    def named(self, reference: Reference, paid_ms: int | None = None) -> frozenset[str]:
        """The invoices that one reference names: only a stored id may name several.

        Of several that a value fits, those that were made well after the money came can't have been meant: a Payment Link is put on
        next month's invoice, too. That only one is left then holds as if it were alone.
        """
        fitting = self.fitting(reference)
        if len(fitting) > 1 and reference.kind not in STORED:
            fitting = tuple(each for each in fitting if not is_later(each, paid_ms))
            return frozenset(each.id for each in fitting[:1] if len(fitting) == 1)
        return frozenset(each.id for each in fitting)


def directory(invoices: Iterable[Invoice]) -> Directory:
    """Index invoices by what they are called."""
    by_id: dict[str, Invoice] = {}
    called: dict[tuple[ReferenceKind | None, str], tuple[Invoice, ...]] = {}
    for each in invoices:
        by_id[each.id] = each
        for name in _names(each):
            called[name] = (*called.get(name, ()), each)
    return Directory(by_id, called)


def _names(invoice: Invoice) -> Iterable[tuple[ReferenceKind | None, str]]:
    carried = (
        (ReferenceKind.PAYMENT_INTENT, invoice.payment_intent_id),
        (ReferenceKind.CHECKOUT_SESSION, invoice.checkout_session_id),
        (ReferenceKind.PAYMENT_LINK, invoice.payment_link_id),
    )
    yield from ((kind, value) for kind, value in carried if value)
    yield from ((None, value) for value in {invoice.id, invoice.number} if value)


def is_later(invoice: Invoice, paid_ms: int | None) -> bool:
    """Whether an invoice is known to have been made after the money came."""
    if paid_ms is None or invoice.created_at is None:
        return False
    return ms(invoice.created_at) > paid_ms + LATER_MS
