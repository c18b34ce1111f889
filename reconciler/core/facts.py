"""What is known about a payment and the objects around it, and how does knowledge grow?

This is the lattice. An observation is *lifted* into facts, and facts are *merged*; nothing here is ever set, dropped or
ordered by arrival. Everything that a user sees (statuses, sums, exceptions) is derived from these records elsewhere, so a
wrong rule can be mended by computing again, while a fact that was thrown away could never come back.

Why each field has the join that it has stands beside the field. The facts about Stripe on which the choices rest:
https://docs.stripe.com/webhooks#event-ordering (events are not ordered, `created` is in whole seconds),
https://docs.stripe.com/payments/paymentintents/lifecycle (words before the end go back and forth),
https://docs.stripe.com/refunds#failed-refunds (a refund that succeeded can fail weeks later),
https://docs.stripe.com/disputes/how-disputes-work (a lost dispute can be won later).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from reconciler.core.lattice import (
    Register,
    earliest_by_key,
    falls,
    grows,
    merged,
    merged_by_key,
    register,
    rises,
)
from reconciler.core.observation import (
    ChargeSeen,
    DisputeSeen,
    Failure,
    ForeignSeen,
    IntentSeen,
    Observation,
    Reference,
    ReferenceKind,
    RefundSeen,
    SessionSeen,
    TransactionSeen,
)

SUCCEEDED = "succeeded"
CANCELED = "canceled"
READ_RANK = 3
TERMINAL = frozenset({SUCCEEDED, CANCELED})


class PaidAt(NamedTuple):
    """A moment of payment with the rank of its evidence; the least tuple is the best.

    Ranks: 0 the `payment_intent.succeeded` event, 1 the first positive balance transaction, 2 a card charge (days too
    early for a bank debit, hence cards only), 3 the first observation that showed the money.
    """

    rank: int
    at_ms: int


class SessionTotal(NamedTuple):
    """The total of a Session: that of the completed Session is frozen and beats every earlier one."""

    complete: bool
    lo_ms: int
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentFacts:
    """The facts of one PaymentIntent."""

    created_ms: int | None = falls()
    # Terminal words never leave, so they may simply gather. Both at once cannot happen at Stripe; we keep both and say so.
    terminals: frozenset[str] = grows()
    # requires_payment_method, requires_action and processing oscillate: no rank among them is right, only time tells.
    words: Register[str] = register()
    # An unpaid PaymentIntent can be edited, and no event tells: there is no `payment_intent.updated`.
    amounts: Register[int] = register()
    currencies: Register[str] = register()
    capturables: Register[int] = register()
    # Terminal observations write no register: reading an unchanged final payment again is therefore a no-op.
    final_amounts: frozenset[int] = grows()
    final_currencies: frozenset[str] = grows()
    # What was received is never un-received: refunds leave this field alone.
    received_minor: int = rises(0)
    received_currencies: frozenset[str] = grows()
    paid: PaidAt | None = falls()
    # "Failed" is a fact about an attempt. Stripe clears the field that shows it; we keep it.
    failures: Mapping[str, Failure] = earliest_by_key()
    references: frozenset[Reference] = grows()
    # Metadata can be edited after payment; that of the succeeded event cannot. Once known, it alone speaks.
    metadata_frozen: bool = rises(default=False)
    foreign: frozenset[str] = grows()
    emails: frozenset[str] = grows()
    # A requires_payment_method without an error is innocent when the PaymentIntent was just made or was read.
    innocent_until_ms: int | None = rises()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeFacts:
    """The facts of one charge; kept inside those of its payment."""

    created_ms: int | None = falls()
    # pending -> succeeded | failed, and never back: the words may gather.
    statuses: frozenset[str] = grows()
    amounts: frozenset[int] = grows()
    currencies: frozenset[str] = grows()
    captured_minor: int = rises(0)
    is_card: bool = rises(default=False)
    failure: Failure | None = falls()
    # A hint only, never money: it falls when a refund fails. It tells when the list of refunds must be read.
    refund_totals: Register[int] = register()
    # Totals that came together with the complete list of refunds: asking again would tell nothing new.
    listed_totals: frozenset[int] = grows()
    references: frozenset[Reference] = grows()
    emails: frozenset[str] = grows()
    foreign: frozenset[str] = grows()


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFacts:
    """A payment: a PaymentIntent with its charges, or a charge that has no PaymentIntent."""

    intent: IntentFacts = merged(IntentFacts)
    charges: Mapping[str, ChargeFacts] = merged_by_key()


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundFacts:
    """The facts of one refund. Its word is the highest of `REFUND_RANK`; what should be one value and is two shows."""

    created_ms: int | None = falls()
    # When each word was first true: a refund fails weeks after it was made, and that is when its owner is told.
    statuses: Mapping[str, int] = earliest_by_key()
    # Only what events told: of a word that a read shows, nobody knows since when it is true.
    told: Mapping[str, int] = earliest_by_key()
    amounts: frozenset[int] = grows()
    currencies: frozenset[str] = grows()
    charges: frozenset[str] = grows()
    intents: frozenset[str] = grows()
    # Whether money has moved for it. What is not captured of a hold is released as a refund for which none ever does.
    booked: bool = rises(default=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeFacts:
    """The facts of one dispute. A register, because lost *after* won is a contradiction and won after lost is not."""

    created_ms: int | None = falls()
    words: Register[str] = register()
    told: Mapping[str, int] = earliest_by_key()
    amounts: frozenset[int] = grows()
    currencies: frozenset[str] = grows()
    charges: frozenset[str] = grows()
    intents: frozenset[str] = grows()
    reasons: frozenset[str] = grows()
    respond_by_ms: int | None = rises()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFacts:
    """The facts of one Checkout Session."""

    created_ms: int | None = falls()
    # unpaid < {paid, no_payment_required}: the set is enough, and no PaymentIntent is legal.
    payment_statuses: frozenset[str] = grows()
    complete: bool = rises(default=False)
    intents: frozenset[str] = grows()
    total: SessionTotal | None = rises()
    references: frozenset[Reference] = grows()
    # https://docs.stripe.com/api/checkout/sessions/update can edit its metadata for ever, but not the completed event's.
    metadata_frozen: bool = rises(default=False)
    emails: frozenset[str] = grows()

    @property
    def names(self) -> frozenset[Reference]:
        """The names that count now: frozen metadata silences metadata that was merely read."""
        kinds = (ReferenceKind.SESSION_METADATA, ReferenceKind.FROZEN_SESSION_METADATA)
        silent = kinds[0] if self.metadata_frozen else kinds[1]
        return frozenset(each for each in self.references if each.kind != silent)


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionFacts:
    """A balance transaction never changes: the set of what was seen of it holds one element."""

    seen: frozenset[TransactionSeen] = grows()

    @property
    def value(self) -> TransactionSeen:
        """The transaction; of two contradicting ones, always the same one."""
        return max(self.seen, key=lambda each: (each.amount_minor, each.net_minor, repr(each)))


Facts: TypeAlias = PaymentFacts | RefundFacts | DisputeFacts | SessionFacts | TransactionFacts


def lift(observation: Observation) -> Facts:
    """Turn one observation into the smallest record of facts that holds all it says."""
    seen = observation.projection
    match seen:
        case IntentSeen():
            return PaymentFacts(intent=_lift_intent(seen, observation))
        case ForeignSeen():
            return PaymentFacts(intent=IntentFacts(foreign=frozenset({seen.reason})))
        case ChargeSeen():
            return PaymentFacts(charges={seen.id: _lift_charge(seen, observation)})
        case RefundSeen():
            return RefundFacts(
                created_ms=seen.created_ms,
                statuses={seen.status: observation.span.lo_ms},
                told={} if observation.is_read else {seen.status: observation.span.lo_ms},
                amounts=frozenset({seen.amount_minor}),
                currencies=frozenset({seen.currency}),
                charges=_known(seen.charge),
                intents=_known(seen.intent),
                booked=seen.booked,
            )
        case DisputeSeen():
            return DisputeFacts(
                created_ms=seen.created_ms,
                words={seen.status: observation.span},
                told={} if observation.is_read else {seen.status: observation.span.lo_ms},
                amounts=frozenset({seen.amount_minor}),
                currencies=frozenset({seen.currency}),
                charges=_known(seen.charge),
                intents=_known(seen.intent),
                reasons=_known(seen.reason),
                respond_by_ms=seen.respond_by_ms,
            )
        case SessionSeen():
            return _lift_session(seen, observation)
        case TransactionSeen():
            return TransactionFacts(seen=frozenset({seen}))


def _known(value: str | None) -> frozenset[str]:
    return frozenset({value}) if value else frozenset()


def _lift_intent(seen: IntentSeen, observation: Observation) -> IntentFacts:
    span = observation.span
    is_final = seen.status in TERMINAL
    is_innocent = observation.is_read or seen.newborn
    return IntentFacts(
        created_ms=seen.created_ms,
        terminals=frozenset({seen.status} if is_final else ()),
        words={} if is_final else {seen.status: span},
        amounts={} if is_final else {seen.amount_minor: span},
        currencies={} if is_final else {seen.currency: span},
        capturables={} if is_final else {seen.capturable_minor: span},
        final_amounts=frozenset({seen.amount_minor} if is_final else ()),
        final_currencies=frozenset({seen.currency} if is_final else ()),
        received_minor=seen.received_minor,
        received_currencies=frozenset({seen.currency} if seen.received_minor > 0 else ()),
        paid=_paid_at(seen, span.lo_ms),
        failures=dict(seen.failures),
        references=seen.references,
        metadata_frozen=seen.succeeded_ms is not None,
        foreign=seen.foreign,
        emails=seen.emails,
        innocent_until_ms=span.hi_ms if is_innocent and not is_final else None,
    )


def _paid_at(seen: IntentSeen, lo_ms: int) -> PaidAt | None:
    best = PaidAt(READ_RANK, lo_ms) if seen.succeeded_ms is None else PaidAt(0, seen.succeeded_ms)
    return best if seen.received_minor > 0 else None


def _lift_charge(seen: ChargeSeen, observation: Observation) -> ChargeFacts:
    failed = seen.status == "failed"
    return ChargeFacts(
        created_ms=seen.created_ms,
        statuses=frozenset({seen.status}),
        amounts=frozenset({seen.amount_minor}),
        currencies=frozenset({seen.currency}),
        captured_minor=seen.captured_minor if seen.status == SUCCEEDED else 0,
        is_card=seen.is_card,
        failure=Failure(seen.created_ms, seen.failure_code) if failed else None,
        refund_totals={seen.refunded_minor: observation.span},
        listed_totals=frozenset({seen.refunded_minor} if seen.refunds_listed else ()),
        references=seen.references,
        emails=seen.emails,
        foreign=seen.foreign,
    )


def _lift_session(seen: SessionSeen, observation: Observation) -> SessionFacts:
    lo_ms = 0 if seen.complete else observation.span.lo_ms
    return SessionFacts(
        created_ms=seen.created_ms,
        payment_statuses=frozenset({seen.payment_status}),
        complete=seen.complete,
        intents=_known(seen.intent),
        total=SessionTotal(seen.complete, lo_ms, seen.amount_minor, seen.currency),
        references=seen.references | {Reference(ReferenceKind.CHECKOUT_SESSION, seen.id)},
        metadata_frozen=seen.frozen,
        emails=seen.emails,
    )
