"""Is it remembered rightly how far a sweep has come, what its runs did, and what needs a person?"""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from reconciler.core.exceptions import ExceptionKind
from reconciler.db import alerts, queries, sweeps, tables
from reconciler.db.session import Database
from reconciler.db.sweeps import Coverage, RunState

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
KIND = ExceptionKind.SWEEP_FAILING


@pytest.mark.parametrize(
    ("moves", "at"), [([], None), ([2], 2), ([2, 3], 3), ([3, 2], 3), ([3, 3], 3)]
)
def test_it_moves_a_cursor_only_ahead(database: Database, moves: list[int], at: int | None) -> None:
    """A cursor stands where the farthest move put it, and another cursor is not touched."""
    for hours in moves:
        with database.writing() as tx:
            sweeps.move(tx, "events", NOW + hours * HOUR, NOW)

    with database.reading() as tx:
        assert sweeps.position(tx, "events") == (None if at is None else NOW + at * HOUR)
        assert sweeps.position(tx, "money") is None


def test_it_marks_a_run_that_never_ended_as_cut(database: Database) -> None:
    """The next run of the same sweep finds the one that was killed; runs of other sweeps are left alone."""
    with database.writing() as tx:
        sweeps.begin(tx, "events", NOW)
        sweeps.begin(tx, "events_deep", NOW)
        third = sweeps.begin(tx, "events", NOW + HOUR)
        covered = Coverage(since=NOW, until=NOW + HOUR, objects=5, found=2)
        sweeps.end(tx, third, RunState.DONE, covered, now=NOW + 2 * HOUR, error=None)

    column = tables.sweep_runs.c
    with database.reading() as tx:
        states = tx.execute(select(column.sweep, column.state).order_by(column.id)).all()
        last = queries.last_runs(tx)[0]
    assert [tuple(row) for row in states] == [
        ("events", "cut"),
        ("events_deep", "running"),
        ("events", "done"),
    ]
    assert (last["covered_from"], last["covered_until"]) == (NOW, NOW + HOUR)
    assert (last["objects"], last["found"], last["ended_at"]) == (5, 2, NOW + 2 * HOUR)


def test_it_tells_the_last_run_and_the_last_good_one(database: Database) -> None:
    """Of each sweep the latest run is told, and the latest that was done, however many failed since."""
    ends = [RunState.DONE, RunState.DONE, RunState.FAILED, RunState.FAILED]
    with database.writing() as tx:
        for number, state in enumerate(ends):
            run = sweeps.begin(tx, "events", NOW + number * HOUR)
            sweeps.end(tx, run, state, Coverage(), now=NOW + number * HOUR, error="a line")

    with database.reading() as tx:
        told = [(run["state"], run["started_at"]) for run in queries.last_runs(tx)]
    assert told == [("done", NOW + HOUR), ("failed", NOW + 3 * HOUR)]


def test_it_forgets_old_runs(database: Database) -> None:
    """Runs that began before a moment are deleted, and no other."""
    with database.writing() as tx:
        for hours in range(3):
            sweeps.begin(tx, "events", NOW + hours * HOUR)
        sweeps.forget(tx, NOW + HOUR)

    with database.reading() as tx:
        left = list(tx.scalars(select(tables.sweep_runs.c.started_at)))
    assert left == [NOW + HOUR, NOW + 2 * HOUR]


def _open(database: Database, at: datetime, words: str = "away") -> bool:
    with database.writing() as tx:
        return alerts.open_alert(tx, kind=KIND, subject="events", fingerprint=words, now=at)


def _close(database: Database, at: datetime) -> None:
    with database.writing() as tx:
        alerts.close_alerts(tx, kind=KIND, subjects=["events"], now=at)


def _alert(database: Database) -> tuple[object, ...]:
    column = tables.exceptions.c
    with database.reading() as tx:
        row = tx.execute(
            select(column.state, column["count"], column.opened_at, column.closed_at)
        ).one()
    return tuple(row)


def test_it_opens_an_alert_once(database: Database) -> None:
    """An alert is new when it opens, counted while it is open, and new again after it was closed."""
    first, second = _open(database, NOW), _open(database, NOW + HOUR, "other words")
    while_open = _alert(database)
    _close(database, NOW + 2 * HOUR)
    closed = _alert(database)
    third = _open(database, NOW + 3 * HOUR)

    assert (first, second, third) == (True, False, True)
    assert while_open == ("open", 2, NOW, None)
    assert closed == ("cleared", 2, NOW, NOW + 2 * HOUR)
    assert _alert(database) == ("open", 3, NOW + 3 * HOUR, None)


def test_it_lets_a_person_have_the_last_word(database: Database) -> None:
    """What a person resolved opens again only for another reason, or after it was over in the meantime."""
    _open(database, NOW)
    with database.writing() as tx:
        tx.execute(update(tables.exceptions).values(state="resolved", resolved_by="ada"))

    same = _open(database, NOW + HOUR)
    left = _alert(database)[0]
    other = _open(database, NOW + HOUR, "forbidden")
    with database.writing() as tx:
        tx.execute(update(tables.exceptions).values(state="resolved", resolved_by="ada"))
    _close(database, NOW + 2 * HOUR)
    later = _open(database, NOW + 3 * HOUR, "forbidden")

    assert (same, left, other, later) == (False, "resolved", True, True)
    with database.reading() as tx:
        assert tx.scalar(select(tables.exceptions.c.resolved_by)) is None
