"""What does one Stripe object say, with all the objects that stand in it?

Every object that can be read speaks for itself. One that can't be read, or one part of which has not even an id, asks to be
fetched instead; the others are not disturbed.
"""

from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Final, NamedTuple

from reconciler.core.doubts import FetchKind
from reconciler.core.observation import Observation, Projection, Span
from reconciler.stripe_api.translate.charges import (
    charge,
    charge_parts,
    dispute,
    dispute_parts,
    refund,
    refund_parts,
)
from reconciler.stripe_api.translate.fields import Json, Unclear, name
from reconciler.stripe_api.translate.intents import intent, intent_parts
from reconciler.stripe_api.translate.invoices import invoice, invoice_payment
from reconciler.stripe_api.translate.said import Fetch, Occasion, Parts, Said
from reconciler.stripe_api.translate.sessions import session, session_parts
from reconciler.stripe_api.translate.transactions import transaction, transaction_parts
from reconciler.stripe_api.translate.vocabulary import Vocabulary

# Stripe's words for the kinds that can be read again by id.
FETCH_KINDS: Final = MappingProxyType(
    {
        "payment_intent": FetchKind.PAYMENT_INTENT.value,
        "charge": FetchKind.CHARGE.value,
        "refund": FetchKind.REFUND.value,
        "dispute": FetchKind.DISPUTE.value,
        "checkout.session": FetchKind.CHECKOUT_SESSION.value,
    }
)


class UnreadableObject(ValueError):  # noqa: N818 - it names what the object is, not our mistake
    """Not even an id to fetch could be read. The message names a field and nothing that it holds."""


class _Reader(NamedTuple):
    """How one kind of object is read: what it says itself, and which objects stand in it."""

    itself: Callable[[Json, Occasion], Iterator[Said]]
    parts: Callable[[Json], Parts]


def _plain(read: Callable[[Json], Projection]) -> Callable[[Json, Occasion], Iterator[Said]]:
    """Give the common form to a reader for which the occasion makes no difference."""
    return lambda obj, _: iter((read(obj),))


def _no_parts(_: Json) -> Parts:
    return iter(())


_READERS: Final = MappingProxyType(
    {
        "payment_intent": _Reader(intent, intent_parts),
        "charge": _Reader(charge, charge_parts),
        "refund": _Reader(_plain(refund), refund_parts),
        "dispute": _Reader(_plain(dispute), dispute_parts),
        "checkout.session": _Reader(session, session_parts),
        "balance_transaction": _Reader(_plain(transaction), transaction_parts),
        "invoice": _Reader(invoice, _no_parts),
        "invoice_payment": _Reader(invoice_payment, _no_parts),
    }
)


def observe_object(
    obj: Json, *, span: Span, evidence: str, vocabulary: Vocabulary, is_read: bool
) -> tuple[tuple[Observation, ...], tuple[Fetch, ...]]:
    """Return what an object read from the API says, and what must be read again.

    Everything expanded in it is observed too, each object once. A fetch that names the very object that was read means that
    reading it again won't help either. Raises UnreadableObject if it is of no kind that we read or has no id.
    """
    kind = obj.get("object")
    if not isinstance(kind, str) or kind not in _READERS:
        raise UnreadableObject("object is of no kind that we read")
    occasion = Occasion(vocabulary=vocabulary, lo_ms=span.lo_ms)
    said = said_by(kind, obj, occasion)
    return sorted_out(said, span=span, evidence=evidence, is_read=is_read)


def said_by(kind: str, obj: Json, occasion: Occasion) -> tuple[Said, ...]:
    """Return all that an object says which should be of a kind, in order and without repetition."""
    try:
        return tuple(dict.fromkeys(_said(kind, obj, occasion)))
    except Unclear as unclear:
        raise UnreadableObject(str(unclear)) from None


def sorted_out(
    said: tuple[Said, ...], *, span: Span, evidence: str, is_read: bool
) -> tuple[tuple[Observation, ...], tuple[Fetch, ...]]:
    """Part what was said into observations and fetches."""
    observations = tuple(
        Observation(span=span, evidence=evidence, projection=each, is_read=is_read)
        for each in said
        if not isinstance(each, Fetch)
    )
    return observations, tuple(each for each in said if isinstance(each, Fetch))


def _said(kind: str, obj: Json, occasion: Occasion) -> Iterator[Said]:
    """Let an object speak, then its parts. Raises Unclear if it can't be read and can't be fetched either."""
    object_id = name(obj, "id")
    for speech in (_itself, _of_parts):
        try:
            yield from speech(kind, obj, occasion)
        except Unclear:
            if kind not in FETCH_KINDS:
                raise
            yield Fetch(FETCH_KINDS[kind], object_id)


def _itself(kind: str, obj: Json, occasion: Occasion) -> Iterator[Said]:
    if obj.get("object") != kind:
        raise Unclear("object is not what it should be")
    return _READERS[kind].itself(obj, occasion)


def _of_parts(kind: str, obj: Json, occasion: Occasion) -> Iterator[Said]:
    for part in _READERS[kind].parts(obj):
        yield from _said(part.kind, part.object, occasion)
