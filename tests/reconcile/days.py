"""What do tests of the manual run begin with? Days at a simulated Stripe of which we heard nothing, and a run over them."""

from datetime import UTC, date
from typing import Any

from sqlalchemy import select

from reconciler.core.calendar import DayRange, day_of
from reconciler.core.report import Discrepancy, RunHead
from reconciler.db import runs
from reconciler.db.push_tables import metadata
from reconciler.db.session import Database
from reconciler.reconcile.asking import Asked, ask
from reconciler.reconcile.running import NORMAL, Bounds, run
from reconciler.simulator import checkout, returns, till
from tests.poll.account import Account

DAY_S = 86_400
OWN = {"reconcile_runs", "reconcile_slices", "reconcile_touched", "discrepancies", "leases"}


def today(account: Account) -> date:
    """The day that it is at Stripe, in UTC."""
    return day_of(account.world.clock.now_ms(), UTC)


def days(account: Account, first: date, last: date | None = None) -> DayRange:
    """Days in UTC; until today if it is not said."""
    return DayRange(first=first, last=last or today(account), zone=UTC)


def reconciled(
    account: Account, asked: DayRange, *, is_dry: bool = False, bounds: Bounds = NORMAL
) -> RunHead:
    """Ask for a run and run it."""
    wanted = Asked(days=asked, zone="UTC", is_dry=is_dry, by="finance")
    run_id = ask(account.database, wanted, account.now())
    return run(account.poller, run_id, bounds=bounds)


def told(database: Database, head: RunHead) -> set[tuple[str, str, str, str, tuple[str, ...]]]:
    """The differences of a run, without what a dry run can't know of them."""
    return {
        (each.kind.value, each.subject, each.here, each.there, each.invoice_ids)
        for each in runs.differences(database, head.id)
    }


def kinds(database: Database, head: RunHead) -> dict[str, set[str]]:
    """The subjects of a run's differences by kind."""
    found: dict[str, set[str]] = {}
    for each in runs.differences(database, head.id):
        found.setdefault(each.kind.value, set()).add(each.subject)
    return found


def one(database: Database, head: RunHead, kind: str, subject: str) -> Discrepancy:
    """The difference of a kind about a subject."""
    found = runs.differences(database, head.id)
    [same] = [each for each in found if (each.kind.value, each.subject) == (kind, subject)]
    return same


def all_rows(database: Database, *, without: set[str]) -> dict[str, list[tuple[Any, ...]]]:
    """What stands in all tables but some."""
    with database.reading() as tx:
        return {
            table.name: sorted(map(tuple, tx.execute(select(table))), key=repr)
            for table in metadata.sorted_tables
            if table.name not in without
        }


def paid(account: Account, number: str = "", amount: int = 1000, currency: str = "eur") -> str:
    """A payment that succeeds, and names an invoice if it is to."""
    named = {"metadata": {"invoice_id": number}} if number else {}
    intent = till.make_intent(account.world, amount=amount, currency=currency, **named)
    till.succeed(account.world, intent)
    till.settle(account.world, intent)
    account.wait(60)
    return intent


def everything(account: Account) -> dict[str, str]:
    """One payment of each kind, a minute apart; returns the ids by what they are."""
    world = account.world
    made = {
        "paid": paid(account, "INV-1"),
        "unmatched": paid(account),
        "under": paid(account, "INV-2", 400),
        "over": paid(account, "INV-3", 1700),
        "first": paid(account, "INV-4"),
        "second": paid(account, "INV-4"),
        "foreign_currency": paid(account, "INV-5", 900, "usd"),
        "back": paid(account, "INV-6"),
        "claimed": paid(account, "INV-7"),
    }
    made["refund"] = returns.refund(world, made["back"], 300)
    made["dispute"] = returns.dispute(world, made["claimed"])
    made["failed"] = till.make_intent(world, amount=700, currency="eur")
    till.fail(world, made["failed"])
    made["open"] = till.make_intent(world, amount=800, currency="eur")
    made["debit"] = till.make_intent(world, amount=900, currency="eur")
    till.start_debit(world, made["debit"])
    made["session"] = checkout.open_session(world, amount=500, currency="eur")
    account.wait(120)
    return made


def invoices(amount_due: int = 1000) -> list[dict[str, object]]:
    """The invoices that `everything` names."""
    return [{"id": str(n), "number": f"INV-{n}", "amount_due": amount_due} for n in range(1, 8)]
