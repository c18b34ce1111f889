"""Does `verify` name each row that no apply could have written, whatever invariant it breaks?"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import ColumnElement, Table, delete, func, insert, update
from sqlalchemy.sql.dml import UpdateBase

from reconciler.apply import Policy, apply_payment_state
from reconciler.core.observation import Observation, Reference, ReferenceKind, Source
from reconciler.db import push_tables, run_tables
from reconciler.db import tables as t
from reconciler.db.digest import digest
from reconciler.db.session import Database
from reconciler.verify import Report, verify
from tests.core import builders as b

NOW = b.at(100)
BEFORE = NOW - timedelta(hours=1)
LATER = NOW + timedelta(hours=1)


def _names(*values: str, kind: ReferenceKind = ReferenceKind.METADATA) -> frozenset[Reference]:
    return frozenset(Reference(kind, value) for value in values)


def _history() -> list[Observation]:
    """An invoice that was paid, refunded and disputed, one without money, one in doubt, one that waits, one unmatched."""
    client = ReferenceKind.CLIENT_REFERENCE
    return [
        b.event(b.intent("requires_payment_method", failures=b.DECLINED, references=_names("i1")), 5, "evt_1"),
        b.event(b.intent(succeeded_ms=b.at_ms(9), references=_names("i1", kind=ReferenceKind.FROZEN_METADATA)), 9, "evt_2"),
        b.event(b.charge(), 9, "evt_3"),
        b.event(b.transaction(), 10, "evt_4"),
        b.event(b.refund("failed", 300), 20, "evt_5"),
        b.event(b.dispute("needs_response", amount_minor=800), 21, "evt_6"),
        b.event(b.withdrawn(800), 22, "evt_7"),
        b.event(b.intent(id="pi_2", references=_names("i2", "i3")), 12, "evt_8"),
        b.event(b.intent(id="pi_3"), 15, "evt_9"),
        b.event(b.refund("succeeded", 200, id="re_9", charge="ch_9", intent=None), 16, "evt_10"),
        b.event(b.session(id="cs_0", intent=None, payment_status="no_payment_required", amount_minor=0,
                          references=_names("i0", kind=client)), 17, "evt_11"),
        b.event(b.intent("processing", id="pi_4"), 18, "evt_12"),
    ]  # fmt: skip


def _event(id_: str, **changed: Any) -> Mapping[str, Any]:
    plain = {
        "id": id_,
        "livemode": False,
        "type": "product.created",
        "api_version": "2026-10-28",
        "body": b"",
    }
    plain |= {"created": b.NOON, "received_at": b.NOON, "source": "webhook", "state": "applied"}
    return {**plain, **changed}


def _run(**changed: Any) -> Mapping[str, Any]:
    day = b.NOON.date()
    plain = {
        "id": 1,
        "first_day": day,
        "last_day": day,
        "zone": "UTC",
        "is_dry": False,
        "asked_by": "ann",
    }
    return {**plain, "state": "complete", "asked_at": b.NOON, "ended_at": b.NOON, **changed}


def _sweep(**changed: Any) -> Mapping[str, Any]:
    plain = {"sweep": "events", "state": "done", "started_at": b.NOON, "ended_at": b.NOON}
    return {**plain, **changed}


def _told(**changed: Any) -> Mapping[str, Any]:
    plain: dict[str, Any] = {
        "milestone": "invoice_paid:i3",
        "user_id": "u3",
        "kind": "invoice_paid",
        "invoice_id": "i3",
    }
    plain |= {
        "number": "",
        "amount": 1,
        "currency": "eur",
        "stripe_at": b.NOON,
        "enqueued_at": b.NOON,
    }
    return {**plain, **changed}


def _delivery(**changed: Any) -> Mapping[str, Any]:
    plain = {
        "id": 1,
        "notification_id": 1,
        "subscription_id": 1,
        "host": "push.test",
        "due_at": b.NOON,
    }
    return {**plain, "created_at": b.NOON, **changed}


def _slice(**changed: Any) -> Mapping[str, Any]:
    return {
        "run_id": 1,
        "list": "charges",
        "since": b.NOON,
        "until": NOW,
        "is_done": True,
        **changed,
    }


def _discrepancy(**changed: Any) -> Mapping[str, Any]:
    plain = {
        "run_id": 1,
        "kind": "missing_here",
        "subject": "ch_1",
        "payment_id": "pi_1",
        "here": "",
        "there": "",
    }
    return {**plain, "outcome": "repaired", **changed}


@pytest.fixture
def books(database: Database) -> Database:
    """Give books with something in each table, of which nothing is wrong."""
    invoices = [
        {"id": f"i{n}", "number": f"INV-{n}", "amount_due": 1000 if n else 0, "user_id": f"u{n}"}
        for n in range(4)
    ]
    common = {"currency": "eur", "status": "open", "created_at": b.NOON, "updated_at": b.NOON}
    with database.writing() as tx:
        tx.execute(t.invoices.insert(), [{**common, **row} for row in invoices])
        tx.execute(t.installation.insert().values(key="mode", value="test"))
        tx.execute(t.stripe_events.insert(), [_event(f"evt_{n}") for n in range(1, 13)])
        tx.execute(run_tables.reconcile_runs.insert().values(_run()))
        tx.execute(run_tables.reconcile_slices.insert().values(_slice()))
        tx.execute(run_tables.discrepancies.insert().values(_discrepancy()))
        tx.execute(t.cursors.insert().values(name="events", position=b.NOON, updated_at=b.NOON))
        for each in _history():
            apply_payment_state(tx, [each], source=Source.WEBHOOK, now=NOW, policy=Policy())
        tx.execute(push_tables.deliveries.insert().values(_delivery()))
    return database


def _check(books: Database, *, now: datetime = NOW, rebuild: bool = False) -> Report:
    return verify(books, Policy(), now=now, rebuild=rebuild, inbox=True)


def _set(table: Table, where: ColumnElement[bool], **values: Any) -> UpdateBase:
    return update(table).where(where).values(values)


def _new(table: Table, row: Mapping[str, Any]) -> UpdateBase:
    return insert(table).values(row)


_pi1, _i1 = t.payments.c.id == "pi_1", t.settlements.c.invoice_id == "i1"
_alive = _new(t.sweep_runs, _sweep(sweep="open", started_at=NOW))
_seen1 = t.observations.c.object_id == "pi_1"

CRIMES: list[tuple[str, str, tuple[UpdateBase, ...]]] = [
    # 1: everything is a function of what was observed and decided
    ("columns", "pi_1", (_set(t.payments, _pi1, amount_received=1),)),
    ("columns", "pi_1", (_set(t.payments, _pi1, settled_net=1),)),
    ("columns", "re_1", (_set(t.refunds, t.refunds.c.id == "re_1", amount=1),)),
    ("columns", "dp_1", (_set(t.disputes, t.disputes.c.id == "dp_1", status="won"),)),
    ("columns", "cs_0", (_set(t.checkout_sessions, t.checkout_sessions.c.id == "cs_0", amount_total=9),)),
    ("columns", "txn_1", (_set(t.balance_transactions, t.balance_transactions.c.id == "txn_1", fee=9, net=991),)),
    ("transaction_sum", "txn_1", (_set(t.balance_transactions, t.balance_transactions.c.id == "txn_1", net=1),)),
    ("owner", "re_1", (_set(t.refunds, t.refunds.c.id == "re_1", payment_id="pi_3"),)),
    ("owner", "txn_1", (_set(t.balance_transactions, t.balance_transactions.c.id == "txn_1", payment_id=None),)),
    ("owner_missing", "re_1", (delete(t.payments).where(_pi1),)),
    ("waiting", "re_9", (delete(t.fetches).where(t.fetches.c.object_id == "ch_9"),)),
    ("names", "pi_1", (delete(t.payment_references).where(t.payment_references.c.value == "ch_1"),)),
    ("names", "pi_3", (_new(t.payment_references, {"payment_id": "pi_3", "kind": "charge", "value": "ch_8"}),)),
    ("placed", "pi_1", (delete(t.allocations).where(t.allocations.c.payment_id == "pi_1"),)),
    ("placed", "pi_2", (delete(t.claims).where(t.claims.c.holder_id == "pi_2"),)),
    ("waiver", "cs_0", (delete(t.claims).where(t.claims.c.holder_id == "cs_0"),)),
    ("settled", "invoice i1", (delete(t.settlements).where(_i1),)),
    ("settled", "invoice i1", (_set(t.settlements, _i1, disputed=0, net=1000),)),
    ("settled", "invoice i1", (_set(t.invoices, t.invoices.c.id == "i1", payment_status="unpaid"),)),
    ("unreadable", "pi_1", (_set(t.payments, _pi1, status="nonsense"),)),
    ("unreadable", "re_1", (_set(t.refunds, t.refunds.c.id == "re_1", facts="{"),)),
    ("exception_missing", "pi_3", (delete(t.exceptions).where(t.exceptions.c.subject == "pi_3"),)),
    ("exception_missing", "re_1", (_set(t.exceptions, t.exceptions.c.subject == "re_1", state="cleared", closed_at=NOW),)),
    ("exception_left", "pi_1", (_set(t.exceptions, t.exceptions.c.subject == "pi_3", subject="pi_1"),)),
    ("exception_orphan", "pi_0", (_set(t.exceptions, t.exceptions.c.subject == "pi_3", subject="pi_0"),)),
    ("exception_words", "exception 1", (_set(t.exceptions, t.exceptions.c.id == 1, state="perhaps"),)),
    ("exception_closed", "exception 1", (_set(t.exceptions, t.exceptions.c.id == 1, closed_at=NOW),)),
    ("allocation_orphan", "pi_0", (_set(t.allocations, t.allocations.c.payment_id == "pi_1", payment_id="pi_0"),)),
    ("allocation_unsettled", "pi_1", (_set(t.allocations, t.allocations.c.payment_id == "pi_1", invoice_id="i9"),)),
    ("claim_orphan", "pi_0", (_new(t.claims, {"holder_id": "pi_0", "invoice_id": "i1", "kind": "conflict"}),)),
    ("claim_kind", "pi_2", (_set(t.claims, t.claims.c.holder_id == "pi_2", kind="wish"),)),
    ("reference_orphan", "pi_0", (_new(t.payment_references, {"payment_id": "pi_0", "kind": "charge", "value": "x"}),)),
    ("assignment_orphan", "pi_0", (_new(t.assignments, {"payment_id": "pi_0", "shares": "[]", "decided_by": "ann", "reason": "", "decided_at": NOW}),)),
    ("observed_not_booked", "re_1", (delete(t.refunds).where(t.refunds.c.id == "re_1"),)),
    ("observed_not_booked", "cs_0", (delete(t.checkout_sessions).where(t.checkout_sessions.c.id == "cs_0"),)),
    ("observed_not_booked", "txn_1", (delete(t.balance_transactions).where(t.balance_transactions.c.id == "txn_1"),)),
    ("observed_not_booked", "pi_4", (delete(t.payments).where(t.payments.c.id == "pi_4"),)),
    ("observation_times", "pi_1", (_set(t.observations, _seen1, first_ms=b.at_ms(99)),)),
    # 3: everything rests on what was signed or read
    ("unobserved", "pi_3", (delete(t.observations).where(t.observations.c.object_id == "pi_3"),)),
    ("unobserved", "re_1", (delete(t.observations).where(t.observations.c.object_id == "re_1"),)),
    ("observation_unsigned", "pi_3", (delete(t.stripe_events).where(t.stripe_events.c.id == "evt_9"),)),
    ("observation_unsigned", "pi_3", (_set(t.stripe_events, t.stripe_events.c.id == "evt_9", state="quarantined"),)),
    ("event_mode", "evt_9", (_set(t.stripe_events, t.stripe_events.c.id == "evt_9", livemode=True),)),
    # 4: no money is lost or counted twice
    ("overdrawn", "pi_1", (_set(t.allocations, t.allocations.c.payment_id == "pi_1", amount=1001),)),
    ("money", "invoice i1", (_set(t.settlements, _i1, received=1, net=-799),)),
    ("net", "invoice i1", (_set(t.settlements, _i1, net=7),)),
    # 5 and 8: paid, and when, with what covered it, in the audit trail
    ("paid_uncovered", "invoice i1", (_set(t.settlements, _i1, covered_amount_due=None),)),
    ("paid_untold", "invoice i1", (delete(t.transitions).where(t.transitions.c.field == "status"),)),
    ("paid_at_untold", "invoice i1", (delete(t.transitions).where(t.transitions.c.field == "paid_at"),)),
    ("paid_step", "invoice i1", (_set(t.transitions, t.transitions.c.new == "paid", rule="received 1, net 1 of 1000 eur"),)),
    # 6: a final word stays
    ("terminal_left", "pi_1", (_set(t.transitions, t.transitions.c.new == "succeeded", old="succeeded", new="failed"),)),
    ("status_untold", "pi_3", (delete(t.transitions).where(t.transitions.c.subject_id == "pi_3"),)),
    # 7: no cursor is where nobody has been
    ("cursor_ahead", "cursor events", (_set(t.cursors, t.cursors.c.name == "events", position=LATER),)),
    ("sweep_run", "sweep run 1", (_new(t.sweep_runs, _sweep(id=1, ended_at=None)),)),
    ("sweep_run", "sweep run 1", (_new(t.sweep_runs, _sweep(id=1, state="resting")),)),
    ("sweep_run", "sweep run 1", tuple(_new(t.sweep_runs, _sweep(id=n, state="running")) for n in (1, 2))),
    # 9: nobody hears of what never was
    ("notification", "notification 99", (_new(t.notifications, _told(id=99)),)),
    ("notification", "notification 99", (_new(t.notifications, _told(id=99, kind="payment_failed", milestone="payment_failed:pi_3:ch_3")),)),
    ("notification", "notification 99", (_new(t.notifications, _told(id=99, kind="refund_done", milestone="refund_done:re_1")),)),
    ("notification", "notification 99", (_new(t.notifications, _told(id=99, kind="dispute_won", milestone="dispute_won:dp_1")),)),
    ("notification_state", "notification 1", (_set(t.notifications, t.notifications.c.id == 1, state="sung"),)),
    ("delivery_orphan", "delivery 1", (_set(push_tables.deliveries, push_tables.deliveries.c.id == 1, notification_id=77),)),
    ("delivery_state", "delivery 1", (_set(push_tables.deliveries, push_tables.deliveries.c.id == 1, state="accepted"),)),
    ("delivery_state", "delivery 1", (_set(push_tables.deliveries, push_tables.deliveries.c.id == 1, claim="abc"),)),
    # 10: nothing waits for ever
    ("schedule", "pi_4", (_set(t.payments, t.payments.c.id == "pi_4", next_check_at=None),)),
    ("schedule", "pi_3", (_set(t.payments, t.payments.c.id == "pi_3", next_check_at=NOW),)),
    ("look_overdue", "pi_4", (_alive, _set(t.payments, t.payments.c.id == "pi_4", next_check_at=BEFORE))),
    ("fetch_overdue", "ch_9", (_alive, _set(t.fetches, t.fetches.c.object_id == "ch_9", due_at=BEFORE))),
    ("fetch_kind", "ch_9", (_set(t.fetches, t.fetches.c.object_id == "ch_9", kind="wish"),)),
    ("event_state", "evt_x", (_new(t.stripe_events, _event("evt_x", state="lost")),)),
    ("event_never_retried", "evt_x", (_new(t.stripe_events, _event("evt_x", state="failed")),)),
    ("event_overdue", "evt_x", (_alive, _new(t.stripe_events, _event("evt_x", state="failed", next_attempt_at=BEFORE)))),
    ("event_forgotten", "evt_x", (_alive, _new(t.stripe_events, _event("evt_x", state="deferred", received_at=BEFORE)))),
    ("event_not_applied", "evt_x", (_new(t.stripe_events, _event("evt_x", type="charge.refunded", object_id="ch_x")),)),
    ("event_not_applied", "evt_x", (_new(t.stripe_events, _event("evt_x", type="charge.updated", object_id="ch_1", created=b.at(50))),)),
    ("event_dead", "evt_x", (_new(t.stripe_events, _event("evt_x", state="dead")),)),
    ("event_alive", "evt_1", (_set(t.exceptions, t.exceptions.c.id == 1, kind="event_dead", subject="evt_1"),)),
    ("event_stranger", "evt_x", (_new(t.stripe_events, _event("evt_x", state="quarantined", livemode=True)),)),
    # 11 and 12: what a run says of a range rests on slices that were read to their end
    ("run", "run 1", (_set(run_tables.reconcile_slices, run_tables.reconcile_slices.c.run_id == 1, is_done=False),)),
    ("run", "run 1", (_set(run_tables.reconcile_runs, run_tables.reconcile_runs.c.id == 1, ended_at=None),)),
    ("run", "run 1", (_set(run_tables.reconcile_runs, run_tables.reconcile_runs.c.id == 1, state="cut_off", signed_at=NOW, signed_by="ann"),)),
    ("run_orphan", "run 7", (_new(run_tables.reconcile_slices, _slice(run_id=7)),)),
    ("run_orphan", "run 7", (_new(run_tables.discrepancies, _discrepancy(run_id=7)),)),
    ("run_orphan", "run 7", (_new(run_tables.reconcile_touched, {"run_id": 7, "payment_id": "pi_1"}),)),
    ("run_unsigned", "run 1", (_new(run_tables.signed_items, {"run_id": 1, "object_id": "pi_1", "day": b.NOON.date(), "currency": "eur", "amount": 1, "value": ""}),)),
    ("discrepancy", "run 1", (_set(run_tables.discrepancies, run_tables.discrepancies.c.run_id == 1, outcome="forgotten"),)),
    ("discrepancy", "run 1", (_set(run_tables.reconcile_runs, run_tables.reconcile_runs.c.id == 1, is_dry=True),)),
]  # fmt: skip

UNOBSERVED: list[tuple[str, UpdateBase]] = [
    ("pi_1", delete(t.observations).where(_seen1, t.observations.c.evidence == "evt_2")),
    ("re_9", _set(t.observations, t.observations.c.object_id == "re_9", projection=func.replace(t.observations.c.projection, "200", "201"))),
    ("dp_1", _set(t.observations, t.observations.c.object_id == "dp_1", lo_ms=b.at_ms(30), hi_ms=b.at_ms(31))),
]  # fmt: skip


@pytest.mark.parametrize("rebuild", [False, True])
def test_it_finds_nothing_where_nothing_is_wrong(books: Database, *, rebuild: bool) -> None:
    """Books with a row in each table, all written as they are written, are right."""
    report = _check(books, rebuild=rebuild)

    assert report.problems == ()
    assert (report.payments, report.count) == (4, 0)


@pytest.mark.parametrize(
    ("check", "subject", "crime"),
    CRIMES,
    ids=[f"{n}-{check}" for n, (check, *_) in enumerate(CRIMES)],
)
def test_it_names_a_row_that_breaks_an_invariant(
    books: Database, check: str, subject: str, crime: tuple[UpdateBase, ...]
) -> None:
    """Whatever row is damaged, and whichever invariant breaks, the subject is named with what mends it."""
    with books.writing() as tx:
        for each in crime:
            tx.execute(each)

    report = _check(books)

    assert (check, subject) in {(each.check, each.subject) for each in report.problems}
    assert report.count == len(report.problems)
    assert all(each.what and each.mend for each in report.problems)


@pytest.mark.parametrize(("subject", "crime"), UNOBSERVED)
def test_it_folds_observations_again(books: Database, subject: str, crime: UpdateBase) -> None:
    """Facts that are others than the observations make them are found with `rebuild` and only with it."""
    with books.writing() as tx:
        tx.execute(crime)

    straight, again = (_check(books, rebuild=each) for each in (False, True))

    assert ("rebuild", subject) in {(each.check, each.subject) for each in again.problems}
    assert "rebuild" not in {each.check for each in straight.problems}


def test_it_needs_no_body_of_an_event(books: Database) -> None:
    """After all bodies of events were emptied, observations are still enough to build the books again."""
    with books.writing() as tx:
        tx.execute(update(t.stripe_events).values(body=b""))

    assert _check(books, rebuild=True).problems == ()


def test_it_counts_what_it_does_not_keep(books: Database) -> None:
    """However much is wrong, only so much of it is remembered, and all of it counted."""
    with books.writing() as tx:
        tx.execute(t.stripe_events.insert(), [_event(f"evt_x{n}", state="lost") for n in range(7)])

    report = verify(books, Policy(), now=NOW, kept=3)

    assert (len(report.problems), report.count) == (3, 7)


def test_it_leaves_to_the_daemon_what_the_app_has_just_changed(books: Database) -> None:
    """An invoice that the app has changed is no problem while the daemon is at work, and one if it is not."""
    with books.writing() as tx:
        tx.execute(_set(t.invoices, t.invoices.c.id == "i1", amount_due=900))
    stands_still = _check(books)

    with books.writing() as tx:
        tx.execute(_new(t.sweep_runs, _sweep(sweep="invoices", started_at=NOW)))
    at_work = _check(books)

    assert {each.check for each in stands_still.problems} == {"settled", "exception_missing"}
    assert at_work.problems == ()
    assert at_work.awaited > 0


def test_it_looks_again_before_it_says_so(books: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was wrong at the first look and is mended at the second is no problem."""
    with books.writing() as tx:
        tx.execute(_set(t.cursors, t.cursors.c.name == "events", position=LATER))
        tx.execute(_set(t.settlements, _i1, net=7))
    looks: list[str] = []

    def mended(part: str, _checked: int) -> None:
        looks.append(part)
        if part == "payments":
            with books.writing() as tx:
                tx.execute(_set(t.cursors, t.cursors.c.name == "events", position=b.NOON))
                tx.execute(_set(t.settlements, _i1, net=200))

    report = verify(books, Policy(), now=NOW, told=mended)

    assert looks[0] == "payments"
    assert report.problems == ()


def test_it_writes_nothing(books: Database) -> None:
    """Every row of every table is the same after a check as before, right or wrong."""
    with books.writing() as tx:
        tx.execute(_set(t.settlements, _i1, net=7))
    before = _everything(books)

    _check(books, rebuild=True)

    assert _everything(books) == before


def _everything(books: Database) -> list[tuple[Any, ...]]:
    with books.reading() as tx:
        rows = [
            (table.name, *row)
            for table in t.metadata.sorted_tables
            for row in tx.execute(table.select())
        ]
        return [("digest", digest(tx)), *sorted(rows, key=repr)]
