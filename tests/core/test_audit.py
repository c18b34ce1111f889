"""Does the audit trail tell on the invoices' side what came to them and left them, by whose word?"""

from collections.abc import Mapping

import pytest

from reconciler.core.audit import COVERAGE, InvoiceChange, PaymentChange, transitions
from reconciler.core.ledger import Ledger, Standing
from reconciler.core.matching import Allocation, Match, Rule
from reconciler.core.observation import Assignment
from reconciler.core.payment import summarise
from tests.core import builders as b

ANN = Assignment(payment_id="pi_1", shares=(("a", 400),), by="ann", reason="phoned", decided_ms=1)
BOB = Assignment(
    payment_id="pi_1",
    shares=(("a", 400), ("b", None)),
    by="bob",
    reason="rest",
    decided_ms=2,
    previous=ANN,
)
TAKEN = Assignment(payment_id="pi_1", shares=(), by="cy", reason="slip", decided_ms=3, previous=BOB)


def _placed(parts: Mapping[str, int], rule: Rule = Rule.AGREEMENT) -> tuple[Allocation, ...]:
    return tuple(
        Allocation(payment_id="pi_1", invoice_id=id_, amount_minor=part, rule=rule)
        for id_, part in parts.items()
    )


def _decided(*parts: tuple[str, int, Assignment]) -> tuple[Allocation, ...]:
    return tuple(
        Allocation(
            payment_id="pi_1",
            invoice_id=id_,
            amount_minor=part,
            rule=Rule.ASSIGNED,
            decided_by=who.by,
            reason=who.reason,
        )
        for id_, part, who in parts
    )


def _match(
    rule: Rule,
    allocations: tuple[Allocation, ...] = (),
    decision: Assignment | None = None,
    claimed: frozenset[str] = frozenset(),
) -> Match:
    return Match(
        payment_id="pi_1", rule=rule, allocations=allocations, decision=decision, claimed=claimed
    )


MOVES = {
    "a rule places it": ((), _match(Rule.AGREEMENT, _placed({"a": 1000})), {("a", None, "pi_1 10.00 EUR", "agreement")}),
    "its money comes": (
        _placed({"a": 0}),
        _match(Rule.STORED_ID, _placed({"a": 1000})),
        {("a", "pi_1 nothing yet", "pi_1 10.00 EUR", "stored_id")},
    ),
    "nothing moves": (_placed({"a": 1000}), _match(Rule.STORED_ID, _placed({"a": 1000})), set()),
    "a rule moves it": (
        _placed({"a": 1000}),
        _match(Rule.AGREEMENT, _placed({"b": 1000})),
        {("a", "pi_1 10.00 EUR", None, "agreement"), ("b", None, "pi_1 10.00 EUR", "agreement")},
    ),
    "names disagree": (
        _placed({"a": 1000}),
        _match(Rule.CONFLICT, claimed=frozenset("ab")),
        {("a", "pi_1 10.00 EUR", None, "conflicting_references")},
    ),
    "a person takes it back": (
        _placed({"a": 1000}),
        _match(Rule.ASSIGNED, decision=TAKEN),
        {("a", "pi_1 10.00 EUR", None, "cy: slip")},
    ),
    "the money of what two people have decided comes": (
        _decided(("a", 0, ANN), ("b", 0, BOB)),
        _match(Rule.ASSIGNED, _decided(("a", 400, ANN), ("b", 600, BOB)), BOB),
        {
            ("a", "pi_1 nothing yet", "pi_1 4.00 EUR", "ann: phoned"),
            ("b", "pi_1 nothing yet", "pi_1 6.00 EUR", "bob: rest"),
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", MOVES)
def test_it_tells_every_invoice_of_its_part(case: str) -> None:
    """Whether a rule or a person moved it: what an invoice had and has of a payment, told with the word that decided."""
    stored, found, expected = MOVES[case]
    book = b.book(b.event(b.intent()))
    change = PaymentChange(
        book=book, summary=summarise(book), match=found, is_changed=False, is_moved=True
    )

    told = transitions({"pi_1": book}, [change], [], Ledger(allocations={"pi_1": stored}))

    parts = {
        (each.subject_id, each.old, each.new, each.rule) for each in told if each.field == "payment"
    }
    assert parts == expected


def test_it_tells_whom_its_names_set_at_odds() -> None:
    """Each invoice that a payment names beside another has it in its trail, from when that began until it is over."""
    book = b.book(b.event(b.intent()))
    found = _match(Rule.CONFLICT, claimed=frozenset("ab"))
    change = PaymentChange(
        book=book, summary=summarise(book), match=found, is_changed=False, is_moved=True
    )

    told = transitions({}, [change], [], Ledger(claims={"b": frozenset({"pi_1"}), "c": frozenset({"pi_1"})}))  # fmt: skip

    claims = {(each.subject_id, each.old, each.new) for each in told if each.field == "claim"}
    assert claims == {("a", None, "pi_1"), ("c", "pi_1", None)}


@pytest.mark.parametrize(
    ("was", "now", "expected"),
    [
        (1000, None, [("inv_1", "10.00 EUR", None)]),
        (1000, 1000, []),
        (None, 1000, []),
        (None, None, []),
    ],
)
def test_it_tells_when_what_covered_an_invoice_was_taken_back(
    was: int | None, now: int | None, expected: list[tuple[str, str, None]]
) -> None:
    """Once each time, also where the app has deleted the invoice meanwhile."""
    settlement = b.settled()
    stored = Standing(settlement=settlement, covered_due_minor=was)
    change = InvoiceChange(
        standing=Standing(settlement=settlement, covered_due_minor=now),
        shares=(),
        write=None,
        is_changed=True,
    )

    told = transitions({}, [], [change], Ledger(standings={"inv_1": stored}))

    assert [(e.subject_id, e.old, e.new) for e in told if e.field == COVERAGE] == expected
