"""Does an import let others write meanwhile, and does doing it again finish what was cut off?"""

import pytest

from reconciler.apply import Policy, apply_payment_state
from reconciler.core.observation import Reference, ReferenceKind, Source
from reconciler.db import queries
from reconciler.db.session import Database, StatementFailed
from reconciler.invoice_import import Row, plan, store
from tests.core import builders as b

BATCH = 2


def _rows(count: int) -> list[Row]:
    plain = {"currency": "eur", "amount_due": 1000, "status": "open"}
    return [Row(line, {"id": f"i{line}", **plain}) for line in range(2, count + 2)]


def _store(database: Database, rows: list[Row]) -> None:
    planned = plan(database, rows)
    store(database, planned.writes, now=b.NOON, policy=Policy(), batch=BATCH)


def _ids(database: Database) -> list[str]:
    with database.reading() as tx:
        return sorted(row["id"] for row in queries.invoices(tx))


def test_it_finishes_what_was_cut_off(database: Database) -> None:
    """A batch is a transaction: what came before the one that failed is in, and the same file brings the rest."""
    rows = _rows(5)
    broken = [*rows[:3], Row(5, {**rows[3].values, "currency": None}), rows[4]]

    with pytest.raises(StatementFailed):
        _store(database, broken)
    cut_off = _ids(database)
    _store(database, rows)

    assert cut_off == ["i2", "i3"]
    assert _ids(database) == ["i2", "i3", "i4", "i5", "i6"]


def test_it_leaves_what_was_paid_since_the_file_was_compared(database: Database) -> None:
    """A payment that comes between comparing and writing is not undone by a file that says `void`."""
    rows = _rows(3)
    _store(database, rows)
    changed = [Row(each.line, {**each.values, "status": "void"}) for each in rows[:2]]
    planned = plan(database, changed)
    named = Reference(ReferenceKind.METADATA, "i2")
    paid = b.event(b.intent(amount_minor=1000, currency="eur", references=frozenset({named})))
    with database.writing() as tx:
        apply_payment_state(tx, [paid], source=Source.WEBHOOK, now=b.NOON, policy=Policy())

    store(database, planned.writes, now=b.NOON, policy=Policy(), batch=BATCH)

    with database.reading() as tx:
        found = {row["id"]: row["status"] for row in queries.invoices(tx)}
    assert found == {"i2": "paid", "i3": "void", "i4": "open"}


def test_it_plans_page_by_page_as_it_would_at_once(database: Database) -> None:
    """More rows than a page compares are told apart by where they stand in the file, not by their page."""
    _store(database, _rows(3))

    planned = plan(database, _rows(1203))

    assert (planned.new, planned.changed, planned.unchanged) == (1200, 0, 3)
    assert len(planned.writes) == 1200
