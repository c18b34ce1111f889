"""Whom does a refund of a shared payment concern, and with how much?"""

from collections.abc import Iterable, Mapping
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.ledger import Rules
from reconciler.core.matching import Allocation, Rule
from reconciler.core.milestones import fresh, of_invoice, of_payment
from reconciler.core.notice import Notice, Placed
from reconciler.core.observation import Failure, Observation
from reconciler.core.payment import Book
from reconciler.core.returned import OF_DISPUTES
from tests.core import builders as b

USERS = {"a": "ann", "b": "bob", "c": "ann", "d": None}
INVOICES = {
    id_: b.invoice(id_, number=f"INV-{id_.upper()}", user_id=user) for id_, user in USERS.items()
}
COVERED = dict.fromkeys(INVOICES, True)
NOTHING = Placed(book=Book(id="pi_1"))
PAID = b.event(b.intent())
REFUND = b.event(b.refund("succeeded", 301), 60)


def _placed(parts: Mapping[str, int], *observations: Observation) -> Placed:
    """A payment of ten euros, in so many parts at these invoices."""
    allocations = tuple(
        Allocation(payment_id="pi_1", invoice_id=id_, amount_minor=part, rule=Rule.ASSIGNED)
        for id_, part in parts.items()
    )
    return Placed(book=b.book(*observations), allocations=allocations)


def _told(before: Placed, after: Placed) -> list[Notice]:
    return list(of_payment(before, after, INVOICES, COVERED))


def _short(notices: Iterable[Notice]) -> set[tuple[str, str, str, int]]:
    return {(each.milestone, each.user_id, each.number, each.amount_minor) for each in notices}


PARTS = {
    "one invoice": ({"a": 1000}, {("ann", "INV-A", 301)}),
    "money that is at no invoice": ({"a": 500}, set()),
    "more than is at no invoice": ({"a": 800}, {("ann", "INV-A", 101)}),
    "two users": ({"a": 400, "b": 600}, {("ann", "INV-A", 120), ("bob", "INV-B", 181)}),
    "one user with two of three": (
        {"a": 400, "b": 500, "c": 100},
        {("ann", "INV-A, INV-C", 150), ("bob", "INV-B", 151)},
    ),
    "an invoice without a user": ({"b": 500, "d": 500}, {("bob", "INV-B", 151)}),
    "an invoice that is gone": ({"b": 500, "gone": 500}, {("bob", "INV-B", 151)}),
    "a part of nothing": ({"a": 1000, "b": 0}, {("ann", "INV-A", 301)}),
    "no invoice": ({}, set()),
}


@pytest.mark.parametrize("kind", ["refund_done", "refund_failed"])
@pytest.mark.parametrize("case", PARTS)
def test_it_tells_each_user_of_the_part_that_is_theirs(case: str, kind: str) -> None:
    """A refund is cut along the allocations, and each user hears once of the sum that is cut from their invoices."""
    parts, expected = PARTS[case]
    word = "succeeded" if kind == "refund_done" else "failed"
    refund = b.event(b.refund(word, 301), 60)

    told = _told(_placed(parts, PAID), _placed(parts, PAID, refund))

    assert _short(told) == {(f"{kind}:re_1", *each) for each in expected}


def test_it_tells_nothing_that_was_told() -> None:
    """The same refund again, or a decision that gives a user another share, tells nobody who has heard of it."""
    before = _placed({"a": 800}, PAID, REFUND)

    assert _told(before, before) == []
    assert _told(before, _placed({"a": 800, "c": 200}, PAID, REFUND)) == []


def test_it_tells_whoever_gets_a_share_later() -> None:
    """A decision that gives the rest of a refunded payment to another user's invoice tells that user of their part."""
    before = _placed({"a": 800}, PAID, REFUND)

    told = _told(before, _placed({"a": 800, "b": 200}, PAID, REFUND))

    assert _short(told) == {("refund_done:re_1", "bob", "INV-B", 60)}


def test_it_gives_back_only_once_what_is_at_no_invoice() -> None:
    """Of two refunds the first takes what is at no invoice, and the second is the users'; however they are told."""
    second = b.event(b.refund("succeeded", 301, id="re_0", created_ms=b.at_ms(50)), 70)
    parts = {"a": 399, "b": 300}
    alone = _placed(parts, PAID, second)

    told = _told(alone, _placed(parts, PAID, second, REFUND))

    assert _told(_placed(parts, PAID), alone) == []
    assert _short(told) == {
        ("refund_done:re_0", "ann", "INV-A", 172),
        ("refund_done:re_0", "bob", "INV-B", 129),
    }


def test_it_tells_of_a_refund_that_was_known_before_the_money() -> None:
    """Where a refund is heard of before what it refunds, nobody's part is known; they are told when it is."""
    parts = {"a": 0, "b": 0}
    on_its_way = b.event(b.intent("processing"))
    early = _placed(parts, on_its_way, REFUND)

    assert _told(_placed(parts, on_its_way), early) == []
    told = _told(early, _placed({"a": 400, "b": 600}, on_its_way, PAID, REFUND))
    assert sum(each.amount_minor for each in told) == 301


@given(
    parts=st.lists(st.integers(0, 250), max_size=4),
    refunds=st.lists(st.integers(1, 500), min_size=1, max_size=3),
)
def test_it_never_tells_of_more_than_was_refunded(parts: list[int], refunds: list[int]) -> None:
    """However a payment is split, what is told of a refund is at most the refund, and all of it where all has its place."""
    split = dict(zip("abcd", parts, strict=False))
    observations = [
        PAID,
        *(b.event(b.refund("succeeded", n, id=f"re_{i}"), 60 + i) for i, n in enumerate(refunds)),
    ]

    told = _told(NOTHING, _placed(split, *observations))

    for i, amount_minor in enumerate(refunds):
        own = [each for each in told if each.milestone == f"refund_done:re_{i}"]
        assert sum(each.amount_minor for each in own) <= amount_minor
        assert len({each.user_id for each in own}) == len(own)


DAY_S = 86_400
WAITING = b.intent("requires_payment_method", newborn=True)
LATE = b.read(
    b.intent(
        "requires_payment_method", failures=(("pm_1:declined", Failure(b.at_ms(DAY_S), "no")),)
    ),
    DAY_S,
)


@pytest.mark.parametrize(
    ("known", "news", "second"),
    [
        ([], [LATE], 0),
        ([b.event(WAITING)], [LATE], DAY_S),
        ([PAID], [b.read(b.refund("succeeded", 301), DAY_S)], 0),
        (
            [PAID, b.event(b.refund("pending", 301))],
            [b.read(b.refund("succeeded", 301), DAY_S)],
            DAY_S - 5,
        ),
    ],
)
def test_it_takes_what_is_first_heard_for_as_old_as_it_may_be(
    known: list[Observation], news: list[Observation], second: int
) -> None:
    """A read tells that an attempt failed or a refund went through, and not when: old news must wake nobody."""
    before = _placed({"a": 1000}, *known) if known else NOTHING

    told = list(
        of_payment(
            before, _placed({"a": 1000}, *known, *news), INVOICES, {"a": known[:1] == [PAID]}
        )
    )

    assert [each.at_ms for each in told] == [b.at_ms(second)]


def test_it_gives_each_coverage_a_key_of_its_own() -> None:
    """What covers an invoice after a person took back what did is told by another key, and a covered invoice by none."""
    invoice = INVOICES["a"]
    own = [b.share()]

    def keys(*, was_covered: bool = False, taken_back: int = 0) -> list[str]:
        settlement = b.settled(*own)
        found = of_invoice(invoice, settlement, own, was_covered=was_covered, taken_back=taken_back)
        return [each.milestone for each in found]

    firsts = [keys(taken_back=n) for n in range(3)]

    assert firsts[0] == ["invoice_paid:a"]
    assert firsts[1] == ["invoice_paid_again:1:a"]
    assert all(earlier != later for earlier, later in pairwise(firsts))
    assert keys(was_covered=True, taken_back=1) == []


def _disputed(*words: str, **changed: object) -> list[Observation]:
    return [
        b.event(b.dispute(word, **changed), 60 + i, f"evt_d{i}") for i, word in enumerate(words)
    ]


DISPUTES = {
    "an inquiry": ([], ["warning_needs_response"], None),
    "an inquiry that ended": (["warning_needs_response"], ["warning_closed"], None),
    "one that was opened": ([], ["needs_response"], "dispute_opened"),
    "an inquiry that became one": (["warning_under_review"], ["needs_response"], "dispute_opened"),
    "one that was answered": (["needs_response"], ["under_review"], None),
    "one that was lost": (["needs_response"], ["lost"], "dispute_lost"),
    "one that is known only as lost": ([], ["lost"], "dispute_lost"),
    "one that was won": (["under_review"], ["won"], "dispute_won"),
    "one that was won after all": (["needs_response", "lost"], ["won"], "dispute_won"),
    "one that was refunded": (["needs_response"], ["charge_refunded"], None),
    "the same again": (["needs_response", "lost"], ["lost"], None),
}


@pytest.mark.parametrize("case", DISPUTES)
def test_it_tells_of_a_dispute_what_is_new(case: str) -> None:
    """An owner hears that a payment is disputed, and how that ended; of inquiries and of answers nothing."""
    known, said, kind = DISPUTES[case]
    before = [PAID, *_disputed(*known)]
    after = [*before, *_disputed(*said)]

    told = _told(_placed({"a": 1000}, *before), _placed({"a": 1000}, *after))

    assert _short(told) == ({(f"{kind}:dp_1", "ann", "INV-A", 1000)} if kind else set())


def test_it_tells_each_user_of_their_part_of_a_dispute() -> None:
    """A dispute is cut along the allocations, and what is at no invoice is nobody's."""
    parts = {"a": 400, "b": 500}
    dispute = _disputed("needs_response", amount_minor=500)

    told = _told(_placed(parts, PAID), _placed(parts, PAID, *dispute))

    assert _short(told) == {
        ("dispute_opened:dp_1", "ann", "INV-A", 200),
        ("dispute_opened:dp_1", "bob", "INV-B", 250),
    }


def test_it_tells_of_disputes_only_where_that_is_wanted() -> None:
    """The setting decides about disputes, and about nothing else."""
    after = _placed({"a": 1000}, PAID, *_disputed("needs_response"), REFUND)
    told = _told(_placed({"a": 1000}, PAID), after)

    def kinds(*, wanted: bool) -> set[str]:
        return {each.kind for each in fresh(told, Rules(dispute_notices=wanted), b.at_ms(90))}

    assert kinds(wanted=False) == {"refund_done"}
    assert kinds(wanted=True) == {"refund_done", "dispute_opened"}
    assert kinds(wanted=True) - {"refund_done"} <= OF_DISPUTES


@pytest.mark.parametrize(
    ("word", "told_at", "is_told"),
    [("needs_response", None, False), ("lost", 86_400 * 9, True), ("won", 86_400 * 9, True)],
)
def test_it_tells_of_a_dispute_by_the_time_of_what_happened(
    word: str, told_at: int | None, is_told: bool
) -> None:
    """An old dispute that is read today wakes nobody; that it was decided today is news, however old it is."""
    now_s = 86_400 * 9 + 60
    observation = (
        b.read(b.dispute(word), now_s)
        if told_at is None
        else b.event(b.dispute(word), told_at, "evt_9")
    )
    told = _told(_placed({"a": 1000}, PAID), _placed({"a": 1000}, PAID, observation))

    found = fresh(told, Rules(dispute_notices=True), b.at_ms(now_s))

    assert len(told) == 1
    assert (len(found) == 1) is is_told
