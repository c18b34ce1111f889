"""What do tests of the books of a run begin with? Rows that came through the door, and a run that has looked at them.

Days are counted from the 1st of March 2026; a moment is a day and a clock time in the zone of the test.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from reconciler.apply import Policy, apply_payment_state
from reconciler.core.calendar import DayRange
from reconciler.core.observation import Projection, Source, TransactionSeen, ms
from reconciler.core.report import RunHead, RunState
from reconciler.core.schedule import Window
from reconciler.db import runs, signing
from reconciler.db.runs import End, Slice
from reconciler.db.session import Database
from reconciler.reconcile.statement import totals_of
from reconciler.reconcile.stretches import LISTS
from reconciler.reconcile.totals import Covered, covered_by
from tests.core import builders as b

FIRST = date(2026, 3, 1)
NOW = datetime(2026, 4, 10, 9, tzinfo=UTC)


def on(day: int, hour: int = 12, *, zone: tzinfo = UTC) -> int:
    """The moment of an hour of the so many-th day, in milliseconds."""
    midnight = datetime(2026, 3, 1, tzinfo=zone) + timedelta(days=day - 1)
    return ms(midnight.replace(hour=hour))


def tell(database: Database, *seen: Projection, at: datetime = NOW) -> None:
    """Let Stripe say something, at a moment of our clock."""
    evidence = [b.read(each) for each in seen]
    with database.writing() as tx:
        apply_payment_state(tx, evidence, source=Source.WEBHOOK, now=at, policy=Policy())


def sale(number: int, amount: int, at_ms: int, *, currency: str = "eur") -> list[Projection]:
    """A card payment with its charge, without its balance transaction."""
    named = {"id": f"pi_{number}", "amount_minor": amount, "currency": currency}
    of = {**named, "id": f"ch_{number}", "intent": f"pi_{number}", "created_ms": at_ms}
    return [b.intent(**named, created_ms=at_ms, succeeded_ms=at_ms), b.charge(**of)]


def money(number: int, amount: int, at_ms: int, **changed: Any) -> TransactionSeen:
    """The balance transaction of such a payment: 2.9 % and 30 cents go to Stripe."""
    fee = int(changed.pop("fee_minor", amount * 29 // 1000 + 30))
    plain = {"id": f"txn_{number}", "source": f"ch_{number}", "created_ms": at_ms}
    seen: TransactionSeen = b.transaction(
        amount, **plain | changed, fee_minor=fee, net_minor=amount - fee
    )
    return seen


def days(last: int = 31, *, first: int = 1, zone: str = "UTC") -> DayRange:
    """Some days of March, and of the months after it."""
    begin = FIRST + timedelta(days=first - 1)
    return DayRange(first=begin, last=FIRST + timedelta(days=last - 1), zone=ZoneInfo(zone))


def run_over(
    database: Database,
    asked: DayRange,
    *,
    until_ms: int | None = None,
    closing: Mapping[str, int] | None = None,
    state: RunState = RunState.COMPLETE,
    is_dry: bool = False,
    slices: Iterable[Slice] | None = None,
) -> int:
    """A run over days that has found everything as it is here, and keeps its totals."""
    window = Window(asked.window.since_ms, until_ms or asked.window.until_ms)
    head = RunHead(
        id=0,
        first_day=asked.first,
        last_day=asked.last,
        zone=str(asked.zone),
        is_dry=is_dry,
        state=RunState.QUEUED,
        by="ada",
        asked_at=NOW,
    )
    with database.writing() as tx:
        run_id = runs.ask(tx, head)
        runs.begin(tx, run_id, window, day_not_over=until_ms is not None, now=NOW)
        head = runs.head(tx, run_id) or head
    covered = covered_by(head)
    assert covered is not None
    found = as_here(database, covered) if slices is None else slices
    with database.writing() as tx:
        for each in found:
            runs.keep_slice(tx, run_id, each)
        runs.end(tx, run_id, End(state=state, requests=1, objects=1, closing=closing), NOW)
    text = totals_of(database, run_id)
    with database.writing() as tx:
        signing.keep_totals(tx, run_id, text)
    return run_id


def as_here(database: Database, covered: Covered) -> list[Slice]:
    """What the slices of a run say whose lists are as our rows are."""
    sums: dict[str, dict[str, tuple[int, int]]] = {}
    for day, window in covered.by_day:
        for page in signing.movements(database, window):
            for each in page:
                of_day = sums.setdefault(day.isoformat(), {})
                count, net = of_day.get(each.currency, (0, 0))
                of_day[each.currency] = count + 1, net + each.net_minor
    return [
        Slice(
            list=each.name,
            window=covered.window,
            sums=sums if each.name == "balance_transactions" else {},
        )
        for each in LISTS
    ]
