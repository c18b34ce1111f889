"""Which manual runs were there, and how far has each come?

A run's row is made when it is asked for. Only `end` says that it is complete, and only once every stretch of every list was
looked at. A row that a killed program left behind still says `running`: it is told as cut off once nobody holds the run.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import ColumnElement, and_, delete, func, insert, or_, select, tuple_, update

from reconciler.core.drift import Drift
from reconciler.core.observation import moment, ms
from reconciler.core.report import Discrepancy, Outcome, RunHead, RunState
from reconciler.core.schedule import Window
from reconciler.db import holds
from reconciler.db.prepared import Row
from reconciler.db.rows import upsert
from reconciler.db.run_tables import (
    discrepancies,
    reconcile_runs,
    reconcile_slices,
    reconcile_touched,
)
from reconciler.db.session import Database, Tx

PAGE: Final = 1000
STOPPED: Final = "it was stopped"
KILLED: Final = "it was killed, or its machine was"
Sums = Mapping[str, Mapping[str, tuple[int, int]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A stretch of one list that was read to its end.

    `gap` is the number of objects that only Stripe's list has; `sums` is, by day and currency, how many objects Stripe's list has
    there and what they are worth together.
    """

    list: str
    window: Window
    at_stripe: int = 0
    here: int = 0
    left_alone: int = 0
    gap: int = 0
    sums: Sums = field(default_factory=dict)


def ask(tx: Tx, head: RunHead, *, by_daemon: bool = False) -> int:
    """Write down that a run was asked for, by whoever asks or by the daemon; returns its id, whatever id `head` has."""
    row = {
        "first_day": head.first_day,
        "last_day": head.last_day,
        "zone": head.zone,
        "is_dry": head.is_dry,
        "state": head.state.value,
        "asked_by": head.by,
        "by_daemon": by_daemon,
        "asked_at": head.asked_at,
    }
    return int(tx.execute(insert(reconcile_runs).returning(reconcile_runs.c.id), row).scalar_one())


def head(tx: Tx, run_id: int) -> RunHead | None:
    """The row of a run; None if there is none."""
    found = tx.execute(select(reconcile_runs).where(reconcile_runs.c.id == run_id))
    row = found.mappings().first()
    return told(tx, row) if row is not None else None


def newest(tx: Tx, limit: int) -> list[RunHead]:
    """The runs that were asked for last, the newest first."""
    asked = select(reconcile_runs).order_by(reconcile_runs.c.id.desc()).limit(limit)
    return [told(tx, row) for row in tx.execute(asked).mappings().all()]


def begin(tx: Tx, run_id: int, covered: Window, *, day_not_over: bool, now: datetime) -> None:
    """Write down that a run goes on, and what it is about to cover; what an earlier part of it fixed stays."""
    column = reconcile_runs.c
    tx.execute(
        update(reconcile_runs)
        .where(column.id == run_id)
        .values(
            state=RunState.RUNNING.value,
            started_at=func.coalesce(column.started_at, now),
            ended_at=None,
            error=None,
            covered_from=moment(covered.since_ms),
            covered_until=moment(covered.until_ms),
            day_not_over=day_not_over,
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """How a run, or a part of one, ended: `requests` are those of this part, `error` is why it was cut off."""

    state: RunState
    requests: int = 0
    objects: int = 0
    closing: Mapping[str, int] | None = None
    error: str | None = None


def end(tx: Tx, run_id: int, how: End, now: datetime) -> None:
    """Write down how a run ended; one that is complete stays so, whoever else was at it."""
    column = reconcile_runs.c
    closing = None if how.closing is None else msgspec.json.encode(how.closing).decode()
    tx.execute(
        update(reconcile_runs)
        .where(column.id == run_id, column.state != RunState.COMPLETE.value)
        .values(
            state=how.state.value,
            ended_at=now,
            requests=column.requests + how.requests,
            objects=how.objects,
            closing=closing,
            error=how.error,
        )
    )


def keep_slice(tx: Tx, run_id: int, part: Slice) -> None:
    """Write down that a stretch of a list was read to its end."""
    row = {
        "run_id": run_id,
        "list": part.list,
        "since": moment(part.window.since_ms),
        "until": moment(part.window.until_ms),
        "is_done": True,
        "at_stripe": part.at_stripe,
        "here": part.here,
        "left_alone": part.left_alone,
        "gap": part.gap,
        "sums": msgspec.json.encode(part.sums).decode() if part.sums else None,
    }
    upsert(tx, reconcile_slices, [row])


def slices(tx: Tx, run_id: int, name: str | None = None) -> list[Slice]:
    """The finished stretches of a list, or of all, in order."""
    column = reconcile_slices.c
    mine = (column.run_id == run_id) & column.is_done
    asked = select(reconcile_slices).where(mine if name is None else mine & (column.list == name))
    found = tx.execute(asked.order_by(column.list, column.since)).mappings()
    return [_slice(row) for row in found]


def forget(tx: Tx, run_id: int) -> None:
    """Forget what a run has looked at and found, so that it begins anew."""
    for table in (reconcile_slices, reconcile_touched, discrepancies):
        tx.execute(delete(table).where(table.c.run_id == run_id))


def forget_differences(tx: Tx, run_id: int, *, but: Collection[tuple[Drift, Outcome]]) -> None:
    """Forget what was concluded before, so that it is concluded anew; `but` what is found while reading."""
    column = discrepancies.c
    kept = [and_(column.kind == kind.value, column.outcome == how.value) for kind, how in but]
    tx.execute(delete(discrepancies).where(column.run_id == run_id, ~or_(*kept)))


def keep_differences(tx: Tx, run_id: int, found: Iterable[Discrepancy]) -> None:
    """Write down differences; one of the same kind and subject takes the place of an earlier one."""
    rows = [
        {
            "run_id": run_id,
            "kind": each.kind.value,
            "subject": each.subject,
            "payment_id": each.payment_id,
            "invoice_ids": msgspec.json.encode(each.invoice_ids).decode(),
            "here": each.here,
            "there": each.there,
            "since": each.since,
            "missed_by": each.missed_by,
            "outcome": each.outcome.value,
            "note": each.note,
        }
        for each in found
    ]
    upsert(tx, discrepancies, rows)


def differences(db: Database, run_id: int) -> Iterator[Discrepancy]:
    """All differences of a run, what needs a person first, fees last, else by kind and subject.

    A page at a time, and no transaction is open in between.
    """
    for part in _in_order():
        after = ("", "")
        while page := _page_of_differences(db, run_id, part, after):
            yield from page
            after = (page[-1].kind.value, page[-1].subject)


def _in_order() -> tuple[ColumnElement[bool], ...]:
    for_people = discrepancies.c.outcome == Outcome.NEEDS_A_PERSON.value
    of_fees = discrepancies.c.kind == Drift.FEE_UNKNOWN.value
    return for_people, and_(~for_people, ~of_fees), and_(~for_people, of_fees)


def _page_of_differences(
    db: Database, run_id: int, part: ColumnElement[bool], after: tuple[str, str]
) -> Sequence[Discrepancy]:
    column = discrepancies.c
    key = tuple_(column.kind, column.subject)
    asked = select(discrepancies).where(column.run_id == run_id, part, key > after)
    with db.reading() as tx:
        rows = tx.execute(asked.order_by(column.kind, column.subject).limit(PAGE)).mappings()
        return [_difference(row) for row in rows]


def count_differences(tx: Tx, run_id: int) -> list[tuple[Drift, Outcome, int]]:
    """How many differences there are of each kind and outcome."""
    column = discrepancies.c
    asked = select(column.kind, column.outcome, func.count()).where(column.run_id == run_id)
    rows = tx.execute(
        asked.group_by(column.kind, column.outcome).order_by(column.kind, column.outcome)
    )
    return [(Drift(kind), Outcome(outcome), n) for kind, outcome, n in rows]


def subjects(tx: Tx, run_id: int, kind: Drift, how: Outcome) -> set[str]:
    """Of what a run tells one kind of difference with one outcome."""
    column = discrepancies.c
    mine = (column.run_id == run_id, column.kind == kind.value, column.outcome == how.value)
    return set(tx.scalars(select(column.subject).where(*mine)))


def listed(tx: Tx, run_id: int, subjects: Sequence[str]) -> set[tuple[Drift, str]]:
    """Which differences a run lists about these subjects, at most a page of them."""
    column = discrepancies.c
    mine = (column.run_id == run_id) & column.subject.in_(sorted(set(subjects)))
    rows = tx.execute(select(column.kind, column.subject).where(mine))
    return {(Drift(kind), subject) for kind, subject in rows}


def _difference(row: Row) -> Discrepancy:
    return Discrepancy(
        kind=Drift(row["kind"]),
        subject=row["subject"],
        payment_id=row["payment_id"],
        invoice_ids=msgspec.json.decode(row["invoice_ids"] or "[]", type=tuple[str, ...]),
        here=row["here"],
        there=row["there"],
        since=row["since"],
        missed_by=row["missed_by"],
        outcome=Outcome(row["outcome"]),
        note=row["note"],
    )


def _slice(row: Row) -> Slice:
    sums: Any = msgspec.json.decode(row["sums"]) if row["sums"] else {}
    return Slice(
        list=row["list"],
        window=Window(ms(row["since"]), ms(row["until"])),
        at_stripe=row["at_stripe"],
        here=row["here"],
        left_alone=row["left_alone"],
        gap=row["gap"],
        sums={day: {c: (n, net) for c, (n, net) in each.items()} for day, each in sums.items()},
    )


def told(tx: Tx, row: Row) -> RunHead:
    """A run's row as it is told: one at which nobody is any more was cut off, whatever its last word was."""
    head = _head(row)
    if head.state is RunState.RUNNING and not holds.is_held(tx, head.id):
        return replace(head, state=RunState.CUT_OFF, error=KILLED)
    return head


def _head(row: Row) -> RunHead:
    return RunHead(
        id=row["id"],
        first_day=row["first_day"],
        last_day=row["last_day"],
        zone=row["zone"],
        is_dry=row["is_dry"],
        state=RunState(row["state"]),
        by=row["asked_by"],
        asked_at=row["asked_at"],
        started_at=row["started_at"],
        ended_at=row["ended_at"],
        covered_from=row["covered_from"],
        covered_until=row["covered_until"],
        day_not_over=row["day_not_over"],
        requests=row["requests"],
        objects=row["objects"],
        error=row["error"] or "",
        signed_by=row["signed_by"] or "",
        signed_at=row["signed_at"],
    )
