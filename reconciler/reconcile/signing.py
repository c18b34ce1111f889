"""May a run be signed, and what is frozen when somebody signs it?

Frozen are its totals, as they were when it ended, and what every object of its days is worth. It can't be signed while our books
say something else than its totals: then it must be run again.
"""

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from functools import partial

import structlog

from reconciler.core.drift import Drift
from reconciler.core.report import Outcome, RunHead, RunState
from reconciler.core.signed import Item
from reconciler.db import runs, signing
from reconciler.db.session import Database, Tx
from reconciler.reconcile.changes import items_now
from reconciler.reconcile.statement import totals_in, totals_of
from reconciler.reconcile.totals import Covered, covered_by

log = structlog.get_logger(__name__)


class Obstacle(StrEnum):
    """Why a run can't be signed, in words for whoever wants to."""

    UNKNOWN = "there is no such run: `reconciler runs list` names them"
    SIGNED = "it was signed already, and what is signed stays as it is: run these days again to see what has changed since"
    DRY = "it was a dry run, which has repaired nothing: run it without --dry-run"
    NOT_COMPLETE = "it has not looked at all of its days: go on with `reconciler reconcile --resume`, or run it again"
    NOT_OVER = "its last day was not over when it ended: run these days again once it is, and sign that run"
    GONE = (
        "Stripe does not know some objects of its days, and nobody has accepted that: see `reconciler exceptions list`,"
        " resolve each with a reason, run these days again, and sign that run"
    )
    GAPS = "objects of Stripe's lists are not here, as the gaps in its report say: find out why, run it again, and sign that run"
    NOT_TIED_OUT = (
        "its ledger is not Stripe's on the days that are marked NO in its report: run these days again, and sign that run;"
        " if they stay, let an engineer run `reconciler verify --rebuild`, which says what is wrong here"
    )
    CHANGED = "the books have changed since it ended: run it again, and sign that run"
    BUSY = (
        "somebody else is signing it at this moment: look at `reconciler runs show`, and try again"
    )


def sign(db: Database, run_id: int, by: str, now: datetime) -> Obstacle | None:
    """Sign a run; None if it is signed now, else why not. What was frozen of a run that is not signed after all counts for nothing."""
    with db.reading() as tx:
        head = runs.head(tx, run_id)
    if (obstacle := _obstacle(head)) is not None:
        return obstacle
    covered = covered_by(head) if head is not None else None
    if covered is None:
        return Obstacle.NOT_COMPLETE
    if _has_gaps(db, run_id):
        return Obstacle.GAPS
    if _misses_at_stripe(db, run_id):
        return Obstacle.GONE
    if not _ties_out(db, run_id):
        return Obstacle.NOT_TIED_OUT
    if not _is_unchanged(db, run_id):
        return Obstacle.CHANGED
    frozen = _freeze(db, run_id, covered)
    # Freezing takes a while, and webhooks go on meanwhile.
    if frozen is not None and not _is_unchanged(db, run_id):
        return Obstacle.CHANGED
    with db.writing() as tx:
        is_whole = frozen is not None and signing.count(tx, run_id) == frozen
        if not is_whole or not signing.mark(tx, run_id, by, now):
            return Obstacle.BUSY
    log.info("run.signed", run=run_id, objects=frozen)
    return None


def _obstacle(head: RunHead | None) -> Obstacle | None:
    if head is None:
        return Obstacle.UNKNOWN
    if head.signed_by:
        return Obstacle.SIGNED
    if head.is_dry:
        return Obstacle.DRY
    if head.state is not RunState.COMPLETE:
        return Obstacle.NOT_COMPLETE
    return Obstacle.NOT_OVER if head.day_not_over else None


def _has_gaps(db: Database, run_id: int) -> bool:
    """Whether an id was on one side only when the run had read its lists."""
    with db.reading() as tx:
        return any(each.gap for each in runs.slices(tx, run_id))


def _misses_at_stripe(db: Database, run_id: int) -> bool:
    """Whether Stripe did not know an object of ours, and nobody had said why when the run ended."""
    with db.reading() as tx:
        counted = runs.count_differences(tx, run_id)
    return any(
        kind is Drift.MISSING_AT_STRIPE and outcome is Outcome.NEEDS_A_PERSON
        for kind, outcome, _ in counted
    )


def _ties_out(db: Database, run_id: int) -> bool:
    """Whether each day was what Stripe's list said of it when the run ended."""
    with db.reading() as tx:
        kept = signing.totals(tx, run_id)
    return kept is None or all(each.ties_out for each in totals_in(kept).ledger)


def _is_unchanged(db: Database, run_id: int) -> bool:
    """Whether both books add up to what they did when the run ended, and nothing else has changed that was signed before."""
    with db.reading() as tx:
        kept = signing.totals(tx, run_id)
    if kept is None:
        return False
    then, now = totals_in(kept), totals_in(totals_of(db, run_id))
    return (then.ledger, then.sales, then.changed) == (now.ledger, now.sales, now.changed)


def _freeze(db: Database, run_id: int, covered: Covered) -> int | None:
    """Freeze every object; returns how many there are, None once somebody else has signed."""
    # Whoever began to sign before and did not come to an end has left objects behind.
    while _once(db, run_id, partial(signing.unfreeze, run_id=run_id)):
        pass
    frozen = 0
    for page in items_now(db, covered):
        if _once(db, run_id, partial(_keep, run_id=run_id, page=page)) is None:
            return None
        frozen += len(page)
    return frozen


def _once(db: Database, run_id: int, write: Callable[[Tx], int]) -> int | None:
    """Write in a transaction of its own, unless the run is signed already."""
    with db.writing() as tx:
        return None if signing.is_signed(tx, run_id) else write(tx)


def _keep(tx: Tx, run_id: int, page: list[Item]) -> int:
    signing.freeze(tx, run_id, page)
    return len(page)
