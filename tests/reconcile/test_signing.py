"""Does what a person signed stay as it was, and is everything told that is another way since?"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from reconciler.core.observation import ForeignSeen, Projection
from reconciler.core.report import RunState, SignedChange
from reconciler.core.signed import Item
from reconciler.db import run_tables, runs, signing
from reconciler.db.session import Database
from reconciler.reconcile.changes import changed_since_signed, items_now
from reconciler.reconcile.signing import Obstacle, sign
from reconciler.reconcile.statement import report_of
from reconciler.reconcile.totals import Covered
from reconciler.simulator import returns
from tests.core import builders as b
from tests.poll.account import Account
from tests.reconcile.accounts import NOW, as_here, days, money, on, run_over, sale, tell
from tests.reconcile.days import DAY_S, everything, paid, reconciled, today
from tests.reconcile.days import days as days_there

LATER = NOW + timedelta(days=3)
AFTER = LATER + timedelta(days=1)
MARCH = days(31)
OPEN = "it belongs to the period that is open"


def _month(database: Database) -> int:
    """A month with one payment of ten euros, run over."""
    tell(database, *sale(1, 1000, on(5)), money(1, 1000, on(5)))
    return run_over(database, MARCH, closing={"eur": 5000})


def _signed(database: Database) -> int:
    run_id = _month(database)
    assert sign(database, run_id, "ada", LATER) is None
    return run_id


def _items(database: Database, run_id: int) -> dict[str, tuple[str, int]]:
    column = run_tables.signed_items.c
    asked = select(column.object_id, column.value, column.amount).where(column.run_id == run_id)
    with database.reading() as tx:
        return {id_: (value, amount) for id_, value, amount in tx.execute(asked)}


def _changes(database: Database, run_id: int = 0) -> list[SignedChange]:
    return list(changed_since_signed(database, MARCH, run_id))


def test_it_freezes_every_object_of_the_days(database: Database) -> None:
    """A payment, a refund, a dispute and each balance transaction are kept with what they are worth; other days are not."""
    tell(
        database, *sale(1, 1000, on(5)), money(1, 1000, on(5)), *sale(2, 700, on(32)), money(2, 700, on(32)),
        b.refund("succeeded", 300, created_ms=on(6)),
        b.transaction(-300, id="txn_r", source="re_1", category="refund", created_ms=on(6)),
        b.dispute("warning_needs_response", created_ms=on(7)), *sale(3, 50, on(8)),
    )  # fmt: skip
    run_id = run_over(database, MARCH)

    assert sign(database, run_id, "ada", LATER) is None

    assert _items(database, run_id) == {
        "pi_1": ("succeeded 1000 eur refunded 300 disputed 0 settled 1000 eur fee 59", 700),
        "pi_3": ("succeeded 50 eur refunded 0 disputed 0", 50),
        "re_1": ("succeeded 300 eur", 300),
        "dp_1": ("warning_needs_response 1000 eur", 1000),
        "txn_1": ("charge 1000 eur fee 59", 941),
        "txn_r": ("refund -300 eur fee 0", -300),
    }
    with database.reading() as tx:
        head = runs.head(tx, run_id)
    assert head is not None
    assert (head.signed_by, head.signed_at) == ("ada", LATER)


def test_it_signs_more_than_a_page(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pages follow each other without a gap, also where many objects have one second."""
    monkeypatch.setattr("reconciler.db.lines.PAGE", 3)
    monkeypatch.setattr("reconciler.db.signing.PAGE", 3)
    for n in range(10):
        tell(database, *sale(n, 100, on(5)), money(n, 100, on(5)))
    run_id = run_over(database, MARCH)

    assert sign(database, run_id, "ada", LATER) is None
    tell(database, *sale(77, 100, on(5)), money(77, 100, on(5)))

    assert len(_items(database, run_id)) == 20
    assert sorted(each.object_id for each in _changes(database)) == ["pi_77", "txn_77"]
    report = report_of(database, run_id, now=AFTER)
    assert len(list(report.payments())) == 10


REFUSALS = [
    (RunState.COMPLETE, True, Obstacle.DRY),
    (RunState.CUT_OFF, False, Obstacle.NOT_COMPLETE),
    (RunState.RUNNING, False, Obstacle.NOT_COMPLETE),
]


@pytest.mark.parametrize(("state", "is_dry", "obstacle"), REFUSALS)
def test_it_signs_only_what_is_complete(
    database: Database, state: RunState, is_dry: bool, obstacle: Obstacle
) -> None:
    """A dry run has repaired nothing, and one that was cut off has not looked at everything."""
    run_id = run_over(database, MARCH, state=state, is_dry=is_dry)

    assert sign(database, run_id, "ada", LATER) is obstacle
    assert _items(database, run_id) == {}


def test_it_signs_no_day_that_goes_on(database: Database) -> None:
    """A day that was not over when the run ended may have brought more since: it can't be signed, and why is said."""
    tell(database, *sale(1, 1000, on(5)), money(1, 1000, on(5)))
    run_id = run_over(database, MARCH, until_ms=on(31, 12))

    assert sign(database, run_id, "ada", LATER) is Obstacle.NOT_OVER
    assert _items(database, run_id) == {}


def test_it_signs_no_gap(database: Database) -> None:
    """Where an id was on one side only, the numbers are not all of Stripe's: nobody can sign for them."""
    tell(database, *sale(1, 1000, on(5)), money(1, 1000, on(5)))
    covered = Covered(days=MARCH, window=MARCH.window)
    first, *rest = as_here(database, covered)
    run_id = run_over(database, MARCH, slices=[replace(first, gap=1), *rest])

    assert sign(database, run_id, "ada", LATER) is Obstacle.GAPS
    assert _items(database, run_id) == {}


def test_it_signs_no_day_that_does_not_tie_out(database: Database) -> None:
    """Where Stripe's list of a day has another sum than our rows, and nothing else is in the way, nobody can sign for it."""
    tell(database, *sale(1, 1000, on(5)), money(1, 1000, on(5)))
    first, *rest = as_here(database, Covered(days=MARCH, window=MARCH.window))
    other = replace(first, sums={"2026-03-05": {"eur": (1, 942)}})
    run_id = run_over(database, MARCH, slices=[other, *rest])

    assert sign(database, run_id, "ada", LATER) is Obstacle.NOT_TIED_OUT
    assert _items(database, run_id) == {}


def test_it_signs_no_older_run_once_its_days_were_signed_in_another(database: Database) -> None:
    """A run that says nothing of what has changed since a signature that is newer than the run is run again first."""
    older, newer = (_month(database), _month(database))
    assert sign(database, newer, "ada", LATER) is None
    tell(database, b.refund("succeeded", 300, created_ms=on(33)), at=AFTER)

    assert sign(database, older, "ada", AFTER) is Obstacle.CHANGED
    again = run_over(database, MARCH, closing={"eur": 5000})
    assert sign(database, again, "ada", AFTER) is None


def test_it_takes_for_the_last_signature_the_one_that_was_given_last(database: Database) -> None:
    """Days that were signed in a newer run first, and in an older one then, are compared with the older run."""
    older, newer = (_month(database), _month(database))
    for run_id, at in ((newer, LATER), (older, AFTER)):
        assert sign(database, run_id, "ada", at) is None

    tell(database, *sale(2, 700, on(9)), money(2, 700, on(9)), at=AFTER)

    assert {each.run_id for each in _changes(database)} == {older}


def test_it_shows_what_was_signed_though_it_is_no_sale_any_more(database: Database) -> None:
    """A signed payment that turns out to be nobody's business stays in that report, and the next run says what became of it."""
    run_id = _signed(database)
    before = list(report_of(database, run_id, now=LATER).payments())
    tell(database, ForeignSeen(id="pi_1", reason="invoice in_1"), at=AFTER)

    after = list(report_of(database, run_id, now=AFTER).payments())

    assert [each.id for each in before] == ["pi_1"]
    assert after == before
    assert [each.object_id for each in _changes(database)] == ["pi_1"]


def test_it_signs_a_run_once(database: Database) -> None:
    """What is signed stays signed by whoever signed it first."""
    run_id = _signed(database)
    before = _items(database, run_id)

    again = sign(database, run_id, "grace", AFTER)

    with database.reading() as tx:
        head = runs.head(tx, run_id)
    assert again is Obstacle.SIGNED
    assert head is not None
    assert head.signed_by == "ada"
    assert _items(database, run_id) == before
    assert sign(database, run_id + 9, "ada", AFTER) is Obstacle.UNKNOWN


def test_it_refuses_numbers_that_the_books_do_not_bear_out(database: Database) -> None:
    """Between the run and the signature money of these days came to be known: the run's numbers are not true any more."""
    run_id = _month(database)
    tell(database, *sale(2, 700, on(9)), money(2, 700, on(9)))

    assert sign(database, run_id, "ada", LATER) is Obstacle.CHANGED
    with database.reading() as tx:
        assert not signing.is_signed(tx, run_id)
    # Nor is a month frozen first, only to be refused then.
    assert _items(database, run_id) == {}


def test_it_begins_anew_after_it_broke_off(database: Database) -> None:
    """What an attempt that never came to its end has frozen is forgotten."""
    run_id = _month(database)
    with database.writing() as tx:
        row = {
            "run_id": run_id,
            "object_id": "pi_old",
            "day": MARCH.first,
            "currency": "eur",
            "amount": 1,
            "value": "x",
        }
        tx.execute(run_tables.signed_items.insert(), row)

    assert sign(database, run_id, "ada", LATER) is None
    assert set(_items(database, run_id)) == {"pi_1", "txn_1"}


def test_it_stays_as_it_was(database: Database) -> None:
    """A late refund, dispute and payment change nothing in the report that was signed: not a sum, not a line."""
    run_id = _signed(database)
    before = report_of(database, run_id, now=AFTER)
    lines = [list(each()) for each in (before.payments, before.refunds, before.disputes)]
    tell(
        database, b.refund("succeeded", 300, created_ms=on(33)), *sale(2, 700, on(9)), money(2, 700, on(9)),
        b.transaction(-300, id="txn_r", source="re_1", category="refund", created_ms=on(33)),
        b.dispute(created_ms=on(34)), b.withdrawn(700, created_ms=on(34)), at=AFTER,
    )  # fmt: skip

    after = report_of(database, run_id, now=AFTER)

    assert [list(each()) for each in (after.payments, after.refunds, after.disputes)] == lines
    assert (after.ledger, after.sales, after.lists) == (before.ledger, before.sales, before.lists)
    assert after.changed_since_signed == ()
    assert [line.refunded_minor for line in after.payments()] == [0]


CHANGES: list[tuple[str, Sequence[Projection], list[tuple[str, str, str, str, int]]]] = [
    ("nothing", [], []),
    ("what is seen again", [*sale(1, 1000, on(5)), money(1, 1000, on(5))], []),
    ("what is of other days", [*sale(2, 700, on(32)), money(2, 700, on(32))], []),
    (
        "a late refund",
        [
            b.refund("succeeded", 300, created_ms=on(33)),
            b.transaction(-300, id="txn_r", source="re_1", category="refund", created_ms=on(33)),
        ],
        [
            (
                "pi_1",
                "succeeded 1000 eur refunded 0 disputed 0 settled 1000 eur fee 59",
                "succeeded 1000 eur refunded 300 disputed 0 settled 1000 eur fee 59",
                "refund re_1, whose money moved on 2026-04-02",
                -300,
            )
        ],
    ),
    (
        "a late dispute",
        [b.dispute(created_ms=on(34)), b.withdrawn(1000, created_ms=on(34))],
        [
            (
                "pi_1",
                "succeeded 1000 eur refunded 0 disputed 0 settled 1000 eur fee 59",
                "succeeded 1000 eur refunded 0 disputed 1000 settled 1000 eur fee 59",
                "dispute dp_1, whose money moved on 2026-04-03",
                -1000,
            )
        ],
    ),
    (
        "a transaction that was overlooked",
        [
            b.transaction(
                -500, id="txn_f", source="", type="stripe_fee", category="fee", created_ms=on(9)
            )
        ],
        [("txn_f", "nothing", "fee -500 eur fee 0", f"late transaction; {OPEN}", -500)],
    ),
    (
        "a payment that was overlooked",
        sale(2, 700, on(9)),
        [
            (
                "pi_2",
                "nothing",
                "succeeded 700 eur refunded 0 disputed 0",
                f"late payment; {OPEN}",
                700,
            )
        ],
    ),
    (
        "a payment that is none of ours",
        [b.intent(foreign=frozenset({"invoice"}), succeeded_ms=on(5))],
        [
            (
                "pi_1",
                "succeeded 1000 eur refunded 0 disputed 0 settled 1000 eur fee 59",
                "nothing",
                f"it is no money of ours any more; {OPEN}",
                -1000,
            )
        ],
    ),
    (
        "an inquiry that nobody had heard of",
        [b.dispute("warning_needs_response", created_ms=on(9))],
        [
            (
                "dp_1",
                "nothing",
                "warning_needs_response 1000 eur",
                f"not known when these days were signed; {OPEN}",
                0,
            )
        ],
    ),
]


@pytest.mark.parametrize(
    ("seen", "expected"), [e[1:] for e in CHANGES], ids=[e[0] for e in CHANGES]
)
def test_it_tells_what_has_changed_since(
    database: Database, seen: Sequence[Projection], expected: list[tuple[str, str, str, str, int]]
) -> None:
    """Each object that is worth another thing than it was signed for is told, with its cause and the difference; no other one."""
    run_id = _signed(database)
    tell(database, *seen, at=AFTER)

    found = _changes(database)

    assert [
        (e.object_id, e.before, e.after, e.cause, e.difference_minor) for e in found
    ] == expected
    assert all((each.run_id, each.currency) == (run_id, "eur") for each in found)


def test_it_tells_that_money_moved_on_another_day(database: Database) -> None:
    """A payment that was signed for the day on which it was paid counts on another one once its money is known."""
    tell(database, *sale(1, 1000, on(31)))
    run_id = run_over(database, MARCH)
    sign(database, run_id, "ada", LATER)
    tell(database, money(1, 1000, on(32)), at=AFTER)

    (found,) = _changes(database)

    assert found.day == MARCH.last
    assert (
        found.after
        == "succeeded 1000 eur refunded 0 disputed 0 settled 1000 eur fee 59 on 2026-04-01"
    )
    (line,) = report_of(database, run_id, now=AFTER).payments()
    assert (line.day, line.gross_minor, line.settlement_currency) == (MARCH.last, None, "")


def test_it_names_only_what_was_learnt_since(database: Database) -> None:
    """A refund that was known when the days were signed, though it is of later days, is not blamed for a later one."""
    tell(
        database, *sale(1, 1000, on(5)), money(1, 1000, on(5)), b.refund("succeeded", 100, created_ms=on(33)),
        b.transaction(-100, id="txn_r", source="re_1", category="refund", created_ms=on(33)),
    )  # fmt: skip
    run_id = run_over(database, MARCH)
    sign(database, run_id, "ada", LATER)
    tell(database, b.refund("succeeded", 200, id="re_2", created_ms=on(45)), at=AFTER)

    (found,) = _changes(database)

    assert (found.cause, found.difference_minor) == ("refund re_2", -200)


def test_it_lists_the_changes_in_a_later_run(database: Database) -> None:
    """A run over days that somebody signed says what has changed since; the signed run says it of itself never."""
    signed = _signed(database)
    tell(database, *sale(2, 700, on(9)), money(2, 700, on(9)), at=AFTER)

    later = run_over(database, days(40, first=9))

    report = report_of(database, later, now=AFTER)
    assert {each.object_id for each in report.changed_since_signed} == {"pi_2", "txn_2"}
    assert {each.run_id for each in report.changed_since_signed} == {signed}
    assert _changes(database, run_id=signed) == []


@pytest.mark.parametrize(
    ("first", "last", "is_told"), [(1, 8, False), (9, 9, True), (9, 60, True), (10, 31, False)]
)
def test_it_tells_of_the_days_that_are_asked_for(
    database: Database, first: int, last: int, is_told: bool
) -> None:
    """Of a signed month only those days are looked at that the later run is about."""
    _signed(database)
    tell(database, money(2, 700, on(9)), at=AFTER)

    found = list(changed_since_signed(database, days(last, first=first), 0))

    assert bool(found) is is_told


def test_it_says_who_was_faster(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two who sign at once only one has signed, and nothing of the other's is left among what was signed."""
    run_id = _month(database)
    plain = signing.freeze

    def meanwhile(tx: object, of: int, items: object) -> None:
        plain(tx, of, items)  # type: ignore[arg-type]
        signing.mark(tx, of, "grace", LATER)  # type: ignore[arg-type]

    monkeypatch.setattr(signing, "freeze", meanwhile)

    with capture_logs():
        assert sign(database, run_id, "ada", LATER) is Obstacle.BUSY
    with database.reading() as tx:
        head = runs.head(tx, run_id)
    assert head is not None
    assert head.signed_by == "grace"


def test_it_looks_again_before_it_signs(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Money of these days that comes to be known while a run is being signed keeps it from being signed."""
    run_id = _month(database)

    def slow(db: Database, covered: Covered) -> Iterator[list[Item]]:
        yield from items_now(db, covered)
        tell(db, money(2, 700, on(9)))

    monkeypatch.setattr("reconciler.reconcile.signing.items_now", slow)

    assert sign(database, run_id, "ada", LATER) is Obstacle.CHANGED
    with database.reading() as tx:
        assert not signing.is_signed(tx, run_id)


def test_it_closes_days_for_good(database: Database) -> None:
    """Days that were run over and signed stay as they were after a late refund, and the next run over them says so."""
    account = Account(database)
    first = today(account)
    refunded = paid(account, amount=1000)
    everything(account)
    account.wait(2 * DAY_S)
    asked = days_there(account, first, first)
    head = reconciled(account, asked)
    assert sign(database, head.id, "ada", account.now()) is None
    before = report_of(database, head.id, now=account.now())
    lines = list(before.payments())
    account.wait(DAY_S)
    refund = returns.refund(account.world, refunded, 300)
    account.wait(DAY_S)

    later = reconciled(account, days_there(account, first))

    after = report_of(database, head.id, now=account.now())
    assert (after.ledger, after.sales, after.lists) == (before.ledger, before.sales, before.lists)
    assert list(after.payments()) == lines
    assert all(day.ties_out and day.closing_minor is not None for day in before.ledger)
    (change,) = report_of(database, later.id, now=account.now()).changed_since_signed
    assert (change.run_id, change.object_id, change.difference_minor) == (head.id, refunded, -300)
    assert change.cause.startswith(f"refund {refund}, whose money moved on ")
    assert change.day == first


def test_it_compares_with_the_last_signature_of_a_day(database: Database) -> None:
    """Days that were signed twice list a later change once, and not what the second signature has seen already."""
    first = _signed(database)
    tell(database, b.refund("succeeded", 300, created_ms=on(6)))
    second = run_over(database, MARCH, closing={"eur": 5000})
    assert sign(database, second, "ada", LATER) is None
    seen = _changes(database)

    tell(database, *sale(2, 700, on(9)), money(2, 700, on(9)))

    assert (first, seen) == (second - 1, [])
    assert {each.run_id for each in _changes(database)} == {second}
    assert sorted(each.object_id for each in _changes(database)) == ["pi_2", "txn_2"]
