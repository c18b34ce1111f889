"""How is it told that money of a payment came to an invoice or left it, and why?

The audit trail has such a move on both sides: the payment's, with all its invoices, and the invoice's, with its part. The
story of an invoice tells both as one sentence.
"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from reconciler.core.audit import COVERAGE
from reconciler.core.matching import Rule

Row: TypeAlias = Mapping[str, Any]

_RULES: Final[Mapping[str, str]] = MappingProxyType(
    {
        Rule.STORED_ID: "the invoice stores its id at Stripe",
        Rule.AGREEMENT: "everything that names an invoice names this one",
        Rule.PAYER_REFERENCE: "the payer's reference names it, and amount and currency are exactly the invoice's",
        Rule.PAYMENT_LINK: "no other invoice has its Payment Link, and amount and currency are exactly the invoice's",
        Rule.SPLIT_BY_STORED_IDS: "several invoices store its id, and share it if it is exactly their totals together",
        Rule.CONFLICT: "its names disagree about the invoice",
        Rule.NOT_BORNE_OUT: "only the payer's reference names an invoice, and amount or currency are others",
        Rule.UNMATCHED: "nothing in it names exactly one invoice",
        Rule.FOREIGN: "it is none of ours",
        Rule.ASSIGNED: "a person decided so",
    }
)


def rule_of(rule: str) -> str:
    """A rule's word as a sentence; what is no rule's word stays as it is."""
    return _RULES.get(rule, rule)


def payments_in(transitions: Iterable[Row]) -> set[str]:
    """The payments that came to an invoice, left it, or named it beside another, by the invoice's own transitions."""
    return {_payment_of(row) for row in transitions if _is_of_payment(row)}


def paired(transitions: Iterable[Row]) -> Iterator[tuple[Row, Row | None]]:
    """Each transition to tell, in order; a move on the invoice's side with what the payment's side says of the same move."""
    rows, latest = list(transitions), dict[tuple[Any, Any], Row]()
    beside: dict[int, Row] = {}
    for row in rows:
        if row["field"] == "invoice":
            latest[row["subject_id"], row["at"]] = row
        elif _is_of_payment(row) and None in {row["old"], row["new"]}:
            same = latest.pop((_payment_of(row), row["at"]), None)
            if same is not None:
                beside[row["id"]] = same
    told = {each["id"] for each in beside.values()}
    for row in rows:
        if row["id"] not in told:
            yield row, beside.get(row["id"])


def move_words(row: Row, beside: Row | None) -> str | None:
    """A move as a sentence; None where a transition tells of something else."""
    if row["field"] == "invoice":
        return f"payment {row['subject_id']} {_belongs(row)}"
    if row["subject_kind"] != "invoice":
        return None
    if row["field"] == COVERAGE:
        return f"invoice: what covered its {row['old']} was taken back"
    if row["field"] == "claim":
        id_ = _payment_of(row)
        if row["new"] is None:
            return f"payment {id_} no longer keeps the invoice in review{_why(row)}"
        return f"payment {id_} names the invoice beside another one: nothing of it is allocated"
    return _part_words(row, beside) if row["field"] == "payment" else None


def _part_words(row: Row, beside: Row | None) -> str:
    id_, invoice = _payment_of(row), row["subject_id"]
    old, new = (str(row[each] or "").removeprefix(f"{id_} ") for each in ("old", "new"))
    here = f"payment {id_} belongs to invoice {invoice} with {new}"
    if old and new:
        return f"{here} instead of {old}{'' if row['rule'] in _RULES else _why(row)}"
    if new:
        return f"{here}{_others(invoice, beside)}{_why(row)}"
    left = f"payment {id_} left invoice {invoice} with {old}"
    if row["rule"] in _RULES and beside is not None:
        return f"{left}. It {_belongs(beside)}"
    return f"{left}{_why(row)}"


def _others(invoice: str, beside: Row | None) -> str:
    ids = str(beside["new"]).split(",") if beside is not None and beside["new"] != invoice else []
    others = ", ".join(each for each in ids if each != invoice)
    return f", beside {others}" if others else ""


def _belongs(row: Row) -> str:
    if row["new"] is None:
        return f"belongs to no invoice: {rule_of(row['rule'])}"
    return f"belongs to invoice {str(row['new']).replace(',', ', ')}: {rule_of(row['rule'])}"


def _why(row: Row) -> str:
    return f": {rule_of(row['rule'])}" if row["rule"] in _RULES else f" ({row['rule']})"


def _is_of_payment(row: Row) -> bool:
    return row["subject_kind"] == "invoice" and row["field"] in {"payment", "claim"}


def _payment_of(row: Row) -> str:
    return str(row["new"] or row["old"]).partition(" ")[0]
