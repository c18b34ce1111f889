"""Does each step in the audit trail name the evidence that it came from, in whatever company it came?"""

import itertools

import pytest

from reconciler.core.audit import Transition
from reconciler.core.causes import Causes, causes
from reconciler.core.decision import Decision
from reconciler.core.known import Known, absorb
from reconciler.core.ledger import Ledger
from reconciler.core.matching import Allocation, Rule
from reconciler.core.observation import Assignment, Evidence, InvoiceSeen, Observation
from tests.core import builders as b


def _step(kind: str, id_: str) -> Transition:
    return Transition(subject_kind=kind, subject_id=id_, field="status", old=None, new="paid")


STEPS = {
    (kind, id_): _step(kind, id_)
    for kind, id_ in (("payment", "pi_1"), ("payment", "pi_2"), ("invoice", "1"), ("invoice", "2"))
}
# The first payment is at the first invoice, and so the other one.
LEDGER = Ledger(
    allocations={
        f"pi_{n}": (
            Allocation(payment_id=f"pi_{n}", invoice_id=str(n), amount_minor=1, rule=Rule.ASSIGNED),
        )
        for n in (1, 2)
    }
)
CREATED = b.event(b.intent("requires_payment_method"), 0, "created")
SUCCEEDED = b.event(b.intent(), 9, "succeeded")
CHARGE = b.event(b.charge(), 9, "charge")
REFUND = b.event(b.refund("succeeded", 300, intent=None), 20, "refund")
OTHER = b.event(b.intent(id="pi_2"), 50, "other")
SEEN = InvoiceSeen("1")
DECISION = Assignment(
    payment_id="pi_1", shares=(("1", None),), by="ann", reason="hers", decided_ms=b.at_ms(1)
)


def _causes(*evidence: Evidence) -> Causes:
    told = [each for each in evidence if isinstance(each, Observation)]
    decision = Decision(transitions=tuple(STEPS.values()))
    return causes(evidence, absorb(Known(), told), LEDGER, decision)


@pytest.mark.parametrize(
    ("evidence", "first", "second"),
    [
        ((SUCCEEDED, OTHER), "succeeded", "other"),
        ((CREATED, SUCCEEDED, OTHER), "succeeded", "other"),
        ((CHARGE, REFUND, OTHER), "refund", "other"),
        ((SUCCEEDED, OTHER, DECISION), "decision of ann", "other"),
        ((SUCCEEDED, OTHER, SEEN), "succeeded", "other"),
    ],
)
def test_it_names_what_was_said_about_the_subject(
    evidence: tuple[Evidence, ...], first: str, second: str
) -> None:
    """Whatever the order, a payment and its invoice name the latest word about them, and never a neighbour's."""
    for order in itertools.permutations(evidence):
        cause = _causes(*order)

        assert cause(STEPS["payment", "pi_1"]) == cause(STEPS["invoice", "1"]) == first
        assert cause(STEPS["payment", "pi_2"]) == cause(STEPS["invoice", "2"]) == second


def test_it_names_the_look_at_a_row_of_which_nobody_said_anything() -> None:
    """An invoice that was only seen says so, beside a payment of another one."""
    cause = _causes(OTHER, SEEN)

    assert cause(STEPS["invoice", "1"]) == "invoice seen"
    assert cause(STEPS["invoice", "2"]) == "other"
