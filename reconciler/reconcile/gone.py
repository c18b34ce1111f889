"""What of our books does Stripe not know, and has a person accepted that? What does it know with another amount?

Such an object is no gap in what Stripe's list gave: it is a difference, and a question in the queue. Who resolves that question
accepts it, with a reason, and the next run tells the reason; once Stripe knows the object again, the question is closed. A balance
transaction never changes at Stripe: one that is another here was changed here, and no read of it can mend that.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

import structlog

from reconciler.core.drift import NOTHING, Drift
from reconciler.core.exceptions import ExceptionKind
from reconciler.core.report import Discrepancy, Outcome
from reconciler.db import alerts, runs, spans
from reconciler.db.session import Tx
from reconciler.db.spans import Worth
from reconciler.reconcile.going import Run
from reconciler.stripe_api.problems import ProblemKind, StripeProblem
from reconciler.stripe_api.translate import UnreadableObject

log = structlog.get_logger(__name__)

_KIND: Final = ExceptionKind.MISSING_AT_STRIPE
ACCEPTED: Final = (Drift.MISSING_AT_STRIPE, Outcome.EXPLAINED)
OTHER_AMOUNT: Final = (Drift.AMOUNT_DIFFERS, Outcome.NEEDS_A_PERSON)
# What a run finds while it reads lists; all else is concluded from what it has read.
OF_LISTS: Final = (ACCEPTED, (Drift.MISSING_AT_STRIPE, Outcome.NEEDS_A_PERSON), OTHER_AMOUNT)
CHANGED_HERE: Final = "Stripe never changes a movement: somebody has changed it here; an engineer runs `reconciler verify --rebuild`"
GONE: Final = (
    "Stripe does not know it: look whether these are the books of that account and mode,"
    " and who wrote it; to accept it, resolve its exception"
)


def is_gone(run: Run, kind: str, object_id: str) -> bool:
    """Whether Stripe has no such object; one that it has, and lists elsewhere, is taken in as it is there."""
    try:
        run.hand.object(kind, object_id)
    except UnreadableObject:
        log.warning("object.unreadable", run=run.id, kind=kind, id=object_id)
    except StripeProblem as problem:
        if problem.kind is not ProblemKind.NOT_FOUND:
            raise
        return True
    return False


def tell_gone(tx: Tx, run: Run, gone: Iterable[tuple[str, str]]) -> None:
    """Write down what Stripe does not know, by kind and id, and ask a person about it; a dry run asks nobody."""
    found = [_told(tx, run, kind, object_id) for kind, object_id in gone]
    runs.keep_differences(tx, run.id, found)


def tell_other(tx: Tx, run: Run, listed: Mapping[str, Worth], ours: Mapping[str, Worth]) -> None:
    """Write down which balance transactions are worth something else here than Stripe's list says."""
    other = sorted(id_ for id_ in listed.keys() & ours.keys() if listed[id_] != ours[id_])
    found = [
        Discrepancy(
            kind=OTHER_AMOUNT[0],
            subject=id_,
            payment_id=row.payment_id or "",
            here=_worth(ours[id_]),
            there=_worth(listed[id_]),
            since=row.at,
            outcome=OTHER_AMOUNT[1],
            note=CHANGED_HERE,
        )
        for id_ in other
        for row in [spans.kept(tx, "balance_transaction", id_)]
    ]
    runs.keep_differences(tx, run.id, found)


def _worth(worth: Worth) -> str:
    return f"{worth.net_minor} {worth.currency} fee {worth.fee_minor}"


def tell_found(tx: Tx, run: Run, ids: Collection[str]) -> None:
    """Ask nobody any more about objects that Stripe knows after all."""
    asked_about = set() if run.is_dry else alerts.subjects(tx, kind=_KIND) & set(ids)
    alerts.close_alerts(tx, kind=_KIND, subjects=asked_about, now=run.poller.now())


def _told(tx: Tx, run: Run, kind: str, object_id: str) -> Discrepancy:
    row = spans.kept(tx, kind, object_id)
    words = f"{kind} {row.words}"
    if not run.is_dry and alerts.open_alert(
        tx, kind=_KIND, subject=object_id, fingerprint=words, now=run.poller.now()
    ):
        log.error("object.missed", run=run.id, kind=kind, id=object_id)
    accepted = alerts.resolved(tx, kind=_KIND, subject=object_id, fingerprint=words)
    return Discrepancy(
        kind=Drift.MISSING_AT_STRIPE,
        subject=object_id,
        payment_id=row.payment_id or "",
        here=row.words,
        there=NOTHING,
        since=row.at,
        outcome=Outcome.NEEDS_A_PERSON if accepted is None else Outcome.EXPLAINED,
        note=GONE if accepted is None else f"accepted by {accepted.by}: {accepted.reason}",
    )
