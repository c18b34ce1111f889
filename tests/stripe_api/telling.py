"""What do an event and a read of an object say, with the usual settings?"""

from typing import Any

from reconciler.core.observation import Reference, ReferenceKind, Span
from reconciler.stripe_api.translate import Vocabulary, observe_object, translate
from tests.stripe_api.shapes import NOON_MS, Json, received

OURS = Vocabulary()
INTENT_REFERENCE = Reference(ReferenceKind.PAYMENT_INTENT, "pi_1")


def said(type_: str, obj: Json, vocabulary: Vocabulary = OURS, **over: Any) -> list[Any]:
    """Return the projections of an event."""
    translated = translate(received(type_, obj, **over), vocabulary)
    return [each.projection for each in translated.observations]


def read(obj: Json, vocabulary: Vocabulary = OURS) -> list[Any]:
    """Return the projections of an object that was read from the API."""
    span = Span(NOON_MS, NOON_MS + 5000)
    observations, fetch = observe_object(obj, span=span, evidence="req_1", vocabulary=vocabulary)
    assert fetch == ()
    return [each.projection for each in observations]
