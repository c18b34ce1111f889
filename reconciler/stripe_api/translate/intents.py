"""What does a PaymentIntent say? (https://docs.stripe.com/api/payment_intents/object)

Until 2022-11-15 it carried its charges (https://docs.stripe.com/changelog/2022-11-15); since then it names the latest.
"""

from collections.abc import Iterator
from types import MappingProxyType
from typing import Final

from reconciler.core.observation import Failure, IntentSeen, ReferenceKind
from reconciler.stripe_api.translate.fields import (
    Json,
    Unclear,
    amount_minor,
    currency,
    emails,
    filled,
    link,
    members,
    name,
    part,
    text,
    time_ms,
)
from reconciler.stripe_api.translate.said import Occasion, Part, Parts, Said
from reconciler.stripe_api.translate.vocabulary import (
    foreign_reasons,
    metadata_references,
    references,
)

CREATED: Final = "payment_intent.created"
SUCCEEDED: Final = "payment_intent.succeeded"

# The names before 2019-02-11. Every other word is passed on as it is, the unknown ones too.
_OLD_WORDS: Final = MappingProxyType(
    {
        "requires_source": "requires_payment_method",
        "requires_source_action": "requires_action",
    }
)


def intent(obj: Json, occasion: Occasion) -> Iterator[Said]:
    """Say what a PaymentIntent says of itself. Amounts in minor units of `currency`."""
    status = name(obj, "status")
    is_success = occasion.event_type == SUCCEEDED
    if is_success and status != "succeeded":
        raise Unclear("status contradicts the event")
    kind = ReferenceKind.FROZEN_METADATA if is_success else ReferenceKind.METADATA
    intent_id = name(obj, "id")
    yield IntentSeen(
        id=intent_id,
        status=_OLD_WORDS.get(status, status),
        amount_minor=amount_minor(obj, "amount"),
        currency=currency(obj, "currency"),
        created_ms=time_ms(obj, "created"),
        received_minor=amount_minor(obj, "amount_received"),
        capturable_minor=amount_minor(obj, "amount_capturable"),
        succeeded_ms=occasion.lo_ms if is_success else None,
        references=references(ReferenceKind.PAYMENT_INTENT, intent_id)
        | metadata_references(obj, kind, occasion.vocabulary),
        failures=_failures(obj, occasion.lo_ms),
        emails=emails(text(obj, "receipt_email")),
        foreign=foreign_reasons(obj, occasion.vocabulary),
        newborn=occasion.event_type == CREATED,
    )


def intent_parts(obj: Json) -> Parts:
    """Find the charges in a PaymentIntent. An old one may leave out whose it is; it is never a payment of its own."""
    error = part(obj, "last_payment_error") or {}
    embedded = (part(obj, "latest_charge"), part(error, "charge"), *members(obj, "charges"))
    for each in embedded:
        if each is not None:
            yield Part("charge", filled(each, payment_intent=link(obj, "id")))


def _failures(obj: Json, at_ms: int) -> tuple[tuple[str, Failure], ...]:
    """Return the failed attempt that `last_payment_error` tells of.

    A charge that failed and is at hand tells it better, with its own time, so that the error need not repeat it. An attempt
    that never became a charge, such as a failed 3-D Secure, is known by its method and code.
    """
    error = part(obj, "last_payment_error")
    if error is None:
        return ()
    code = text(error, "code") or text(error, "type")
    charge_id = link(error, "charge")
    if charge_id is None:
        return ((_attempt_without_charge(error, code), Failure(at_ms, code)),)
    told = any(
        each.get("id") == charge_id and each.get("status") == "failed"
        for _, each in intent_parts(obj)
    )
    return () if told else ((charge_id, Failure(at_ms, code)),)


def _attempt_without_charge(error: Json, code: str) -> str:
    """Return `pm_...:code`, or as much of it as there is: `card:card_declined`, `card_declined`."""
    method = link(error, "payment_method") or link(error, "source")
    words = (method or text(error, "payment_method_type"), code)
    if not any(words):
        raise Unclear("last_payment_error says nothing")
    return ":".join(word for word in words if word)
