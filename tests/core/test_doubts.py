"""Whether whatever a snapshot can't decide is asked for, and nothing else is."""

from collections.abc import Sequence

import pytest

from reconciler.core.doubts import doubts, questions, waiting
from reconciler.core.known import Known, absorb, books
from reconciler.core.observation import Observation
from tests.core import builders as b

PAID = b.event(b.intent())


def _asked(told: Sequence[Observation]) -> set[tuple[str, str]]:
    known = absorb(Known(), told)
    found = waiting(known).union(*(doubts(book) for book in books(known).values()))
    return {(each.object_id, each.reason) for each in found}


CASES = {
    "a payment that only a refund names": (
        [b.event(b.refund(charge=None))],
        {("pi_1", "never_seen")},
    ),
    "two words in one second": (
        [b.event(b.intent("processing")), b.event(b.intent("requires_action"))],
        {("pi_1", "contested")},
    ),
    "two words, one after the other": (
        [b.event(b.intent("processing")), b.event(b.intent("requires_action"), 5)],
        set(),
    ),
    "two amounts in one second": (
        [b.event(b.intent("processing")), b.event(b.intent("processing", amount_minor=7))],
        {("pi_1", "contested")},
    ),
    "a word that we do not know": (
        [b.event(b.intent("requires_magic"))],
        {("pi_1", "unknown_word")},
    ),
    "no payment method, and no error: fresh, or after a failure?": (
        [b.event(b.intent("requires_payment_method"))],
        {("pi_1", "fresh_or_failed")},
    ),
    "no payment method when it was just made": (
        [b.event(b.intent("requires_payment_method", newborn=True))],
        set(),
    ),
    "no payment method in a read": ([b.read(b.intent("requires_payment_method"))], set()),
    "no payment method after a known failure": (
        [b.event(b.intent("requires_payment_method", failures=b.DECLINED))],
        set(),
    ),
    "both terminal words": (
        [PAID, b.event(b.intent("canceled"))],
        {("pi_1", "both_terminal_words")},
    ),
    "a charge that is ahead of its payment": (
        [b.event(b.intent("processing")), b.event(b.charge())],
        {("pi_1", "charge_ahead")},
    ),
    "a paid Session ahead of its payment": (
        [b.event(b.intent("processing")), b.event(b.session())],
        {("pi_1", "session_ahead")},
    ),
    "a paid Session without a payment": (
        [b.event(b.session(intent=None))],
        {("cs_1", "paid_without_payment_intent")},
    ),
    "a Session that asked for no money": (
        [b.event(b.session("no_payment_required", intent=None))],
        set(),
    ),
    "a refunded total without its refunds": (
        [PAID, b.event(b.charge(refunded_minor=300))],
        {("ch_1", "refund_total_differs")},
    ),
    "a refunded total with its refunds": (
        [PAID, b.event(b.charge(refunded_minor=300), 9), b.event(b.refund("succeeded", 300))],
        set(),
    ),
    "a total from before the refund": (
        [
            PAID,
            b.event(b.charge()),
            b.event(b.refund("succeeded", 300, created_ms=b.at_ms(60)), 60),
        ],
        set(),
    ),
    "a wrong total that came with the whole list": (
        [PAID, b.read(b.charge(refunded_minor=300, refunds_listed=True))],
        set(),
    ),
    "a charge that was never read": (
        [b.event(b.refund(intent=None))],
        {("ch_1", "charge_not_known")},
    ),
    "an open dispute whose money is not known": (
        [PAID, b.event(b.dispute())],
        {("dp_1", "missing_funds")},
    ),
    "an open dispute with its money": ([PAID, b.event(b.dispute()), b.event(b.withdrawn())], set()),
    "an inquiry, which moves no money": ([PAID, b.event(b.dispute("warning_under_review"))], set()),
    "a dispute won, and its money not returned": (
        [PAID, b.event(b.dispute("won")), b.event(b.withdrawn())],
        {("dp_1", "funds_not_returned")},
    ),
    "a dispute lost after it was won": (
        [
            PAID,
            b.event(b.dispute("won")),
            b.event(b.dispute("lost"), 60),
            b.event(b.withdrawn()),
            b.event(b.reinstated()),
        ],
        {("dp_1", "lost_after_won")},
    ),
    "a dispute won after it was lost": (
        [
            PAID,
            b.event(b.dispute("lost")),
            b.event(b.dispute("won"), 60),
            b.event(b.withdrawn()),
            b.event(b.reinstated()),
        ],
        set(),
    ),
    "a payment that is in order": ([PAID, b.event(b.charge())], set()),
}


@pytest.mark.parametrize("case", CASES)
def test_it_asks_for_what_a_snapshot_cannot_decide(case: str) -> None:
    """Each doubt has its own story, and a story without one asks for nothing."""
    told, expected = CASES[case]

    assert _asked(told) == expected


def test_it_asks_once_although_an_object_changes_its_payment() -> None:
    """A refund that names two payments counts for one of them: it is asked about no second time, and the other not at all."""
    first = absorb(Known(), [b.event(b.refund("strange", intent="pi_2", charge=None))])
    then = absorb(first, [b.event(b.refund("strange", intent="pi_1", charge=None), 5)])

    found = questions(first, then, books(first), books(then))

    assert found.asked == frozenset()
    assert found.withdrawn == {("payment_intent", "pi_2")}
