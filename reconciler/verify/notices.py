"""Is each notification justified by something that happened?"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from reconciler.core.known import Known
from reconciler.core.payment import Book, failed_attempts
from reconciler.core.words import dispute_word
from reconciler.db import facts
from reconciler.db.audits import pages
from reconciler.db.outbox import FAILED_ATTEMPT, SUMMARY
from reconciler.db.session import Tx
from reconciler.verify.findings import Problem
from reconciler.verify.scope import Scope

_REFUNDS: Final = {"refund_done": "succeeded", "refund_failed": "failed"}
_DISPUTES: Final = {"dispute_lost": "lost", "dispute_won": "won"}


def check_notifications(tx: Tx, ids: Sequence[str], _scope: Scope) -> Iterator[Problem]:
    """Check what users were told: each has one cause, which is still among the facts or in the audit trail."""
    rows = pages.notifications_of(tx, ids)
    paid = {row["invoice_id"] for row in rows if row["kind"] == "invoice_paid"}
    covered = pages.once_covered(tx, paid)
    known = _facts_behind(tx, rows)
    for row in rows:
        if not _is_justified(row, covered, known):
            what = f"{row['milestone']} for {row['user_id']} was never reached"
            yield Problem(f"notification {row['id']}", what, check="notification")


def _about(row: Mapping[str, Any]) -> str:
    """The object of `kind:object`, or of `payment_failed:payment:attempt`."""
    rest = str(row["milestone"]).removeprefix(f"{row['kind']}:")
    return rest.partition(":")[0] if row["kind"] == FAILED_ATTEMPT else rest


def _facts_behind(tx: Tx, rows: Sequence[Mapping[str, Any]]) -> Known:
    wanted: dict[str, set[str]] = {"payments": set(), "refunds": set(), "disputes": set()}
    for row in rows:
        if row["kind"] == FAILED_ATTEMPT:
            wanted["payments"].add(_about(row))
        elif row["kind"] in _REFUNDS:
            wanted["refunds"].add(_about(row))
        elif row["kind"].startswith("dispute_"):
            wanted["disputes"].add(_about(row))
    return facts.load(tx, [], (), wanted) if any(wanted.values()) else Known()


def _is_justified(row: Mapping[str, Any], covered: frozenset[str], known: Known) -> bool:
    kind, id_ = row["kind"], _about(row)
    if kind == SUMMARY:
        return True
    if kind == "invoice_paid":
        return row["invoice_id"] in covered
    if kind == FAILED_ATTEMPT:
        attempt = str(row["milestone"]).removeprefix(f"{kind}:{id_}:")
        payment = known.payments.get(id_)
        return payment is not None and attempt in failed_attempts(Book(id=id_, facts=payment))
    if kind in _REFUNDS:
        refund = known.refunds.get(id_)
        return refund is not None and _REFUNDS[kind] in refund.statuses
    dispute = known.disputes.get(id_)
    return dispute is not None and _DISPUTES.get(kind, dispute_word(dispute)) in dispute.words
