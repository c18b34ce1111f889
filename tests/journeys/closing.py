"""How is a month closed over a real socket, and are its books those that the simulator tells?"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeAlias, TypeVar

from reconciler.core.report import LedgerDay, Outcome, PayoutLine, Report, RunState, SalesDay
from reconciler.db import exceptions, queries
from reconciler.reconcile.statement import report_of
from reconciler.simulator.books import LedgerTruth, SalesTruth, books_of, payouts_of
from reconciler.simulator.hearsay import Difference
from tests.cli.program import MODE, Answer, Program
from tests.journeys.months import Shop
from tests.journeys.programs import environment

Line: TypeAlias = tuple[str, date]
K = TypeVar("K", str, Line)
V = TypeVar("V")


@dataclass(frozen=True, slots=True)
class Closed:
    """A run that has looked at all of its days, and the report on it as it was then."""

    id: int
    report: Report
    code: int

    def listed(self, *outcomes: Outcome) -> set[Difference]:
        """What differed, by name and id; only what had one of these outcomes, where some are given."""
        return {
            Difference(each.kind.value, each.subject)
            for each in self.report.differences()
            if not outcomes or each.outcome in outcomes
        }


def reconcile(shop: Shop, *options: str, last: date | None = None) -> Closed:
    """Reconcile the shop's month, or until another day, with the real command, to the end."""
    month = shop.played.month
    days = ("--from", str(month.first), "--to", str(last or month.last))
    answer = command(shop, "reconcile", *days, *options, "--format", "json", "--by", "finance")
    run_id = json.loads(answer.out)["run"]["id"]
    told = report_of(shop.database, run_id, now=datetime.now(UTC))
    assert (told.head.state, told.head.error) == (RunState.COMPLETE, "")
    return Closed(run_id, told, answer.code)


def command(shop: Shop, *arguments: str) -> Answer:
    """Run a command on the shop's books, as finance does."""
    with TemporaryDirectory() as folder:
        program = Program(Path(folder))
        program.configure(MODE)
        variables = environment(*shop.place, shop.base_url)
        zone = {"RECONCILER_REPORT__TIMEZONE": str(shop.played.month.zone)}
        return program.run(*arguments, **{**variables, **zone})


def look_after_all(shop: Shop) -> None:
    """Let a person look at everything that waits for one, and be content."""
    now = datetime.now(UTC)
    with shop.database.writing() as tx:
        for row in queries.open_exceptions(tx, now=now, limit=100_000):
            exceptions.resolve(tx, dict(row), by="finance", reason="seen", now=now)


def ledger_problems(
    shop: Shop, days: Iterable[LedgerDay], first: date, last: date
) -> list[tuple[Line, LedgerTruth | None, LedgerTruth | None]]:
    """Each day of the balance, by currency, that is not as it is in truth: which, here, in truth."""
    truth = books_of(shop.played.world, first, last, shop.played.month.zone).ledger
    here = {(each.currency, each.day): _ledger_of(each) for each in days}
    return _problems({key: each for key, each in here.items() if each.transactions}, truth)


def sales_problems(
    shop: Shop, days: Iterable[SalesDay], first: date, last: date
) -> list[tuple[Line, tuple[int, ...] | None, tuple[int, ...] | None]]:
    """Each day of sales, by currency, that is not as it is in truth."""
    truth = books_of(shop.played.world, first, last, shop.played.month.zone).sales
    here = {(each.currency, each.day): _sales_of(each) for each in days}
    there = {key: _counted(each) for key, each in truth.items()}
    return _problems(
        {key: each for key, each in here.items() if any(each)},
        {key: each for key, each in there.items() if any(each)},
    )


def payout_problems(
    shop: Shop, payouts: Iterable[PayoutLine]
) -> list[tuple[str, tuple[int | None, ...] | None, tuple[int | None, ...] | None]]:
    """Each payout whose content is known, and that holds something else than it does in truth."""
    truth: dict[str, tuple[int | None, ...]] = {
        id_: (len(each.payments), len(each.transactions), each.held)
        for id_, each in payouts_of(shop.played.world).items()
    }
    here: dict[str, tuple[int | None, ...]] = {
        each.id: (each.payments, each.transactions, each.held_minor)
        for each in payouts
        if each.is_complete
    }
    return _problems(here, truth)


def _problems(here: Mapping[K, V], truth: Mapping[K, V]) -> list[tuple[K, V | None, V | None]]:
    keys = sorted({*here, *truth})
    return [(key, here.get(key), truth.get(key)) for key in keys if here.get(key) != truth.get(key)]


def _ledger_of(day: LedgerDay) -> LedgerTruth:
    groups = {
        "charges": day.charges_minor,
        "refunds": day.refunds_minor,
        "refund_failures": day.refund_failures_minor,
        "disputes": day.disputes_minor,
        "fees": day.fees_minor,
        "payouts": day.payouts_minor,
        "other": day.other_minor,
    }
    return LedgerTruth(
        opening=-1 if day.opening_minor is None else day.opening_minor,
        closing=-1 if day.closing_minor is None else day.closing_minor,
        transactions=day.transactions,
        groups={name: amount for name, amount in groups.items() if amount},
    )


def _sales_of(day: SalesDay) -> tuple[int, ...]:
    return (
        day.payments,
        day.received_minor,
        day.refunds,
        day.refunded_minor,
        day.disputed_minor,
    )


def _counted(day: SalesTruth) -> tuple[int, ...]:
    return len(day.payments), day.received, len(day.refunds), day.refunded, day.disputed
