"""Which rows of sweeps, of manual runs and of messages can't be right?"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import and_, exists, or_

from reconciler.core.report import Outcome
from reconciler.core.report import RunState as ManualState
from reconciler.db.audits import Rule, missing, unknown
from reconciler.db.deliveries import DeliveryState
from reconciler.db.outbox import NoticeState
from reconciler.db.push_tables import deliveries
from reconciler.db.run_tables import (
    discrepancies,
    reconcile_runs,
    reconcile_slices,
    reconcile_touched,
    signed_items,
)
from reconciler.db.sweeps import RunState
from reconciler.db.tables import cursors, notifications, sweep_runs


def rules(latest: datetime) -> Sequence[Rule]:
    """What must hold of them; `latest` is the farthest that a cursor may be."""
    return (*_sweeps(latest), *_runs(), *_messages())


def _sweeps(latest: datetime) -> tuple[Rule, ...]:
    column, other = sweep_runs.c, sweep_runs.alias("other")
    twice = exists().where(
        other.c.sweep == column.sweep,
        other.c.state == RunState.RUNNING.value,
        other.c.id > column.id,
    )
    has_ended = column.state.in_([RunState.DONE.value, RunState.FAILED.value])
    return (
        Rule(
            check="cursor_ahead",
            key=cursors.c.name,
            wrong=cursors.c.position > latest,
            subject="cursor {name}",
            what="it stands at {position}, which is in the future: nothing before that will be looked at",
            mend="set this machine's clock (`reconciler doctor`), and put the cursor back to before it was wrong",
        ),
        Rule(
            check="sweep_run",
            key=column.id,
            wrong=or_(
                unknown(column.state, RunState),
                and_(has_ended, column.ended_at.is_(None)),
                and_(column.state == RunState.RUNNING.value, twice.correlate_except(other)),
            ),
            subject="sweep run {id}",
            what="its row says {state}, {started_at} to {ended_at}, which can't be",
        ),
    )


def _runs() -> tuple[Rule, ...]:
    run, part, item, found = (
        each.c for each in (reconcile_runs, reconcile_slices, signed_items, discrepancies)
    )
    is_complete = run.state == ManualState.COMPLETE.value
    undone = exists().where(part.run_id == run.id, ~part.is_done).correlate_except(reconcile_slices)
    is_signed = run.signed_at.is_not(None)
    of_unsigned = exists().where(run.id == item.run_id, is_signed).correlate_except(reconcile_runs)
    dry = exists().where(run.id == found.run_id, run.is_dry).correlate_except(reconcile_runs)
    return (
        Rule(
            check="run",
            key=run.id,
            wrong=or_(
                unknown(run.state, ManualState),
                and_(is_complete, or_(run.ended_at.is_(None), undone)),
                and_(is_signed, or_(~is_complete, run.signed_by.is_(None))),
            ),
            subject="run {id}",
            what="its row says {state}, ended {ended_at}, signed {signed_at}, and its slices don't bear that out",
        ),
        *(
            Rule(
                check="run_orphan",
                key=table.c.run_id,
                wrong=missing(table.c.run_id, run.id),
                subject="run {run_id}",
                what=f"{table.name} has rows of it, and there is no such run",
            )
            for table in (reconcile_slices, reconcile_touched, discrepancies, signed_items)
        ),
        Rule(
            check="run_unsigned",
            key=item.run_id,
            wrong=and_(~of_unsigned, ~missing(item.run_id, run.id)),
            subject="run {run_id}",
            what="it has signed objects, and was never signed",
        ),
        Rule(
            check="discrepancy",
            key=found.run_id,
            wrong=or_(
                unknown(found.outcome, Outcome),
                and_(found.outcome == Outcome.REPAIRED.value, dry),
            ),
            subject="run {run_id}",
            what="{kind} of {subject} is {outcome}, which such a run can't say",
        ),
    )


def _messages() -> tuple[Rule, ...]:
    told, column = notifications.c, deliveries.c
    waits = column.state == DeliveryState.WAITING.value
    return (
        Rule(
            check="notification_state",
            key=told.id,
            wrong=unknown(told.state, NoticeState),
            subject="notification {id}",
            what="its state is unknown: {state}",
        ),
        Rule(
            check="delivery_orphan",
            key=column.id,
            wrong=missing(column.notification_id, told.id),
            subject="delivery {id}",
            what="there is no notification {notification_id} that it would bring",
        ),
        Rule(
            check="delivery_state",
            key=column.id,
            wrong=or_(
                unknown(column.state, DeliveryState),
                and_(waits, column.ended_at.is_not(None)),
                and_(~waits, column.ended_at.is_(None)),
                column.claim.is_(None) != column.claimed_until.is_(None),
            ),
            subject="delivery {id}",
            what="its row says {state}, ended {ended_at}, claimed until {claimed_until}, which can't be",
        ),
    )
