"""What does one event of Stripe's say, in our words?"""

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from reconciler.core.observation import Observation, Span
from reconciler.stripe_api.envelope import StripeEvent
from reconciler.stripe_api.translate.objects import FETCH_KINDS, said_by, sorted_out
from reconciler.stripe_api.translate.said import Fetch, Occasion
from reconciler.stripe_api.translate.vocabulary import Vocabulary

# Every type that tells us something, and Stripe's word for the object that it carries
# (https://docs.stripe.com/api/events/types). An endpoint should be subscribed to all of them.
EVENT_TYPES: Final = MappingProxyType(
    {
        "payment_intent.created": "payment_intent",
        "payment_intent.processing": "payment_intent",
        "payment_intent.requires_action": "payment_intent",
        "payment_intent.partially_funded": "payment_intent",
        "payment_intent.amount_capturable_updated": "payment_intent",
        "payment_intent.succeeded": "payment_intent",
        "payment_intent.payment_failed": "payment_intent",
        "payment_intent.canceled": "payment_intent",
        "charge.succeeded": "charge",
        "charge.failed": "charge",
        "charge.pending": "charge",
        "charge.updated": "charge",
        "charge.captured": "charge",
        "charge.expired": "charge",
        "charge.refunded": "charge",
        "refund.created": "refund",
        "refund.updated": "refund",
        "refund.failed": "refund",
        "charge.refund.updated": "refund",
        "charge.dispute.created": "dispute",
        "charge.dispute.updated": "dispute",
        "charge.dispute.closed": "dispute",
        "charge.dispute.funds_withdrawn": "dispute",
        "charge.dispute.funds_reinstated": "dispute",
        "checkout.session.completed": "checkout.session",
        "checkout.session.async_payment_succeeded": "checkout.session",
        "checkout.session.async_payment_failed": "checkout.session",
        "checkout.session.expired": "checkout.session",
        "invoice.paid": "invoice",
        "invoice.payment_failed": "invoice",
        "invoice_payment.paid": "invoice_payment",
    }
)

# Stripe's times are whole seconds: an event is true somewhere within the second of its creation.
_LAST_MS_OF_SECOND: Final = 999


class Outcome(StrEnum):
    """What became of an event: it told something, it is none of ours, or it only names what must be read."""

    OBSERVED = "observed"
    IGNORED = "ignored"
    DEFERRED = "deferred"


@dataclass(frozen=True, slots=True, kw_only=True)
class Translation:
    """What an event says, and the objects (kind, id) that must be read because it can't decide."""

    outcome: Outcome
    observations: tuple[Observation, ...] = ()
    fetch: tuple[tuple[str, str], ...] = ()


def translate(event: StripeEvent, vocabulary: Vocabulary) -> Translation:
    """Return what an event says. Raises UnreadableObject if its object has not even an id to fetch."""
    if event.thin:
        return _from_thin(event)
    kind = EVENT_TYPES.get(event.type)
    if kind is None:
        return Translation(outcome=Outcome.IGNORED)
    occasion = Occasion(vocabulary=vocabulary, lo_ms=event.created_ms, event_type=event.type)
    said = said_by(kind, event.object, occasion)
    span = Span(event.created_ms, event.created_ms + _LAST_MS_OF_SECOND)
    observations, fetch = sorted_out(said, span=span, evidence=event.id, is_read=False)
    outcome = Outcome.OBSERVED if said else Outcome.IGNORED
    return Translation(outcome=outcome, observations=observations, fetch=fetch)


def _from_thin(event: StripeEvent) -> Translation:
    """A thin event says only which object to read: https://docs.stripe.com/event-destinations"""
    kind, object_id = event.related or ("", "")
    if kind not in FETCH_KINDS:
        return Translation(outcome=Outcome.IGNORED)
    return Translation(outcome=Outcome.DEFERRED, fetch=(Fetch(FETCH_KINDS[kind], object_id),))
