"""Which PaymentIntents belong to Stripe's own Invoices, and so are none of our business?

Until 2025-03-31 an Invoice named its PaymentIntent; since then an InvoicePayment does.
https://docs.stripe.com/changelog/basil/2025-03-31/add-support-for-multiple-partial-payments-on-invoices
"""

from collections.abc import Iterator

from reconciler.core.observation import ForeignSeen
from reconciler.stripe_api.translate.fields import Json, Unclear, link, name, part
from reconciler.stripe_api.translate.said import Occasion, Said
from reconciler.stripe_api.translate.vocabulary import STRIPE_INVOICE


def invoice(obj: Json, _: Occasion) -> Iterator[Said]:
    """Say which PaymentIntent an Invoice of the old shape names."""
    intent_id = link(obj, "payment_intent")
    if intent_id is not None:
        yield ForeignSeen(id=intent_id, reason=STRIPE_INVOICE)


def invoice_payment(obj: Json, _: Occasion) -> Iterator[Said]:
    """Say which PaymentIntent an InvoicePayment names; it may also pay by other means, which are not ours either."""
    payment = part(obj, "payment")
    if payment is None:
        raise Unclear("payment is missing")
    if name(payment, "type") != "payment_intent":
        return
    intent_id = link(payment, "payment_intent")
    if intent_id is None:
        raise Unclear("payment_intent is missing")
    yield ForeignSeen(id=intent_id, reason=STRIPE_INVOICE)
