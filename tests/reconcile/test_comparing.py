"""Is it told what two runs say differently, and nothing else?"""

from datetime import date, timedelta

from reconciler.core.drift import Drift
from reconciler.core.report import Discrepancy, Outcome
from reconciler.db import runs
from reconciler.db.session import Database
from reconciler.reconcile.comparing import diff
from reconciler.reconcile.signing import sign
from tests.core import builders as b
from tests.reconcile.accounts import NOW, days, money, on, run_over, sale, tell

MARCH = days(31)


def _difference(subject: str, kind: Drift) -> Discrepancy:
    return Discrepancy(
        kind=kind, subject=subject, payment_id="", here="1", there="2", outcome=Outcome.EXPLAINED
    )


def test_it_tells_nothing_of_runs_that_agree(database: Database) -> None:
    """Two runs over the same books say the same."""
    tell(database, *sale(1, 1000, on(5)), money(1, 1000, on(5)))

    found = diff(database, run_over(database, MARCH), run_over(database, MARCH))

    assert (found.totals, list(found.only_first()), list(found.only_second())) == ((), [], [])


def test_it_tells_which_sums_are_others(database: Database) -> None:
    """Each sum that differs is told with its book, currency and day, and what both runs say."""
    tell(database, *sale(1, 1000, on(5)), money(1, 1000, on(5), fee_minor=0))
    first = run_over(database, MARCH)
    tell(database, *sale(2, 70, on(5)), *sale(3, 1, on(9), currency="usd"))
    second = run_over(database, MARCH)

    found = diff(database, first, second)

    assert [(e.book, e.currency, e.day, e.name, e.first, e.second) for e in found.totals if e.second != 0] == [
        ("sales", "eur", date(2026, 3, 5), "payments", 1, 2),
        ("sales", "eur", date(2026, 3, 5), "received_minor", 1000, 1070),
        ("sales", "usd", date(2026, 3, 9), "payments", None, 1),
        ("sales", "usd", date(2026, 3, 9), "received_minor", None, 1),
    ]  # fmt: skip


def test_it_tells_what_only_one_lists_as_changed_since_signed(database: Database) -> None:
    """A run after a late refund says something else than the one that was signed before, though all sums are the same."""
    tell(database, *sale(1, 1000, on(5)), money(1, 1000, on(5)))
    signed = run_over(database, MARCH)
    assert sign(database, signed, "ada", NOW) is None
    tell(database, b.refund("succeeded", 300, created_ms=on(33)), at=NOW + timedelta(days=1))
    later = run_over(database, MARCH)

    found, back = diff(database, signed, later), diff(database, later, signed)

    assert [(e.object_id, e.difference_minor) for e in found.changed_second] == [("pi_1", -300)]
    assert (found.totals, found.changed_first, back.changed_second) == ((), (), ())
    assert back.changed_first == found.changed_second
    assert diff(database, later, later).changed_first == ()


def test_it_tells_which_differences_only_one_lists(database: Database) -> None:
    """A difference is the same one if its kind and its subject are."""
    first, second = run_over(database, MARCH), run_over(database, MARCH)
    both = _difference("pi_1", Drift.UNMATCHED)
    with database.writing() as tx:
        runs.keep_differences(tx, first, [both, _difference("pi_2", Drift.UNMATCHED)])
        runs.keep_differences(tx, second, [both, _difference("pi_2", Drift.UNDERPAID)])

    found = diff(database, first, second)

    assert [(e.kind, e.subject) for e in found.only_first()] == [(Drift.UNMATCHED, "pi_2")]
    assert [(e.kind, e.subject) for e in found.only_second()] == [(Drift.UNDERPAID, "pi_2")]
