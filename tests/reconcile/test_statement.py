"""Does the report on a run say what our rows say, as far as the run has looked?"""

from datetime import date, timedelta

import pytest

from reconciler.core.drift import Drift
from reconciler.core.report import Discrepancy, Outcome, RunState
from reconciler.core.schedule import Window
from reconciler.db import runs
from reconciler.db.runs import Slice
from reconciler.db.session import Database
from reconciler.reconcile.asking import Asked, ask
from reconciler.reconcile.signing import sign
from reconciler.reconcile.statement import NoSuchRun, report_of, totals_in, totals_of
from tests.core import builders as b
from tests.reconcile.accounts import NOW, days, money, on, run_over, sale, tell

MARCH = days(31)


def _difference(subject: str, kind: Drift = Drift.STATUS_BEHIND) -> Discrepancy:
    return Discrepancy(
        kind=kind,
        subject=subject,
        payment_id=subject,
        here="pending",
        there="succeeded",
        outcome=Outcome.REPAIRED,
    )


def test_it_tells_the_whole_month(database: Database) -> None:
    """Both books, the payments, what went back and what differed, on the days on which the money moved."""
    tell(
        database, *sale(1, 1000, on(5)), money(1, 1000, on(6), exchange_rate="0.9"), *sale(2, 700, on(31)),
        *sale(3, 1, on(32)), b.refund("succeeded", 300, created_ms=on(7)), b.dispute("lost", created_ms=on(9)),
        b.transaction(-300, id="txn_r", source="re_1", category="refund", created_ms=on(8)),
        b.withdrawn(1000, created_ms=on(9), fee_minor=1500, net_minor=-2500),
    )  # fmt: skip
    run_id = run_over(database, MARCH, closing={"eur": 0})
    with database.writing() as tx:
        runs.keep_differences(tx, run_id, [_difference("pi_1"), _difference("pi_2")])

    report = report_of(database, run_id, now=NOW)

    assert report.is_complete
    assert report.made_at == NOW
    assert [each.name for each in report.lists] == [
        "balance_transactions", "payment_intents", "checkout_sessions", "refunds", "disputes",
    ]  # fmt: skip
    assert report.differences_by_kind == ((Drift.STATUS_BEHIND, Outcome.REPAIRED, 2),)
    assert [each.subject for each in report.differences()] == ["pi_1", "pi_2"]
    assert [(day.day.day, day.net_minor, day.ties_out) for day in report.ledger] == [
        (6, 941, True),
        (8, -300, True),
        (9, -2500, True),
    ]
    assert report.ledger[0].opening_minor == 1859
    assert [
        (day.day.day, day.received_minor, day.refunded_minor, day.disputed_minor)
        for day in report.sales
    ] == [
        (6, 1000, 0, 0),
        (8, 0, 300, 0),
        (9, 0, 0, 1000),
        (31, 700, 0, 0),
    ]
    assert [
        (each.id, each.day.day, each.gross_minor, each.fee_minor) for each in report.payments()
    ] == [
        ("pi_1", 6, 1000, 59),
        ("pi_2", 31, None, None),
    ]
    assert next(iter(report.payments())).exchange_rate == "0.9"
    assert [(each.id, each.day.day, each.payment_id) for each in report.refunds()] == [
        ("re_1", 8, "pi_1")
    ]
    assert [(each.id, each.day.day, each.reason) for each in report.disputes()] == [
        ("dp_1", 9, "fraudulent")
    ]


def test_it_knows_of_no_run_that_is_not_there(database: Database) -> None:
    """A number that nobody was given is said to be none."""
    with pytest.raises(NoSuchRun, match="there is no run 7"):
        report_of(database, 7, now=NOW)


def test_it_tells_what_was_only_asked_for(database: Database) -> None:
    """A run that waits in the queue has looked at nothing yet: its report is empty, and not complete."""
    run_id = ask(database, Asked(days=MARCH, zone="UTC", by="ada"), NOW)

    report = report_of(database, run_id, now=NOW)

    assert (report.head.state, report.ledger, report.lists) == (RunState.QUEUED, (), ())
    assert list(report.payments()) == []
    assert not report.is_complete


def test_it_says_which_list_was_not_read_to_its_end(database: Database) -> None:
    """A list is complete once its slices cover all the time that the run is about; counts and gaps of slices add up."""
    window = MARCH.window
    middle = on(10, 0)
    parts = [
        Slice(list="refunds", window=Window(window.since_ms, middle), at_stripe=3, here=2, gap=1),
        Slice(
            list="refunds",
            window=Window(middle, window.until_ms),
            at_stripe=4,
            here=4,
            left_alone=1,
        ),
        Slice(list="disputes", window=Window(middle, window.until_ms), at_stripe=1, here=1),
    ]
    run_id = run_over(database, MARCH, state=RunState.CUT_OFF, slices=parts)

    report = report_of(database, run_id, now=NOW)

    by_name = {each.name: each for each in report.lists}
    refunds = by_name["refunds"]
    assert (refunds.at_stripe, refunds.here, refunds.left_alone, refunds.gap) == (7, 6, 1, 1)
    assert [name for name, each in by_name.items() if each.is_complete] == ["refunds"]
    assert not report.is_complete


@pytest.mark.parametrize(
    ("seen_at", "is_refund_of_range"),
    [(on(1, 0), True), (on(31, 23), True), (on(32, 0), False), (on(1, 0) - 1000, False)],
)
def test_it_lists_what_went_back_in_the_range(
    database: Database, seen_at: int, is_refund_of_range: bool
) -> None:
    """A refund of a payment of other days is listed where its money moved."""
    tell(
        database, *sale(1, 1000, on(-40)), money(1, 1000, on(-40)), b.refund("succeeded", 300, created_ms=on(-1)),
        b.transaction(-300, id="txn_r", source="re_1", category="refund", created_ms=seen_at),
    )  # fmt: skip
    run_id = run_over(database, MARCH)

    assert bool(list(report_of(database, run_id, now=NOW).refunds())) is is_refund_of_range


def test_it_lists_once_what_left_and_came_back(database: Database) -> None:
    """A refund that left and failed in the same days is one line, on the day on which it left."""
    tell(
        database, *sale(1, 1000, on(5)), b.refund("failed", 300, created_ms=on(6)),
        b.transaction(-300, id="txn_r", source="re_1", category="refund", created_ms=on(6)),
        b.transaction(300, id="txn_b", source="re_1", category="refund_failure", created_ms=on(20)),
    )  # fmt: skip
    whole, later = run_over(database, MARCH), run_over(database, days(31, first=15))

    of_month = list(report_of(database, whole, now=NOW).refunds())
    of_half = list(report_of(database, later, now=NOW).refunds())

    assert [(each.status, each.day.day) for each in of_month] == [("failed", 6)]
    assert [(each.status, each.day.day) for each in of_half] == [("failed", 20)]


def test_it_reads_long_lists_in_pages(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every line comes once and in the order of days, wherever a page ends, though many have one second."""
    monkeypatch.setattr("reconciler.db.lines.PAGE", 3)
    for n in range(20):
        tell(
            database,
            *sale(n, 100, on(5 + n % 2)),
            *([money(n, 100, on(5 + n % 2))] if n % 3 else []),
        )
    run_id = run_over(database, MARCH)

    found = [(each.day, each.id) for each in report_of(database, run_id, now=NOW).payments()]

    assert len(found) == len(set(found)) == 20
    assert [day for day, _ in found] == sorted(day for day, _ in found)


def test_it_keeps_totals_that_can_be_read_again(database: Database) -> None:
    """What a run keeps when it ends says the same as its report, and says it in the same words each time."""
    tell(database, *sale(1, 1000, on(5)), money(1, 1000, on(5)))
    run_id = run_over(database, MARCH, closing={"eur": 5})
    report = report_of(database, run_id, now=NOW)

    text = totals_of(database, run_id)

    kept = totals_in(text)
    assert (kept.ledger, kept.sales, kept.lists) == (report.ledger, report.sales, report.lists)
    assert text == totals_of(database, run_id)


def test_it_takes_the_balance_from_whoever_has_just_read_it(database: Database) -> None:
    """While a run ends its row does not tell the balance yet: it is given."""
    tell(database, money(1, 1000, on(5), fee_minor=0))
    run_id = run_over(database, MARCH)

    (day,) = totals_in(totals_of(database, run_id, {"eur": 5000})).ledger

    assert (day.opening_minor, day.closing_minor, day.day) == (4000, 5000, date(2026, 3, 5))


def test_it_tells_of_a_run_as_the_books_are_now_until_it_is_signed(database: Database) -> None:
    """Money that comes to be known after an unsigned run is in its report, and the day does not tie out any more."""
    tell(database, *sale(1, 1000, on(5)), money(1, 1000, on(5)))
    run_id = run_over(database, MARCH)
    tell(database, money(2, 500, on(5)), at=NOW + timedelta(days=1))

    (day,) = report_of(database, run_id, now=NOW).ledger

    assert (day.charges_minor, day.ties_out) == (1500, False)


def test_it_says_that_there_are_more_changes(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report does not list changes of signed days without end, and says so in the last line."""
    monkeypatch.setattr("reconciler.reconcile.statement.CHANGES_MAX", 2)
    signed = run_over(database, MARCH)
    assert sign(database, signed, "ada", NOW) is None
    tell(database, *(money(n, 100, on(5)) for n in range(4)))

    changes = report_of(database, run_over(database, MARCH), now=NOW).changed_since_signed

    assert [each.object_id for each in changes] == ["txn_0", "txn_1", ""]
    assert changes[-1].cause == "there are more than 2 changes: these are the first"
