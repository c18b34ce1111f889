"""Whether one more share of a payment is added to those before, and refused where the money has a place already."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.assigning import Obstacle, Place, Shares, add_share
from reconciler.core.directory import directory
from reconciler.core.matching import Allocation, Rule, match
from reconciler.core.observation import Assignment, Reference, ReferenceKind
from tests.core import builders as b

NAMED = [Reference(ReferenceKind.METADATA, "a")]


def decided(*shares: tuple[str, int | None]) -> Assignment:
    """Decide as a person before."""
    return Assignment(
        payment_id="pi_1", shares=shares, by="ann", reason="phoned", decided_ms=b.NOON_MS
    )


def placed(
    decision: Assignment | None = None,
    status: str = "succeeded",
    *,
    named: bool = False,
    refunded_minor: int = 0,
) -> Place:
    """Put ten euros where a decision, or their name, says; so much of it was given back since."""
    payment = b.summary(status, refunded_minor=refunded_minor)
    found = match(payment, NAMED if named else [], directory([b.invoice("a")]), decision)
    return Place(payment=payment, allocations=found.allocations, decision=decision)


CASES: dict[str, tuple[Place, tuple[str, int | None], Shares | Obstacle]] = {
    "all of it": (placed(), ("a", None), (("a", None),)),
    "a part": (placed(), ("a", 400), (("a", 400),)),
    "all of it, in figures": (placed(), ("a", 1000), (("a", 1000),)),
    "more than came": (placed(), ("a", 1001), Obstacle.TOO_MUCH),
    "the rest": (placed(decided(("a", 400))), ("b", None), (("a", 400), ("b", None))),
    "a second part": (placed(decided(("a", 400))), ("b", 600), (("a", 400), ("b", 600))),
    "more for the same": (placed(decided(("a", 400))), ("a", 100), (("a", 400), ("a", 100))),
    "the rest for the same": (placed(decided(("a", 400))), ("a", None), (("a", 400), ("a", None))),
    "what is left of a refunded rest": (
        placed(decided(("a", 400)), refunded_minor=250),
        ("b", None),
        (("a", 400), ("b", 350)),
    ),
    "a rest that was given back": (
        placed(decided(("a", 400)), refunded_minor=600),
        ("b", None),
        Obstacle.NOTHING_LEFT,
    ),
    "more than is left": (placed(decided(("a", 400))), ("b", 601), Obstacle.TOO_MUCH),
    "after all parts": (
        placed(decided(("a", 400), ("b", 600))),
        ("c", 1),
        Obstacle.NOTHING_LEFT,
    ),
    "after the rest": (placed(decided(("a", None))), ("b", None), Obstacle.NOTHING_LEFT),
    "again": (placed(decided(("a", None))), ("a", None), Obstacle.ALREADY_THERE),
    "again, in figures first": (
        placed(decided(("a", 1000))),
        ("a", None),
        Obstacle.ALREADY_THERE,
    ),
    "after it was taken back": (placed(decided()), ("b", None), (("b", None),)),
    "where a rule has put it": (placed(named=True), ("a", None), (("a", None),)),
    "where a rule has put it, in figures": (placed(named=True), ("a", 1000), (("a", 1000),)),
    "a part of it where a rule has put all": (
        placed(named=True),
        ("a", 400),
        Obstacle.NOTHING_LEFT,
    ),
    "where a rule will put what is on its way": (
        placed(status="processing", named=True),
        ("a", None),
        (("a", None),),
    ),
    "a part of it before it has come": (
        placed(status="processing", named=True),
        ("a", 400),
        Obstacle.NO_MONEY,
    ),
    "where a rule had put what will never come": (
        placed(status="canceled", named=True),
        ("a", None),
        Obstacle.NO_MONEY,
    ),
    "elsewhere than a rule has put it": (placed(named=True), ("b", None), Obstacle.NOTHING_LEFT),
    "a part of what a rule has put": (placed(named=True), ("b", 100), Obstacle.NOTHING_LEFT),
    "what is on its way": (placed(status="processing"), ("a", None), (("a", None),)),
    "what is on its way and promised": (
        placed(decided(("a", None)), "processing"),
        ("b", None),
        Obstacle.NOTHING_LEFT,
    ),
    "what is on its way to where a rule will put it": (
        placed(status="processing", named=True),
        ("b", None),
        Obstacle.NOTHING_LEFT,
    ),
    "a part of what is on its way": (placed(status="processing"), ("a", 100), Obstacle.NO_MONEY),
    "what will never come": (placed(status="canceled"), ("a", None), Obstacle.NO_MONEY),
}


@pytest.mark.parametrize("case", CASES)
def test_it_adds_a_share_or_says_what_is_in_its_way(case: str) -> None:
    """A share is added to those before and moves none of them; no more is given away than came."""
    place, (invoice_id, amount_minor), expected = CASES[case]

    assert add_share(place, invoice_id, amount_minor) == expected


@given(
    wishes=st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.integers(1, 1200)), max_size=6)
)
def test_it_never_gives_away_more_than_came(wishes: list[tuple[str, int | None]]) -> None:
    """Whatever people ask for one after the other: each share that was granted stays whole, and all fit the payment."""
    decision: Assignment | None = None
    granted: dict[str, int] = {}

    for invoice_id, amount_minor in wishes:
        place = placed(decision)
        shares = add_share(place, invoice_id, amount_minor)
        if not isinstance(shares, Obstacle):
            wanted_minor = place.left_minor if amount_minor is None else amount_minor
            granted[invoice_id] = granted.get(invoice_id, 0) + wanted_minor
            decision = decided(*shares)

    found = {each.invoice_id: each.amount_minor for each in placed(decision).allocations}
    assert found == granted
    assert sum(found.values()) <= 1000


def test_it_leaves_each_share_to_whoever_gave_it() -> None:
    """Bob's decision takes over Ann's share unchanged: it stays hers, with her reason; after an unassign nothing does."""
    first = decided(("a", 400))
    second = Assignment(payment_id="pi_1", shares=(("a", 400), ("b", None)), by="bob", reason="mail",
                        decided_ms=b.NOON_MS + 1, previous=first)  # fmt: skip
    none = Assignment(payment_id="pi_1", shares=(), by="bob", reason="no", decided_ms=b.NOON_MS + 2,
                      previous=second)  # fmt: skip
    again = Assignment(payment_id="pi_1", shares=(("a", 400),), by="cy", reason="yes",
                       decided_ms=b.NOON_MS + 3, previous=none)  # fmt: skip

    def who(decision: Assignment) -> dict[str, Allocation]:
        return {each.invoice_id: each for each in placed(decision).allocations}

    assert {id_: each.decided_by for id_, each in who(second).items()} == {"a": "ann", "b": "bob"}
    assert who(second)["a"].reason == "phoned"
    assert who(second)["a"].decided_ms == b.NOON_MS
    assert who(again)["a"].decided_by == "cy"
    assert {each.rule for each in who(again).values()} == {Rule.ASSIGNED}
