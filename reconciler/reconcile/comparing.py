"""What do two runs say differently?

Compared is what each of them kept when it ended: the sums of both books by day and currency, what it listed as changed since
somebody signed, and the names of the differences that it found. A run that has kept nothing is compared as our books are now.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from typing import Any

from reconciler.core.report import Discrepancy, LedgerDay, SalesDay, SignedChange
from reconciler.db import runs, signing
from reconciler.db.lines import pages_of
from reconciler.db.session import Database
from reconciler.reconcile.statement import Totals, totals_in, totals_of


@dataclass(frozen=True, slots=True, kw_only=True)
class TotalDiffers:
    """One sum that is another one: of which book (`ledger`, `sales`), currency and day, and what both runs say; None: nothing."""

    book: str
    currency: str
    day: date
    name: str
    first: int | bool | None
    second: int | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDiff:
    """All that two runs say differently; differences are read anew each time that they are asked for, a page at a time.

    `changed_first` is what only the first run lists as changed since it was signed, in a run that both may know.
    """

    totals: tuple[TotalDiffers, ...] = ()
    only_first: Callable[[], Iterable[Discrepancy]] = field(default=tuple)
    only_second: Callable[[], Iterable[Discrepancy]] = field(default=tuple)
    changed_first: tuple[SignedChange, ...] = ()
    changed_second: tuple[SignedChange, ...] = ()


def diff(db: Database, first: int, second: int) -> RunDiff:
    """Compare two runs. Raises NoSuchRun."""
    one, other = _totals(db, first), _totals(db, second)
    return RunDiff(
        totals=(
            *_differing("ledger", one.ledger, other.ledger),
            *_differing("sales", one.sales, other.sales),
        ),
        only_first=lambda: _only_in(db, first, second),
        only_second=lambda: _only_in(db, second, first),
        changed_first=_changed_only(one, other),
        changed_second=_changed_only(other, one),
    )


def _changed_only(one: Totals, other: Totals) -> tuple[SignedChange, ...]:
    known = set(other.changed)
    return tuple(each for each in one.changed if each not in known)


def _only_in(db: Database, run_id: int, other_id: int) -> Iterator[Discrepancy]:
    for page in pages_of(runs.differences(db, run_id)):
        with db.reading() as tx:
            listed = runs.listed(tx, other_id, [each.subject for each in page])
        yield from (each for each in page if (each.kind, each.subject) not in listed)


def _totals(db: Database, run_id: int) -> Totals:
    with db.reading() as tx:
        kept = signing.totals(tx, run_id)
    return totals_in(kept if kept is not None else totals_of(db, run_id))


def _differing(
    book: str, one: Iterable[LedgerDay | SalesDay], other: Iterable[LedgerDay | SalesDay]
) -> Iterator[TotalDiffers]:
    first, second = _by_key(one), _by_key(other)
    for currency, day in sorted(first.keys() | second.keys()):
        mine, theirs = first.get((currency, day), {}), second.get((currency, day), {})
        for name in mine or theirs:
            if mine.get(name) != theirs.get(name):
                yield TotalDiffers(
                    book=book,
                    currency=currency,
                    day=day,
                    name=name,
                    first=mine.get(name),
                    second=theirs.get(name),
                )


def _by_key(days: Iterable[LedgerDay | SalesDay]) -> dict[tuple[str, date], Mapping[str, Any]]:
    return {
        (each.currency, each.day): {
            f.name: getattr(each, f.name) for f in fields(each) if f.name not in {"currency", "day"}
        }
        for each in days
    }
