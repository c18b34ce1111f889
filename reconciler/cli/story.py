"""How did an invoice come to its state, told so that an engineer and an accountant both understand it?

Whatever was stored at one moment was stored in one transaction: what Stripe said, what followed from it, and who was told.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, tzinfo
from types import MappingProxyType
from typing import Any, Final

from reconciler.cli.moves import move_words, paired, payments_in, rule_of
from reconciler.cli.output import cell, money
from reconciler.core.invoice import InvoiceStatus
from reconciler.core.matching import Rule
from reconciler.db import deliveries, lateness, ledgers, queries
from reconciler.db.session import Tx

MEANINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        InvoiceStatus.REVIEW: "what is known contradicts itself, or money came in another currency",
        InvoiceStatus.DISPUTED: "a payment of it is disputed, or was won and its money is not back yet",
        InvoiceStatus.OVERPAID: "more is held than is due",
        InvoiceStatus.PAID: "exactly what is due is held",
        InvoiceStatus.CHARGED_BACK: "a dispute took money back",
        InvoiceStatus.PARTIALLY_REFUNDED: "all of it was received, and a part was given back",
        InvoiceStatus.PARTIALLY_PAID: "a part of it was received",
        InvoiceStatus.PROCESSING: "a payment is on its way",
        InvoiceStatus.AUTHORIZED: "a payment is authorised, and not captured yet",
        InvoiceStatus.REFUNDED: "everything was given back",
        InvoiceStatus.FAILED: "an attempt to pay it failed",
        InvoiceStatus.UNPAID: "nothing was received",
    }
)
"""What each `payment_status` means: the row of the rule that matched first."""

# As `core.audit` writes it, in minor units.
_SUMS: Final = re.compile(r"received (-?\d+), net (-?\d+) of (-?\d+) ([a-z]{3})")
_CLAIMS: Final = MappingProxyType(
    {
        "conflict": "names it, and names another invoice too: nothing is allocated",
        "rival": "is at another invoice, and may have meant this one as well",
        "waiver": "names it and asked for no money",
    }
)
_CAME_BY: Final = MappingProxyType(
    {"webhook": "by webhook", "poll": "found by a sweep", "manual": "by a manual run"}
)
_NOT_APPLIED: Final = MappingProxyType(
    {
        "deferred": "waits for a read",
        "failed": "could not be applied yet",
        "dead": "could not be applied",
        "quarantined": "is of another account or mode, and was not applied",
    }
)
_FATES: Final = MappingProxyType(
    {
        "pending": "not looked at yet",
        "sent": "sent long ago",
        "no_browser": "no browser of theirs wants to hear",
        "expired": "too old to be sent",
        "overtaken": "not sent: paid by then",
    }
)


@dataclass(slots=True)
class Step:
    """One moment: what was said then, and what followed."""

    at: datetime
    causes: list[str] = field(default_factory=list)
    changes: list[str] = field(default_factory=list)


def story_of(tx: Tx, invoice: Mapping[str, Any], days: tzinfo | None = None) -> dict[str, Any]:
    """Everything that is stored about an invoice, and its steps in order.

    `days` is the zone whose days `paid_at` holds, where it holds no more.
    """
    settlement = queries.settlement(tx, invoice["id"])
    allocations = [
        {**row, "deciders": _deciders(tx, row) if row["rule"] == Rule.ASSIGNED else []}
        for row in queries.allocations_of_invoice(tx, invoice["id"])
    ]
    claims = queries.claims_of_invoice(tx, invoice["id"])
    ids = {row["payment_id"] for row in allocations} | {row["holder_id"] for row in claims}
    objects = _around(tx, ids | payments_in(queries.transitions_of(tx, {invoice["id"]})))
    events = queries.events_about(tx, objects)
    transitions = queries.transitions_of(tx, {invoice["id"], *objects})
    notifications = _notifications(tx, invoice["id"])
    reads = [row for row in queries.observations_of(tx, objects) if row["is_read"]]
    steps = _steps(events, reads, transitions, notifications, days)
    return {
        "invoice": dict(invoice),
        "settlement": settlement,
        "allocations": allocations,
        "claims": claims,
        "first_told": lateness.told_of(tx, sorted(ids)),
        "events": events,
        "transitions": transitions,
        "notifications": notifications,
        "steps": [asdict(each) for each in steps],
    }


def rule_words(row: Mapping[str, Any]) -> str:
    """Why a payment belongs to an invoice, or does not."""
    if row["rule"] == Rule.ASSIGNED:
        return "; ".join(f"{each['by']} decided so: {each['reason']}" for each in row["deciders"])
    return rule_of(row["rule"])


def claim_words(row: Mapping[str, Any]) -> str:
    """What a payment or Session says of an invoice that does not get its money."""
    return _CLAIMS.get(row["kind"], str(row["kind"]))


def _deciders(tx: Tx, allocation: Mapping[str, Any]) -> list[dict[str, str]]:
    """Who gave an invoice the shares that it has of a payment, each once with the reason, in order."""
    _, decision = ledgers.placed(tx, allocation["payment_id"])
    if decision is None:
        return []
    authors = (
        decision.author_of(count)
        for count, (invoice_id, _) in enumerate(decision.shares, start=1)
        if invoice_id == allocation["invoice_id"]
    )
    words = dict.fromkeys((each.by, each.reason) for each in authors)
    return [{"by": by, "reason": reason} for by, reason in words]


def _notifications(tx: Tx, invoice_id: str) -> list[dict[str, Any]]:
    """What was enqueued about an invoice, each with the number of its messages in each state."""
    found = queries.notifications_of(tx, invoice_id)
    messages = deliveries.of_notifications(tx, [row["id"] for row in found])
    return [{**row, "deliveries": messages.get(row["id"], {})} for row in found]


def _around(tx: Tx, payment_ids: Iterable[str]) -> set[str]:
    """The payments, and everything that belongs to them."""
    objects = set(payment_ids)
    for id_ in sorted(objects):
        payment = queries.payment(tx, id_) or {}
        for name in ("refunds", "disputes", "checkout_sessions"):
            objects |= {row["id"] for row in payment.get(name, ())}
        references = payment.get("references", ())
        objects |= {row["value"] for row in references if row["kind"] == "charge"}
    return objects


def _steps(
    events: Iterable[Mapping[str, Any]],
    reads: Iterable[Mapping[str, Any]],
    transitions: Iterable[Mapping[str, Any]],
    notifications: Iterable[Mapping[str, Any]],
    days: tzinfo | None,
) -> list[Step]:
    steps: dict[datetime, Step] = {}

    def at(moment: datetime) -> Step:
        return steps.setdefault(moment, Step(moment))

    for row in events:
        at(row["received_at"]).causes.append(_event(row))
    for row in reads:
        words = f"read at Stripe: {row['kind']} {row['object_id']} ({row['evidence']})"
        at(row["observed_at"]).causes.append(words)
    for row, beside in paired(transitions):
        step = at(row["at"])
        step.changes.append(_change(row, beside, days))
        if not step.causes:
            step.causes.append(_cause(row))
    for row in notifications:
        what = str(row["kind"]).replace("_", " ")
        words = f"user {row['user_id']} is told: {what} ({_fate(row)})"
        at(row["enqueued_at"]).changes.append(words)
    return [steps[moment] for moment in sorted(steps)]


def _fate(row: Mapping[str, Any]) -> str:
    """What became of a notification; nobody ever says that one was delivered."""
    counted = ", ".join(f"{count} {state}" for state, count in row["deliveries"].items())
    return counted or _FATES.get(row["state"], str(row["state"]))


def _event(row: Mapping[str, Any]) -> str:
    words = f"{row['type']} {_CAME_BY.get(row['source'], row['source'])} ({row['id']})"
    outcome = _NOT_APPLIED.get(row["state"])
    return f"{words}, which {outcome}" if outcome else words


def _cause(row: Mapping[str, Any]) -> str:
    """Why something changed at a moment at which nothing was stored about it."""
    evidence = str(row["evidence"])
    if evidence.startswith("decision of "):
        return f"{evidence.removeprefix('decision of ')} decided"
    if evidence == "invoice seen":
        return "the invoice was looked at"
    return f"{evidence}, {_CAME_BY.get(row['source'], row['source'])}"


def _change(row: Mapping[str, Any], beside: Mapping[str, Any] | None, days: tzinfo | None) -> str:
    if row["subject_kind"] == "exception":
        return f"exception {row['field']} of {row['subject_id']} was resolved ({row['rule']})"
    moved = move_words(row, beside)
    if moved is not None:
        return moved
    subject = "invoice" if row["subject_kind"] == "invoice" else f"payment {row['subject_id']}"
    if row["field"] == "decision":
        return f"{subject}: {row['new']} ({row['rule']})"
    old, new = (_value(row[each], days) for each in ("old", "new"))
    words = f"{subject}: {row['field']} {old} -> {new}"
    if row["field"] == "payment_status":
        sums = _SUMS.sub(_in_major_units, row["rule"])
        return f"{words}: {MEANINGS.get(row['new'], 'a word that is not ours')} ({sums})"
    return words


def _value(text: str | None, days: tzinfo | None) -> str:
    """A value of the audit trail; a moment as all moments are shown."""
    if text is None:
        return "-"
    try:
        at = datetime.fromisoformat(text)
        return cell(at if days is None else at.astimezone(days).date())
    except ValueError:
        return text


def _in_major_units(sums: re.Match[str]) -> str:
    received, net, due = (money(int(sums[n]), sums[4]) for n in (1, 2, 3))
    return f"received {received}, held {net}, due {due}"


def due_words(invoice: Mapping[str, Any]) -> str:
    """What is due."""
    return money(invoice["amount_due"], invoice["currency"])
