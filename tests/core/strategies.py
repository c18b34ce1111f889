"""What may Stripe show of one payment and the objects around it: anything at all, and in a life that can happen?

`observations` are arbitrary: few ids and few times, so that they collide and contradict. A `Life` is what really happens to
a payment: events in their true order, stale reads among them, and one fresh read of every object at its end.
"""

from dataclasses import dataclass

from hypothesis import strategies as st

from reconciler.core.facts import Facts, lift
from reconciler.core.observation import (
    ChargeSeen,
    DisputeSeen,
    Failure,
    ForeignSeen,
    IntentSeen,
    Observation,
    Projection,
    Reference,
    ReferenceKind,
    RefundSeen,
    SessionSeen,
    Span,
    TransactionSeen,
)
from tests.core import builders as b

times = st.integers(0, 12)
spans = st.builds(lambda lo_ms, ms: Span(lo_ms, lo_ms + ms), times, st.integers(0, 5))
amounts = st.sampled_from([0, 500, 1000])
currencies = st.sampled_from(["eur", "usd"])
names = st.sampled_from(["a", "b"])
some_names = st.frozensets(names, max_size=2)
references = st.frozensets(
    st.builds(Reference, st.sampled_from(list(ReferenceKind)), names), max_size=2
)
failures = st.builds(Failure, times, names)
attempts = st.dictionaries(names, failures, max_size=2).map(lambda each: tuple(each.items()))

FINAL_WORDS = ("succeeded", "canceled")
OPEN_WORDS = (
    "requires_payment_method",
    "requires_confirmation",
    "requires_action",
    "processing",
    "requires_capture",
    "word_of_next_year",
)

intents = st.builds(
    IntentSeen,
    id=st.just("pi_1"),
    status=st.sampled_from(FINAL_WORDS + OPEN_WORDS),
    amount_minor=amounts,
    currency=currencies,
    created_ms=times,
    received_minor=amounts,
    capturable_minor=amounts,
    succeeded_ms=st.none() | times,
    references=references,
    failures=attempts,
    emails=some_names,
    foreign=some_names,
    newborn=st.booleans(),
)
foreigns = st.builds(ForeignSeen, id=st.just("pi_1"), reason=names)
charges = st.builds(
    ChargeSeen,
    id=st.sampled_from(["ch_1", "ch_2"]),
    intent=st.just("pi_1"),
    status=st.sampled_from(["pending", "succeeded", "failed"]),
    amount_minor=amounts,
    currency=currencies,
    created_ms=times,
    captured_minor=amounts,
    refunded_minor=amounts,
    refunds_listed=st.booleans(),
    is_card=st.booleans(),
    failure_code=names,
    references=references,
    emails=some_names,
    foreign=some_names,
)
refunds = st.builds(
    RefundSeen,
    id=st.sampled_from(["re_1", "re_2"]),
    charge=st.just("ch_1"),
    intent=st.none() | st.just("pi_1"),
    status=st.sampled_from(["pending", "requires_action", "succeeded", "failed", "canceled"]),
    amount_minor=amounts,
    currency=currencies,
    created_ms=times,
    booked=st.booleans(),
)
disputes = st.builds(
    DisputeSeen,
    id=st.sampled_from(["dp_1", "dp_2"]),
    charge=st.just("ch_1"),
    intent=st.none() | st.just("pi_1"),
    status=st.sampled_from(["warning_needs_response", "needs_response", "lost", "won"]),
    reason=names,
    amount_minor=amounts,
    currency=currencies,
    created_ms=times,
    respond_by_ms=st.none() | times,
)
sessions = st.builds(
    SessionSeen,
    id=st.sampled_from(["cs_1", "cs_2"]),
    intent=st.none() | st.just("pi_1"),
    payment_status=st.sampled_from(["unpaid", "paid", "no_payment_required"]),
    complete=st.booleans(),
    created_ms=times,
    amount_minor=amounts,
    currency=currencies,
    references=references,
    emails=some_names,
    frozen=st.booleans(),
)
transactions = st.builds(
    TransactionSeen,
    id=st.sampled_from(["txn_1", "txn_2"]),
    source=st.sampled_from(["ch_1", "dp_1"]),
    type=st.just("charge"),
    category=st.sampled_from(["charge", "dispute", "dispute_reversal"]),
    currency=currencies,
    amount_minor=st.sampled_from([-1000, 500, 1000]),
    fee_minor=amounts,
    net_minor=amounts,
    exchange_rate=st.just(""),
    created_ms=times,
    available_on_ms=times,
)


def observed(projections: st.SearchStrategy[Projection]) -> st.SearchStrategy[Observation]:
    """Draw observations of such projections, by event or by read, at any time."""
    return st.builds(
        Observation,
        span=spans,
        evidence=names,
        projection=projections,
        is_read=st.booleans(),
    )


def gathered(projections: st.SearchStrategy[Projection]) -> st.SearchStrategy[Facts]:
    """Draw facts of one kind that one to four observations came to."""
    told = st.lists(observed(projections), min_size=1, max_size=4)
    return told.map(lambda each: b.fold(map(lift, each)))


KINDS = {
    "payment": intents | charges | foreigns,
    "refund": refunds,
    "dispute": disputes,
    "session": sessions,
    "transaction": transactions,
}
observations = observed(st.one_of(*KINDS.values()))
histories = st.lists(observations, min_size=1, max_size=10)

# What may follow what (https://docs.stripe.com/payments/paymentintents/lifecycle).
NEXT = {
    "requires_payment_method": ("requires_confirmation", "canceled"),
    "requires_confirmation": ("requires_action", "processing", "succeeded"),
    "requires_action": ("processing", "requires_payment_method", "succeeded", "canceled"),
    "processing": ("requires_payment_method", "requires_capture", "succeeded"),
    "requires_capture": ("succeeded", "canceled"),
    "succeeded": (),
    "canceled": (),
}
REFUND_LIVES = (
    ("pending",),
    ("succeeded",),
    ("pending", "succeeded"),
    ("pending", "succeeded", "failed"),
    ("pending", "canceled"),
)
DISPUTE_LIVES = (
    ("warning_needs_response", "warning_under_review", "warning_closed"),
    ("warning_needs_response", "needs_response"),
    ("needs_response", "under_review", "won"),
    ("needs_response", "under_review", "lost"),
    ("needs_response", "lost", "won"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """All that was told of one payment while it happened, and a fresh read of every object afterwards."""

    told: tuple[Observation, ...]
    reads: tuple[Observation, ...]


@st.composite
def intent_lives(draw: st.DrawFn) -> list[IntentSeen]:
    """Draw the snapshots of a PaymentIntent; one that fails shows the error until it moves on."""
    seen = [b.intent("requires_payment_method", newborn=True)]
    for attempt in range(draw(st.integers(0, 9))):
        if not NEXT[seen[-1].status]:
            break
        status = draw(st.sampled_from(NEXT[seen[-1].status]))
        failed = ((f"ch_{attempt}", Failure(b.at_ms(attempt), "declined")),)
        seen.append(
            b.intent(status, failures=failed if status == "requires_payment_method" else ())
        )
    return seen


@st.composite
def lives(draw: st.DrawFn) -> Life:
    """Draw a life; what happens to one object may happen within one second, and reads may be stale."""
    objects: list[list[Projection]] = [draw(intent_lives())]
    if objects[0][-1].status == "succeeded":
        objects.append([b.charge()])
        for id_ in draw(st.sampled_from([(), ("re_1",), ("re_1", "re_2")])):
            words = draw(st.sampled_from(REFUND_LIVES))
            objects.append([b.refund(word, 300, id=id_) for word in words])
        for words in draw(st.lists(st.sampled_from(DISPUTE_LIVES), max_size=1)):
            objects.append([b.dispute(word) for word in words])
            objects.extend([[b.withdrawn()]] if "needs_response" in words else [])
            objects.extend([[b.reinstated()]] if "won" in words else [])
    told, second = [], 0
    for snapshots in objects:
        for seen in snapshots:
            second += draw(st.integers(0, 2))
            told.append(b.event(seen, second))
            if draw(st.booleans()):
                told.append(b.read(seen, second + draw(st.integers(0, 5))))
    reads = tuple(b.read(snapshots[-1], second + 20) for snapshots in objects)
    return Life(told=tuple(told), reads=reads)
