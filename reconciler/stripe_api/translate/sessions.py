"""What does a Checkout Session say? (https://docs.stripe.com/api/checkout/sessions/object)

A Session moves no money: it names the PaymentIntent that does, and often the invoice.
"""

from collections.abc import Iterator
from typing import Final

from reconciler.core.doubts import FetchKind
from reconciler.core.observation import Reference, ReferenceKind, SessionSeen
from reconciler.stripe_api.translate.fields import (
    Json,
    Unclear,
    amount_minor,
    currency,
    emails,
    link,
    name,
    part,
    stated_link,
    text,
    time_ms,
)
from reconciler.stripe_api.translate.said import Fetch, Occasion, Part, Parts, Said
from reconciler.stripe_api.translate.vocabulary import metadata_references, references

COMPLETED: Final = "checkout.session.completed"
# A Session can only be paid, or fail to be paid, after the customer has completed it.
_AFTER_COMPLETION = frozenset(
    {
        COMPLETED,
        "checkout.session.async_payment_succeeded",
        "checkout.session.async_payment_failed",
    }
)


def session(obj: Json, occasion: Occasion) -> Iterator[Said]:
    """Say what a Session in payment mode says; subscriptions and set-ups say nothing to us."""
    if name(obj, "mode") != "payment":
        return
    session_id, intent_id = name(obj, "id"), stated_link(obj, "payment_intent")
    payment_status = name(obj, "payment_status")
    total_minor = _total_minor(obj)
    customer = part(obj, "customer_details") or {}
    yield SessionSeen(
        id=session_id,
        intent=intent_id,
        payment_status=payment_status,
        complete=_is_complete(obj, occasion),
        created_ms=time_ms(obj, "created"),
        amount_minor=total_minor or 0,
        currency="" if total_minor is None else currency(obj, "currency"),
        references=_references(obj, session_id, occasion),
        emails=emails(text(customer, "email")),
        frozen=occasion.event_type == COMPLETED,
    )
    # Asked of events only: the core itself remembers the doubt, and a read that repeats it would ask for ever.
    if payment_status == "paid" and intent_id is None and occasion.event_type:
        yield Fetch(FetchKind.CHECKOUT_SESSION.value, session_id)


def session_parts(obj: Json) -> Parts:
    """Find the PaymentIntent of a Session in payment mode where it is expanded."""
    owner = part(obj, "payment_intent")
    if owner is not None and obj.get("mode") == "payment":
        yield Part("payment_intent", owner)


def _total_minor(obj: Json) -> int | None:
    """Return the total; an explicit null means that there is none yet."""
    if "amount_total" not in obj:
        raise Unclear("amount_total is missing")
    return None if obj["amount_total"] is None else amount_minor(obj, "amount_total")


def _is_complete(obj: Json, occasion: Occasion) -> bool:
    """Return whether it is known to be complete; before there was a status, the event's type told."""
    if obj.get("status") is None:
        return occasion.event_type in _AFTER_COMPLETION
    return name(obj, "status") == "complete"


def _references(obj: Json, session_id: str, occasion: Occasion) -> frozenset[Reference]:
    is_frozen = occasion.event_type == COMPLETED
    kind = ReferenceKind.FROZEN_SESSION_METADATA if is_frozen else ReferenceKind.SESSION_METADATA
    return (
        references(ReferenceKind.CHECKOUT_SESSION, session_id)
        | references(ReferenceKind.PAYMENT_LINK, link(obj, "payment_link"))
        | references(ReferenceKind.CLIENT_REFERENCE, obj.get("client_reference_id"))
        | metadata_references(obj, kind, occasion.vocabulary)
    )
