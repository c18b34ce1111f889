"""How is a difference told to whoever signs: who should have seen it, what became of it, and what should be done?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from reconciler.core.drift import NOTHING, Difference, Drift
from reconciler.core.exceptions import ExceptionKind
from reconciler.core.observation import moment
from reconciler.core.report import Discrepancy, Outcome
from reconciler.db import spans
from reconciler.db.prepared import Row
from reconciler.db.session import Tx

# What a person must look at that a closed month must not hide, by the queue's own kinds.
NAMES: Final[Mapping[ExceptionKind, Drift]] = MappingProxyType(
    {
        ExceptionKind.UNMATCHED_PAYMENT: Drift.UNMATCHED,
        ExceptionKind.UNDERPAID: Drift.UNDERPAID,
        ExceptionKind.OVERPAID: Drift.OVERPAID,
        ExceptionKind.SECOND_PAYMENT: Drift.SECOND_PAYMENT,
        ExceptionKind.PAID_HERE_NOT_AT_STRIPE: Drift.PAID_WITHOUT_MONEY,
    }
)
# Of which the report has a difference of its own: what else is open is only counted.
TOLD: Final = frozenset({each.value for each in (*NAMES, ExceptionKind.MISSING_AT_STRIPE)})
_NOTES: Final[Mapping[Drift, str]] = MappingProxyType(
    {
        Drift.UNMATCHED: "it names no invoice: assign it to one",
        Drift.UNDERPAID: "ask for the rest, or accept it and resolve it with a reason",
        Drift.OVERPAID: "refund the rest at Stripe, or accept it and resolve it with a reason",
        Drift.SECOND_PAYMENT: "it is covered without one of its payments: refund one at Stripe, or assign it elsewhere",
        Drift.PAID_WITHOUT_MONEY: "the invoice says paid and Stripe has no money for it: find out who wrote that",
    }
)
_REPAIRED: Final[Mapping[Outcome, str]] = MappingProxyType(
    {
        Outcome.REPAIRED: "booked as Stripe says",
        Outcome.WOULD_REPAIR: "a run without --dry-run books it as Stripe says",
    }
)
_NO_FEE: Final = "Stripe has booked no balance transaction for it yet: the fee comes with it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    """Since when there was anybody to be told, and which time the daemon's lists have covered."""

    begun: datetime | None
    swept: tuple[datetime, datetime] | None

    def missed(self, since: datetime | None, *, has_event: bool = True) -> str:
        """Who should have seen something that is so since a moment; nothing where nobody could."""
        if since is None:
            return ""
        if self.swept is not None and self.swept[0] <= since < self.swept[1]:
            return "sweep"
        was_there = self.begun is not None and self.begun <= since
        return "webhook" if has_event and was_there else ""


def witness(tx: Tx, before: datetime) -> Witness:
    """Who was there before a run began."""
    return Witness(begun=spans.begun(tx), swept=spans.swept(tx, before))


def told(
    found: Difference, invoice_ids: tuple[str, ...], who: Witness, outcome: Outcome
) -> Discrepancy:
    """A difference that was, or would be, put right."""
    since = moment(found.since_ms) if found.since_ms is not None else None
    return Discrepancy(
        kind=found.kind,
        subject=found.subject,
        payment_id=found.payment_id,
        invoice_ids=invoice_ids,
        here=found.here,
        there=found.there,
        since=since,
        missed_by=who.missed(since, has_event=found.kind is not Drift.FEE_UNKNOWN),
        outcome=outcome,
        note=_REPAIRED[outcome],
    )


def together(found: Discrepancy, others: Sequence[int]) -> Discrepancy:
    """The same, told so that nobody counts it twice where other runs were at the same payment at the same time."""
    if not others:
        return found
    named = ",".join(str(each) for each in others)
    return replace(
        found,
        note=f"{found.note}; together with run {named} at the same time, which may list it too",
    )


def feeless(row: Row) -> Discrepancy:
    """A payment of which the fee is still unknown, from its id, currency, received amount and moment."""
    return Discrepancy(
        kind=Drift.FEE_UNKNOWN,
        subject=row["id"],
        payment_id=row["id"],
        here=f"succeeded {row['amount_received']} {row['currency']}",
        there=NOTHING,
        since=row["paid_at"],
        outcome=Outcome.EXPLAINED,
        note=_NO_FEE,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Matter:
    """One open exception: its kind and subject, the amount at stake, and when the money came that it is about.

    `payment_id` is the last that paid the invoice that it is about.
    """

    kind: ExceptionKind
    subject: str
    amount_minor: int | None
    currency: str
    moments: tuple[datetime, ...] = ()
    payment_id: str = ""


def for_a_person(matter: Matter, standing: tuple[int, int, str] | None) -> Discrepancy:
    """What nobody but a person can put right; `standing` is what its invoice asks for, what is held for it, and in what."""
    kind = NAMES[matter.kind]
    is_payment = kind is Drift.UNMATCHED
    here, there = _values(kind, matter, standing)
    return Discrepancy(
        kind=kind,
        subject=matter.subject,
        payment_id=matter.subject if is_payment else matter.payment_id,
        invoice_ids=() if is_payment else (matter.subject,),
        here=here,
        there=there,
        since=max(matter.moments, default=None),
        outcome=Outcome.NEEDS_A_PERSON,
        note=_NOTES[kind],
    )


def _values(kind: Drift, matter: Matter, standing: tuple[int, int, str] | None) -> tuple[str, str]:
    amount = f"{matter.amount_minor or 0} {matter.currency}"
    if kind is Drift.UNMATCHED:
        return "no invoice", amount
    if kind is Drift.PAID_WITHOUT_MONEY:
        return "paid", NOTHING
    if standing is None:
        return NOTHING, amount
    due_minor, net_minor, currency = standing
    return f"due {due_minor} {currency}", f"received {net_minor} {currency}"
