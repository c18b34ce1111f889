"""Are the invoices that evidence could touch found, and not more than it takes to tell?"""

from typing import Any

import pytest
from sqlalchemy import event

from reconciler.core.observation import Reference, ReferenceKind
from reconciler.db.invoice_table import EMBEDDED
from reconciler.db.invoices import BEARERS_MAX, find
from reconciler.db.session import Database
from tests.journeys.conftest import write_invoices

MANY = 3 * BEARERS_MAX


def _found(database: Database, *references: Reference, ids: tuple[str, ...] = ()) -> set[str]:
    with database.writing() as tx:
        return set(find(tx, EMBEDDED, ids, references))


@pytest.mark.parametrize(
    ("column", "reference"),
    [
        ("stripe_payment_link_id", Reference(ReferenceKind.PAYMENT_LINK, "plink_1")),
        ("number", Reference(ReferenceKind.METADATA, "plink_1")),
        ("number", Reference(ReferenceKind.CLIENT_REFERENCE, "plink_1")),
    ],
)
def test_it_reads_a_few_of_the_many_that_share_a_name(
    database: Database, column: str, reference: Reference
) -> None:
    """What fits many invoices names none, so that a payment need not read, and lock, every one of them."""
    shared = {"amount_due": 1, "number": None, column: "plink_1"}
    write_invoices(database, *({**shared, "id": f"{place:03}"} for place in range(MANY)))

    found = _found(database, reference)
    asked_for = _found(database, reference, ids=(f"{MANY - 1:03}",))

    assert len(found) == BEARERS_MAX
    assert asked_for == found | {f"{MANY - 1:03}"}


def test_it_reads_all_that_keep_a_stored_id(database: Database) -> None:
    """One payment may be for many invoices: all on which the app stored its id are read."""
    stored = {"amount_due": 1, "stripe_payment_intent_id": "pi_1"}
    write_invoices(database, *({**stored, "id": str(place)} for place in range(MANY)))

    found = _found(database, Reference(ReferenceKind.PAYMENT_INTENT, "pi_1"))

    assert len(found) == MANY


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_it_looks_invoices_up_where_a_column_is_nearly_empty(database: Database) -> None:
    """A shop without Checkout has statistics that speak against the index of its Sessions: nobody asks for that column."""
    rows = (
        {"id": str(n), "amount_due": 1, "stripe_payment_intent_id": f"pi_{n}"} for n in range(500)
    )
    write_invoices(database, *rows)
    asked: list[tuple[str, Any]] = []

    def hear(_: object, __: object, statement: str, values: Any, *___: object) -> None:
        asked.append((statement, values))

    with database.writing() as tx:
        tx.exec_driver_sql("ANALYZE")
        event.listen(tx, "before_cursor_execute", hear)
        found = find(tx, EMBEDDED, ["7"], [Reference(ReferenceKind.PAYMENT_INTENT, "pi_8")])
        event.remove(tx, "before_cursor_execute", hear)
        [(statement, values)] = asked
        plan = tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values)
        steps = [row.detail for row in plan]

    assert set(found) == {"7", "8"}
    assert [each for each in steps if each.startswith("SCAN invoices")] == []
