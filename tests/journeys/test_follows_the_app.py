"""The app writes its own table whenever it likes and tells nobody: the books follow, without any event."""

from dataclasses import asdict, replace
from datetime import timedelta

from reconciler.db import queries
from reconciler.db.tables import invoices
from reconciler.simulator import till
from reconciler.simulator.world import AppInvoice
from tests.journeys.timelapse import Timelapse

HALF_A_DAY = timedelta(days=0.5)


def _add(months: Timelapse, number: int, amount: int) -> None:
    """Add an invoice as the app does."""
    added = AppInvoice(id=str(number), number=f"INV-{number}", currency="eur", amount_due=amount)
    times = {"created_at": months.now(), "updated_at": months.now()}
    known = invoices.c.keys()
    row = {name: value for name, value in asdict(added).items() if name in known}
    with months.database.writing() as tx:
        tx.execute(invoices.insert(), {**row, **times})
    months.world.invoices[added.id] = added


def _change(months: Timelapse, number: int, **fields: object) -> None:
    """Change an invoice as the app does."""
    changed = replace(months.world.invoices[str(number)], **fields)  # type: ignore[arg-type]
    with months.database.writing() as tx:
        tx.execute(invoices.update().where(invoices.c.id == changed.id).values(fields))
    months.world.invoices[changed.id] = changed


def _words(months: Timelapse) -> dict[str, tuple[str, str | None]]:
    with months.database.reading() as tx:
        rows = queries.invoices(tx)
    return {row["number"]: (row["status"], row["payment_status"]) for row in rows}


def test_it_follows_what_the_app_adds_edits_and_voids(months: Timelapse) -> None:
    """An invoice added after its payment is paid, a lowered or raised amount counts, and a voided one is never paid."""
    early, short, over, never, voided = (
        months.intent(f"INV-{number}", 5000) for number in (1, 2, 3, 4, 5)
    )
    for number, amount in ((2, 6000), (3, 4000), (4, 5000), (5, 5000)):
        months.bill(number, amount)
    for paid in (early, short, over):
        till.succeed(months.world, paid)
    till.fail(months.world, never)
    months.run(HALF_A_DAY)
    before = _words(months)
    _add(months, 1, 5000)
    _change(months, 2, amount_due=5000)
    _change(months, 3, amount_due=5000)
    _change(months, 4, status="void")
    _change(months, 5, status="void")
    till.succeed(months.world, voided)

    months.run(HALF_A_DAY)

    assert before == {
        "INV-2": ("open", "partially_paid"),
        "INV-3": ("paid", "overpaid"),
        "INV-4": ("open", "failed"),
        "INV-5": ("open", "unpaid"),
    }
    assert _words(months) == {
        "INV-1": ("paid", "paid"),
        "INV-2": ("paid", "paid"),
        "INV-3": ("paid", "paid"),
        "INV-4": ("void", "failed"),
        "INV-5": ("void", "paid"),
    }
    assert ("invoice_not_payable", "5") in months.alerts()
    assert months.problems() == []
