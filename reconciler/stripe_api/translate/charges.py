"""What do a charge, a refund and a dispute say?

https://docs.stripe.com/api/charges/object , https://docs.stripe.com/api/refunds/object ,
https://docs.stripe.com/api/disputes/object
"""

from collections.abc import Iterator

from reconciler.core.observation import ChargeSeen, DisputeSeen, ReferenceKind, RefundSeen
from reconciler.stripe_api.translate.fields import (
    Json,
    Unclear,
    amount_minor,
    currency,
    emails,
    filled,
    flag,
    link,
    members,
    name,
    part,
    stated_link,
    text,
    time_ms,
)
from reconciler.stripe_api.translate.said import Occasion, Part, Parts, Said
from reconciler.stripe_api.translate.vocabulary import (
    foreign_reasons,
    metadata_references,
    references,
)

_CARDS = frozenset({"card", "card_present"})


def charge(obj: Json, occasion: Occasion) -> Iterator[Said]:
    """Say what a charge says of itself.

    Its metadata counts only where it has no PaymentIntent: elsewhere it is a copy that was made at confirmation, and the
    PaymentIntent's own may have been corrected since.
    """
    charge_id = name(obj, "id")
    # A missing key is an unknown shape: taken for "none", it would turn the charge into a second payment.
    owner = stated_link(obj, "payment_intent")
    named = references(ReferenceKind.CHARGE, charge_id)
    if owner is None:
        named |= metadata_references(obj, ReferenceKind.METADATA, occasion.vocabulary)
    billing = part(obj, "billing_details") or {}
    yield ChargeSeen(
        id=charge_id,
        intent=owner,
        status=name(obj, "status"),
        amount_minor=amount_minor(obj, "amount"),
        currency=currency(obj, "currency"),
        created_ms=time_ms(obj, "created"),
        captured_minor=_captured_minor(obj),
        refunded_minor=amount_minor(obj, "amount_refunded"),
        refunds_listed=_lists_all_refunds(obj),
        is_card=_is_card(obj),
        failure_code=text(obj, "failure_code"),
        references=named,
        emails=emails(text(billing, "email"), text(obj, "receipt_email")),
        foreign=foreign_reasons(obj, occasion.vocabulary),
    )


def charge_parts(obj: Json) -> Parts:
    """Find the PaymentIntent, the refunds and the balance transactions in a charge."""
    if (owner := part(obj, "payment_intent")) is not None:
        yield Part("payment_intent", owner)
    yield from (Part("refund", each) for each in _refunds(obj))
    yield from _transactions(obj)


def refund(obj: Json) -> RefundSeen:
    """Return what a refund says; it may lack one of charge and PaymentIntent, but not both keys."""
    charge_id, intent_id = link(obj, "charge"), link(obj, "payment_intent")
    if not {"charge", "payment_intent"} & obj.keys():
        raise Unclear("charge is missing")
    return RefundSeen(
        id=name(obj, "id"),
        charge=charge_id,
        intent=intent_id,
        status=name(obj, "status"),
        amount_minor=amount_minor(obj, "amount"),
        currency=currency(obj, "currency"),
        created_ms=time_ms(obj, "created"),
        booked=link(obj, "balance_transaction") is not None,
    )


def refund_parts(obj: Json) -> Parts:
    """Find what a refund holds expanded."""
    yield from _owners(obj)
    yield from _transactions(obj)


def dispute(obj: Json) -> DisputeSeen:
    """Return what a dispute says."""
    charge_id = link(obj, "charge")
    if charge_id is None:
        raise Unclear("charge is missing")
    details = part(obj, "evidence_details") or {}
    return DisputeSeen(
        id=name(obj, "id"),
        charge=charge_id,
        intent=link(obj, "payment_intent"),
        status=name(obj, "status"),
        reason=text(obj, "reason"),
        amount_minor=amount_minor(obj, "amount"),
        currency=currency(obj, "currency"),
        created_ms=time_ms(obj, "created"),
        respond_by_ms=None if details.get("due_by") is None else time_ms(details, "due_by"),
    )


def dispute_parts(obj: Json) -> Parts:
    """Find what a dispute holds expanded; its balance transactions always stand there whole."""
    yield from _owners(obj)
    for each in members(obj, "balance_transactions"):
        yield Part("balance_transaction", each)


def _owners(obj: Json) -> Parts:
    for kind in ("charge", "payment_intent"):
        if (owner := part(obj, kind)) is not None:
            yield Part(kind, owner)


def _transactions(obj: Json) -> Parts:
    for key in ("balance_transaction", "failure_balance_transaction"):
        if (moved := part(obj, key)) is not None:
            yield Part("balance_transaction", moved)


def _refunds(obj: Json) -> Iterator[Json]:
    owner = link(obj, "payment_intent")
    for each in members(obj, "refunds"):
        yield filled(each, charge=link(obj, "id"), payment_intent=owner)


def _lists_all_refunds(obj: Json) -> bool:
    """Return whether the complete list of refunds came along, each of them readable."""
    page = part(obj, "refunds")
    if page is None:
        return False
    for each in _refunds(obj):
        refund(each)
    return page.get("has_more") is False


def _captured_minor(obj: Json) -> int:
    if "amount_captured" in obj:
        return amount_minor(obj, "amount_captured")
    is_captured = flag(obj, "captured") and name(obj, "status") == "succeeded"
    return amount_minor(obj, "amount") if is_captured else 0


def _is_card(obj: Json) -> bool:
    details = part(obj, "payment_method_details")
    if details is not None:
        return text(details, "type") in _CARDS
    return text(part(obj, "source") or {}, "object") == "card"
