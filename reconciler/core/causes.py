"""Which piece of evidence does the audit trail name as the cause of a step, where much came at once?

Evidence about many payments shares a transaction: a page of a list, or the webhooks that waited for the same commit. A step of
a payment or an invoice is told with what was said about it, never with what was said about a neighbour.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from reconciler.core.audit import Transition
from reconciler.core.decision import Decision
from reconciler.core.known import Known
from reconciler.core.ledger import Ledger
from reconciler.core.observation import Assignment, Evidence, InvoiceSeen, Observation

PAYMENT: Final = "payment"
INVOICE: Final = "invoice"
_WORD: Final = 0
_DECISION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Causes:
    """The cause of each subject's steps, and the one of all the rest."""

    first: str
    of: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def __call__(self, step: Transition) -> str:
        """The cause of a step."""
        return self.of.get((step.subject_kind, step.subject_id), self.first)


def causes(
    evidence: Sequence[Evidence], after: Known, ledger: Ledger, decision: Decision
) -> Causes:
    """The causes of a decision: for a payment the latest word about it, for an invoice the latest about its payments.

    A person's decision comes before all words of Stripe, and these before the look at an invoice's row.
    """
    first = _name(evidence[0]) if evidence else ""
    if len(evidence) == 1 or not decision.transitions:
        return Causes(first=first)
    words = _words(evidence, after)
    found = {
        (INVOICE, each.invoice_id): _name(each)
        for each in evidence
        if isinstance(each, InvoiceSeen)
    }
    for invoice_id, holders in _holders(ledger, decision).items():
        said = max((words[each] for each in holders if each in words), default=None)
        if said is not None:
            found[INVOICE, invoice_id] = said.name
    return Causes(
        first=first, of=found | {(PAYMENT, id_): said.name for id_, said in words.items()}
    )


class _Said(NamedTuple):
    """One piece about a payment: a word or a decision, when it was true, and which came last of those that came together."""

    rank: int
    at_ms: int
    place: int
    name: str


def _words(evidence: Sequence[Evidence], after: Known) -> dict[str, _Said]:
    """What counts of all that was said about each payment, or Session that asked for no money."""
    words: dict[str, _Said] = {}
    for place, each in enumerate(evidence):
        match each:
            case Observation():
                id_ = after.owner_of(each.projection.id) or each.projection.id
                said = _Said(_WORD, each.span.hi_ms, place, each.evidence)
            case Assignment():
                id_, said = each.payment_id, _Said(_DECISION, each.decided_ms, place, _name(each))
            case InvoiceSeen():
                continue
        words[id_] = max(words.get(id_, said), said)
    return words


def _holders(ledger: Ledger, decision: Decision) -> dict[str, set[str]]:
    """The payments and waived Sessions that were at each invoice, are at it, or are at odds about it."""
    held: dict[str, set[str]] = {}
    for id_, allocations in ledger.allocations.items():
        for share in allocations:
            held.setdefault(share.invoice_id, set()).add(id_)
    for invoice_id, holders in ledger.claims.items():
        held.setdefault(invoice_id, set()).update(holders)
    for id_, invoices in decision.waivers.items():
        for invoice_id in invoices:
            held.setdefault(invoice_id, set()).add(id_)
    for change in decision.payments:
        for share in change.match.allocations:
            held.setdefault(share.invoice_id, set()).add(change.book.id)
        for invoice_id in change.match.claimed:
            held.setdefault(invoice_id, set()).add(change.book.id)
    return held


def _name(each: Evidence) -> str:
    match each:
        case Observation():
            return each.evidence
        case Assignment():
            return f"decision of {each.by}"
        case InvoiceSeen():
            return "invoice seen"
