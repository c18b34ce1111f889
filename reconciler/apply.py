"""How does evidence become state? Through this one door, in one transaction.

`apply_payment_state` reads what is known, merges the evidence into it, decides, and writes only what differs. It costs a
fixed number of statements a batch. It makes no outgoing call, and it does not commit: whoever opened the transaction
stores the event beside it, so that both are there or neither is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from reconciler.core.causes import causes
from reconciler.core.decision import Change, Decision, decide
from reconciler.core.doubts import questions
from reconciler.core.known import Known, absorb, books, waived_sessions
from reconciler.core.ledger import Ledger, Rules
from reconciler.core.observation import (
    Assignment,
    Evidence,
    InvoiceSeen,
    Observation,
    Source,
    ms,
)
from reconciler.core.payment import active_references
from reconciler.db import evidence as evidence_rows
from reconciler.db import facts, ledgers, outcomes
from reconciler.db import invoices as invoice_rows
from reconciler.db import payments as payment_rows
from reconciler.db.invoice_table import EMBEDDED, InvoiceTable
from reconciler.db.session import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the settings say about decisions, and where the invoices live."""

    rules: Rules = field(default_factory=Rules)
    invoices: InvoiceTable = EMBEDDED


def apply_payment_state(
    tx: Tx, evidence: Sequence[Evidence], *, source: Source, now: datetime, policy: Policy
) -> Decision:
    """Bring payments, invoices and everything that hangs on them up to the evidence; at most 200 items a call.

    `tx` must come from `Database.writing()`. Applying the same evidence again, in any order and in any company, leaves
    the same state. Raises StatementFailed or StorageUnavailable; then nothing of the batch may be kept.
    """
    observations = [each for each in evidence if isinstance(each, Observation)]
    decisions = [each for each in evidence if isinstance(each, Assignment)]
    seen = [each.invoice_id for each in evidence if isinstance(each, InvoiceSeen)]
    outcomes.store_assignments(tx, decisions, source=source, now=now)
    named = _naming(tx, policy, seen)
    known = facts.load(tx, observations, {*named, *(each.payment_id for each in decisions)})
    change, after = _merge(known, observations, seen)
    ledger = _ledger(tx, policy, change, for_update=True)
    decision = decide(change, ledger, policy.rules, ms(now))
    facts.store_around(tx, known, after)
    payment_rows.store(tx, decision.payments, source=source, now=now)
    sessions = change.waived_sessions
    new = {id_: each for id_, each in sessions.items() if known.sessions.get(id_) != each}
    payment_rows.store_waivers(tx, new)
    outcomes.store(
        tx,
        policy.invoices,
        decision,
        ledger,
        rules=policy.rules,
        cause=causes(evidence, after, ledger, decision),
        source=source,
        now=now,
    )
    evidence_rows.store(tx, _worth_keeping(observations, change, after), source=source, now=now)
    asked = questions(known, after, change.before, change.after)
    evidence_rows.settle_fetches(tx, observations, asked, change.after, now)
    return decision


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """What would be known and decided if some evidence were applied."""

    known: Known
    after: Known
    change: Change
    ledger: Ledger
    decision: Decision


def foresee(
    tx: Tx, observations: Sequence[Observation], *, now: datetime, policy: Policy
) -> Foreseen:
    """Decide as `apply_payment_state` would, and write and lock nothing; `tx` may come from `Database.reading()`."""
    known = facts.load(tx, observations)
    change, after = _merge(known, observations, ())
    ledger = _ledger(tx, policy, change, for_update=False)
    decision = decide(change, ledger, policy.rules, ms(now))
    return Foreseen(known=known, after=after, change=change, ledger=ledger, decision=decision)


def _ledger(tx: Tx, policy: Policy, change: Change, *, for_update: bool) -> Ledger:
    """What was decided before around everything that a change touches."""
    sessions = change.waived_sessions
    around = {id_ for book in change.after.values() for id_ in (*book.refunds, *book.disputes)}
    return ledgers.load(
        tx,
        policy.invoices,
        holders={*change.after, *sessions},
        references={
            *(name for book in change.after.values() for name in active_references(book)),
            *(name for session in sessions.values() for name in session.names),
        },
        invoices_seen=change.invoices_seen,
        subjects={*change.after, *around},
        for_update=for_update,
    )


def _naming(tx: Tx, policy: Policy, invoices_seen: Sequence[str]) -> frozenset[str]:
    """The payments and Sessions that name one of the invoices that were seen, or did before."""
    if not invoices_seen:
        return frozenset()
    found = ledgers.invoices_of(tx, policy.invoices, invoices_seen)
    links = {each.payment_link_id for each in found.values() if each.payment_link_id}
    shared = invoice_rows.shared_links(tx, policy.invoices, links)
    now_named = payment_rows.naming(tx, invoice_rows.names_of(found.values()) - shared)
    once_named = payment_rows.resting_on(tx, shared) | ledgers.holders_of(tx, invoices_seen)
    return now_named | once_named


def _merge(
    known: Known, observations: Sequence[Observation], seen: Sequence[str]
) -> tuple[Change, Known]:
    after = absorb(known, observations)
    return (
        Change(
            before=books(known),
            after=books(after),
            waived_sessions=waived_sessions(after),
            invoices_seen=frozenset(seen),
        ),
        after,
    )


def _worth_keeping(
    observations: Sequence[Observation], change: Change, after: Known
) -> list[Observation]:
    """All but reads that changed no fact of a final payment: those would only fill the disk."""
    return [
        each
        for each in observations
        if not (each.is_read and evidence_rows.told_nothing(each, change, after))
    ]
