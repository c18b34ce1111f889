"""Are the invoices that evidence could touch found, and not more than it takes to tell?"""

import pytest

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
