"""What does one event of Stripe's, or one object read from it, say in our words?

The only door from Stripe's JSON to observations. An object whose shape is not known tells nothing; it becomes a fetch,
because a read in the API version that we pin has a shape that we do know.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

from reconciler.core.observation import ForeignSeen, Observation, Projection, Span
from reconciler.stripe_api import fields, objects
from reconciler.stripe_api.envelope import StripeEvent
from reconciler.stripe_api.fields import Json, UnknownShape
from reconciler.stripe_api.objects import Vocabulary, parse_ignore

__all__ = [
    "EVENT_TYPES",
    "Outcome",
    "Translation",
    "UnreadableObject",
    "Vocabulary",
    "observe_object",
    "parse_ignore",
    "translate",
]

PAYMENT_INTENT: Final = "payment_intent"
CHARGE: Final = "charge"
REFUND: Final = "refund"
DISPUTE: Final = "dispute"
SESSION: Final = "checkout_session"
TRANSACTION: Final = "balance_transaction"

_INTENT_TYPES = (
    "created",
    "processing",
    "requires_action",
    "partially_funded",
    "amount_capturable_updated",
    "succeeded",
    "payment_failed",
    "canceled",
)
_CHARGE_TYPES = ("succeeded", "failed", "pending", "updated", "captured", "expired", "refunded")
_DISPUTE_TYPES = ("created", "updated", "closed", "funds_withdrawn", "funds_reinstated")
_SESSION_TYPES = ("completed", "async_payment_succeeded", "async_payment_failed", "expired")

# Which events concern one-off payments, and what their object is (https://docs.stripe.com/api/events/types).
EVENT_TYPES: Final[Mapping[str, str]] = {
    **{f"payment_intent.{each}": PAYMENT_INTENT for each in _INTENT_TYPES},
    **{f"charge.{each}": CHARGE for each in _CHARGE_TYPES},
    **{f"refund.{each}": REFUND for each in ("created", "updated", "failed")},
    "charge.refund.updated": REFUND,
    **{f"charge.dispute.{each}": DISPUTE for each in _DISPUTE_TYPES},
    **{f"checkout.session.{each}": SESSION for each in _SESSION_TYPES},
}

# Events of Stripe's own Invoices say only that a PaymentIntent is not ours.
_FOREIGN: Final[Mapping[str, Callable[[Json], Json]]] = {
    "invoice_payment.paid": lambda obj: fields.inner(obj, "payment"),
    "invoice.paid": lambda obj: obj,
    "invoice.payment_failed": lambda obj: obj,
}

_KINDS: Final[Mapping[str, str]] = {
    "payment_intent": PAYMENT_INTENT,
    "charge": CHARGE,
    "refund": REFUND,
    "dispute": DISPUTE,
    "checkout.session": SESSION,
    "balance_transaction": TRANSACTION,
}


class Outcome(Enum):
    """What an event is to us."""

    OBSERVED = auto()
    IGNORED = auto()
    DEFERRED = auto()


class UnreadableObject(ValueError):  # noqa: N818 - it names what the object is
    """Not even the id of the object can be read."""


Fetches = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Translation:
    """What was understood, and which objects must be read because they were not."""

    outcome: Outcome
    observations: tuple[Observation, ...] = ()
    fetch: Fetches = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Context:
    """Around one top-level object: when and by whom it was said."""

    span: Span
    evidence: str
    vocabulary: Vocabulary
    event_type: str = ""
    is_read: bool = False

    def observation(self, projection: Projection) -> Observation:
        return Observation(
            span=self.span, evidence=self.evidence, projection=projection, is_read=self.is_read
        )


def translate(event: StripeEvent, vocabulary: Vocabulary) -> Translation:
    """Translate an event. Raises UnreadableObject when its object has no id that could be read again."""
    if event.thin:
        kind = _KINDS.get(event.related[0]) if event.related else None
        if kind is None or kind == TRANSACTION or event.related is None:
            return Translation(Outcome.IGNORED)
        return Translation(Outcome.DEFERRED, fetch=((kind, event.related[1]),))
    context = _Context(
        span=Span(event.created_ms, event.created_ms + 999),
        evidence=event.id,
        vocabulary=vocabulary,
        event_type=event.type,
    )
    if event.type in _FOREIGN:
        return _foreign(_FOREIGN[event.type](event.object), context)
    kind = EVENT_TYPES.get(event.type)
    if kind is None or _is_of_another_product(kind, event.object):
        return Translation(Outcome.IGNORED)
    observations, fetch = _observe(kind, event.object, context)
    return Translation(Outcome.OBSERVED, observations, fetch)


def observe_object(
    obj: Json, *, span: Span, evidence: str, vocabulary: Vocabulary, is_read: bool = True
) -> tuple[tuple[Observation, ...], Fetches]:
    """Translate an object that was read from the API, with everything expanded in it."""
    kind = _KINDS.get(str(obj.get("object")))
    if kind is None or _is_of_another_product(kind, obj):
        return (), ()
    context = _Context(span=span, evidence=evidence, vocabulary=vocabulary, is_read=is_read)
    return _observe(kind, obj, context)


def _is_of_another_product(kind: str, obj: Json) -> bool:
    """A Session that sets up a subscription or a payment method is no payment."""
    return kind == SESSION and obj.get("mode") not in (None, "payment")


def _foreign(obj: Json, context: _Context) -> Translation:
    try:
        intent_id = fields.reference(obj, "payment_intent")
    except UnknownShape:
        intent_id = None
    if intent_id is None:
        return Translation(Outcome.IGNORED)
    seen = ForeignSeen(id=intent_id, reason="stripe_invoice")
    return Translation(Outcome.OBSERVED, (context.observation(seen),))


def _observe(kind: str, obj: Json, context: _Context) -> tuple[tuple[Observation, ...], Fetches]:
    try:
        id_ = fields.identity(obj)
    except UnknownShape:
        raise UnreadableObject(f"a {kind} without an id") from None
    try:
        return tuple(context.observation(each) for each in _READERS[kind](obj, context)), ()
    except UnknownShape:
        # What could be read of a strange object is not told apart from what could not: all of it is read again.
        return (), ((kind, id_),) if kind != TRANSACTION else ()


def _intents(obj: Json, context: _Context) -> Iterator[Projection]:
    yield objects.intent(obj, context.event_type, context.span.lo_ms, context.vocabulary)
    id_ = fields.identity(obj)
    embedded, _ = fields.listed(obj, "charges")
    latest = obj.get("latest_charge")
    for each in (*embedded, *([latest] if isinstance(latest, dict) else [])):
        yield from _charges_of(each, id_, context)


def _charges(obj: Json, context: _Context) -> Iterator[Projection]:
    yield from _charges_of(obj, None, context)


def _charges_of(obj: Json, owner: str | None, context: _Context) -> Iterator[Projection]:
    seen = objects.charge(obj, owner, context.vocabulary)
    yield seen
    refunds, _ = fields.listed(obj, "refunds")
    for each in refunds:
        yield objects.refund(each, seen.id, seen.intent)
        yield from _transactions_in(each, "balance_transaction", "failure_balance_transaction")
    yield from _transactions_in(obj, "balance_transaction", "failure_balance_transaction")
    if isinstance(obj.get("payment_intent"), dict):
        yield objects.intent(obj["payment_intent"], "", context.span.lo_ms, context.vocabulary)


def _refunds(obj: Json, context: _Context) -> Iterator[Projection]:
    yield objects.refund(obj, None, None)
    yield from _transactions_in(obj, "balance_transaction", "failure_balance_transaction")
    if isinstance(obj.get("charge"), dict):
        yield from _charges_of(obj["charge"], None, context)


def _disputes(obj: Json, context: _Context) -> Iterator[Projection]:
    yield objects.dispute(obj)
    moved = obj.get("balance_transactions")
    for each in moved if isinstance(moved, list) else []:
        if isinstance(each, dict):
            yield objects.transaction(each)
    if isinstance(obj.get("charge"), dict):
        yield from _charges_of(obj["charge"], None, context)


def _sessions(obj: Json, context: _Context) -> Iterator[Projection]:
    yield objects.session(obj, context.event_type, context.vocabulary)
    if isinstance(obj.get("payment_intent"), dict):
        yield from _intents(obj["payment_intent"], _without_type(context))


def _transactions(obj: Json, context: _Context) -> Iterator[Projection]:
    yield objects.transaction(obj)
    source = obj.get("source")
    kind = _KINDS.get(str(source.get("object"))) if isinstance(source, dict) else None
    if kind is not None and kind != TRANSACTION:
        yield from _READERS[kind](fields.inner(obj, "source"), _without_type(context))


def _transactions_in(obj: Json, *names: str) -> Iterator[Projection]:
    for name in names:
        if isinstance(obj.get(name), dict):
            yield objects.transaction(obj[name])


def _without_type(context: _Context) -> _Context:
    """The type of an event tells about its own object only, not about what is expanded inside."""
    return _Context(
        span=context.span,
        evidence=context.evidence,
        vocabulary=context.vocabulary,
        is_read=context.is_read,
    )


_READERS: Final[Mapping[str, Callable[[Json, _Context], Iterator[Projection]]]] = {
    PAYMENT_INTENT: _intents,
    CHARGE: _charges,
    REFUND: _refunds,
    DISPUTE: _disputes,
    SESSION: _sessions,
    TRANSACTION: _transactions,
}
