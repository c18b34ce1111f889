"""What does a notification say, in each language?

Only the number of the invoice and an amount are told: a notification is shown on a locked screen, and to whoever looks at it.
"""

from collections.abc import Mapping
from typing import Final

from reconciler.core.hostile import visible
from reconciler.db.outbox import SUMMARY
from reconciler.language import Language, Phrase, amount_in, count_in

TITLES: Final[Mapping[str, Phrase]] = {
    "invoice_paid": Phrase("Payment received", "Paiement reçu"),
    "payment_failed": Phrase("Payment failed", "Échec du paiement"),
    "refund_done": Phrase("Refund made", "Remboursement effectué"),
    "refund_failed": Phrase("Refund failed", "Échec du remboursement"),
    "dispute_opened": Phrase("Payment disputed", "Paiement contesté"),
    "dispute_won": Phrase("Dispute won", "Litige gagné"),
    "dispute_lost": Phrase("Dispute lost", "Litige perdu"),
    SUMMARY: Phrase("Payments need a person", "Paiements à vérifier"),
}
_OF_INVOICE: Final = Phrase("Invoice {number}: {amount}", "Facture {number} : {amount}")
_OF_EXCEPTIONS: Final = Phrase("Open exceptions: {count}", "Exceptions ouvertes : {count}")
_CUT: Final = "…"


def title(kind: str, language: Language) -> str:
    """The first line; raises KeyError for a kind that has no words."""
    return TITLES[kind].to(language)


def body(  # noqa: PLR0913 - what is told, and how much of it
    kind: str, number: str, amount: int, currency: str, *, language: Language, longest: int
) -> str:
    """The second line; a number of an invoice that is longer than so many characters is cut."""
    if kind == SUMMARY:
        return _OF_EXCEPTIONS.to(language).format(count=count_in(language, amount))
    money = amount_in(language, amount, currency)
    # On one line, and so that it can be read: a number may be any text of the app's.
    shown = visible(" ".join(number.split()))
    if not shown or not longest:
        return money
    short = shown if len(shown) <= longest else shown[: longest - 1] + _CUT
    return _OF_INVOICE.to(language).format(number=short, amount=money)
