"""Does the pool of invoices that may be meant hold the likely ones, and stay small?"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from reconciler.core.candidates import Wanted
from reconciler.core.observation import Reference, ReferenceKind
from reconciler.db import tables
from reconciler.db.invoice_table import EMBEDDED
from reconciler.db.prospects import POOL_MAX, prospects
from reconciler.db.session import Database
from tests.core import builders as b

WANTED = Wanted(amount_minor=1000, currency="eur", at=b.NOON)
LONG_AGO = b.NOON - timedelta(days=400)


def add(database: Database, rows: Sequence[dict[str, Any]]) -> None:
    """Add invoices for which nothing speaks, changed as said."""
    plain = {"number": "", "customer_email": "", "currency": "eur", "amount_due": 7777, "status": "open",
             "stripe_payment_link_id": None, "created_at": LONG_AGO, "updated_at": b.NOON}  # fmt: skip
    with database.writing() as tx:
        tx.execute(tables.invoices.insert(), [{**plain, **row} for row in rows])


def pool(database: Database, wanted: Wanted = WANTED) -> list[str]:
    """The ids of the invoices in the pool."""
    with database.reading() as tx:
        found = prospects(tx, EMBEDDED, ["open"], wanted)
    return [each.invoice.id for each in found]


def naming(kind: ReferenceKind, value: str) -> Wanted:
    """Money that carries one name and has an amount that nothing asks for."""
    return Wanted(amount_minor=1, currency="eur", references=frozenset({Reference(kind, value)}))


@pytest.mark.parametrize(
    ("row", "wanted", "is_there"),
    [
        ({"amount_due": 1000}, WANTED, True),
        ({"amount_due": 1000, "currency": "usd"}, WANTED, False),
        ({"amount_due": 1000, "status": "void"}, WANTED, False),
        ({"created_at": b.NOON - timedelta(days=6)}, WANTED, True),
        ({"created_at": b.NOON - timedelta(days=8)}, WANTED, False),
        ({"customer_email": "Bob@X.org"}, Wanted(amount_minor=1, currency="eur", email="bob@x.ORG"), True),
        ({}, Wanted(amount_minor=1, currency="eur", email=""), False),
        ({"number": "INV-7"}, naming(ReferenceKind.CLIENT_REFERENCE, "inv 7"), True),
        ({"number": "INV-7"}, naming(ReferenceKind.CHARGE, "inv 7"), False),
        ({"number": "INV-7", "status": "void"}, naming(ReferenceKind.METADATA, "INV-7"), True),
        ({"number": "INV-7", "status": "void"}, naming(ReferenceKind.METADATA, "inv 7"), False),
        ({"stripe_payment_link_id": "pl"}, naming(ReferenceKind.PAYMENT_LINK, "pl"), True),
    ],
)  # fmt: skip
def test_it_holds_what_something_speaks_for(
    database: Database, row: dict[str, Any], wanted: Wanted, is_there: bool
) -> None:
    """Payable invoices in the same currency with a reason, and besides them those that are named exactly."""
    add(database, [{"id": "inv_1", **row}])

    assert pool(database, wanted) == (["inv_1"] if is_there else [])


def test_it_counts_what_an_invoice_still_waits_for(database: Database) -> None:
    """Of an invoice that was paid in part, the rest is compared."""
    add(database, [{"id": "inv_1", "amount_due": 1500}])
    settled = {"invoice_id": "inv_1", "currency": "eur", "amount_due": 1500, "received": 500, "refunded": 0,
               "refund_pending": 0, "disputed": 0, "net": 500, "payment_status": "partially_paid",
               "updated_at": b.NOON}  # fmt: skip
    with database.writing() as tx:
        tx.execute(tables.settlements.insert().values(**settled))

    with database.reading() as tx:
        [found] = prospects(tx, EMBEDDED, ["open"], WANTED)

    assert found.missing_minor == 1000


def test_it_stays_small_and_keeps_the_likely_ones(database: Database) -> None:
    """Of thousands that are only near in time a few hundred are kept, and the one with the amount is among them."""
    many = [{"id": f"near_{n:04}", "created_at": b.NOON} for n in range(2000)]
    add(database, [*many, {"id": "aaa", "amount_due": 1000}])

    found = pool(database)

    assert len(found) == POOL_MAX
    assert "aaa" in found
