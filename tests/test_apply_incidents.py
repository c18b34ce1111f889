"""Mistakes that the door has made once: each is a short story that must not happen again."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import select, update

from reconciler.apply import Policy, apply_payment_state
from reconciler.core.ledger import Rules
from reconciler.core.observation import (
    Assignment,
    Evidence,
    InvoiceSeen,
    Reference,
    ReferenceKind,
    Source,
)
from reconciler.db import queries, tables
from reconciler.db.session import Database
from reconciler.verify import verify
from tests.core import builders as b

NOW = b.at(3600)
INV_1 = frozenset({Reference(ReferenceKind.METADATA, "INV-1")})


def _add_invoice(database: Database, **changed: object) -> None:
    row = {
        "id": "i1",
        "number": "INV-1",
        "currency": "eur",
        "amount_due": 1000,
        "status": "open",
        "user_id": "ann",
        "created_at": b.NOON,
        "updated_at": b.NOON,
        **changed,
    }
    with database.writing() as tx:
        tx.execute(tables.invoices.insert(), [row])


def _apply(database: Database, *evidence: Evidence, late: timedelta = timedelta()) -> None:
    with database.writing() as tx:
        apply_payment_state(tx, evidence, source=Source.WEBHOOK, now=NOW + late, policy=Policy())


def _invoice(database: Database) -> tuple[str, str | None]:
    with database.reading() as tx:
        row = queries.invoice(tx, "i1")
    assert row is not None
    return row["status"], row["payment_status"]


def _notices(database: Database) -> Sequence[str]:
    with database.reading() as tx:
        return sorted(tx.scalars(select(tables.notifications.c.kind)))


def _assignment(*shares: tuple[str, int | None]) -> Assignment:
    return Assignment(
        payment_id="pi_1", shares=shares, by="ann", reason="she called", decided_ms=b.at_ms(900)
    )


def _agrees(database: Database) -> bool:
    return verify(database, Policy(), now=NOW, rebuild=True).problems == ()


def test_it_keeps_a_paid_invoice_when_money_of_an_unread_charge_is_told(database: Database) -> None:
    """A balance transaction of a charge that only a refund names does not take the payment from its invoice."""
    _add_invoice(database)
    _apply(database, b.event(b.intent(references=INV_1)))
    _apply(database, b.event(b.refund("succeeded", 300)))

    _apply(database, b.event(b.transaction()))

    assert _invoice(database) == ("paid", "partially_refunded")
    assert _agrees(database)


def test_it_counts_disputed_money_that_was_told_before_its_dispute(database: Database) -> None:
    """The withdrawal may come before the dispute that it belongs to; the money is held all the same."""
    _add_invoice(database)
    _apply(database, b.event(b.intent(references=INV_1)), b.event(b.charge()))
    _apply(database, b.event(b.withdrawn(1000)))

    _apply(database, b.event(b.dispute("lost")))

    assert _invoice(database) == ("paid", "charged_back")
    assert _agrees(database)


def test_it_settles_the_invoice_that_a_person_assigns_to(database: Database) -> None:
    """An assignment settles an invoice that nothing else names, also when its parts are told in two pieces."""
    _add_invoice(database)
    _apply(database, b.event(b.intent()))

    _apply(database, _assignment(("i1", 400), ("i1", None)))

    assert _invoice(database) == ("paid", "paid")
    assert _agrees(database)


def test_it_keeps_paid_when_an_assignment_stays_where_it_is(database: Database) -> None:
    """A total that the app raised later does not take our word back from an assigned payment."""
    _add_invoice(database)
    _apply(database, b.event(b.intent()), _assignment(("i1", None)))
    with database.writing() as tx:
        tx.execute(tables.invoices.update().values(amount_due=1500))

    _apply(database, InvoiceSeen("i1"))

    assert _invoice(database) == ("paid", "partially_paid")
    assert _agrees(database)


def test_it_lets_a_payment_go_when_the_app_takes_its_id_away(database: Database) -> None:
    """An invoice that no longer names the payment loses it as soon as it is seen."""
    _add_invoice(database, stripe_payment_intent_id="pi_1")
    names = frozenset({Reference(ReferenceKind.PAYMENT_INTENT, "pi_1")})
    _apply(database, b.event(b.intent(references=names)))
    with database.writing() as tx:
        tx.execute(tables.invoices.update().values(stripe_payment_intent_id=None))

    _apply(database, InvoiceSeen("i1"))

    with database.reading() as tx:
        assert tx.scalars(select(tables.allocations.c.payment_id)).all() == []
    assert _agrees(database)


def test_it_asks_again_when_the_read_itself_contradicts(database: Database) -> None:
    """An event and a read of one second that disagree are read once more, six seconds later."""
    _apply(database, b.event(b.intent("processing")))

    _apply(database, b.read(b.intent("requires_action")))

    with database.reading() as tx:
        fetch = tx.execute(select(tables.fetches)).mappings().one()
    assert (fetch["reason"], fetch["due_at"]) == ("contested", NOW + timedelta(seconds=6))


def test_it_tells_nobody_of_a_hold_that_is_released(database: Database) -> None:
    """Less is captured than was authorised: no money came back, so nobody is told that some did."""
    _add_invoice(database)
    part = b.intent(received_minor=700, amount_minor=1000, references=INV_1)

    _apply(database, b.event(part), b.event(b.charge(captured_minor=700)))
    _apply(database, b.event(b.refund("succeeded", 300), 5))

    assert _notices(database) == []


def test_it_tells_of_a_refund_that_fails_weeks_later(database: Database) -> None:
    """A failed refund is told when it fails, however old the refund is."""
    _add_invoice(database)
    weeks = timedelta(days=20)
    _apply(database, b.event(b.intent(references=INV_1)), b.event(b.refund("succeeded", 300)))

    _apply(database, b.event(b.refund("failed", 300), int(weeks.total_seconds())), late=weeks)

    assert _notices(database) == ["invoice_paid", "refund_done", "refund_failed"]


def test_it_tells_of_a_failure_that_came_before_the_invoice(database: Database) -> None:
    """A user hears of a failed attempt also when the app made the invoice a moment later."""
    failed = b.intent("requires_payment_method", failures=b.DECLINED, references=INV_1)
    _apply(database, b.event(failed))
    _add_invoice(database)

    _apply(database, InvoiceSeen("i1"))

    assert _invoice(database) == ("open", "failed")
    assert _notices(database) == ["payment_failed"]


def test_it_asks_about_what_happens_today_to_old_money(database: Database) -> None:
    """Reading the old opens nothing; a total edited today, a refund that fails and a dispute that is lost do, and stay open."""
    policy = Policy(rules=Rules(since_ms=b.at_ms(1800)))

    def told(*evidence: Evidence) -> set[str]:
        with database.writing() as tx:
            apply_payment_state(tx, evidence, source=Source.WEBHOOK, now=NOW, policy=policy)
        with database.reading() as tx:
            return {row["kind"] for row in queries.open_exceptions(tx, now=NOW)}

    _add_invoice(database)
    paid = b.read(b.intent(references=INV_1, created_ms=b.at_ms(0)), 3500)
    refund = b.read(b.refund("succeeded", 100, created_ms=b.at_ms(10)), 3500)
    dispute = b.read(b.dispute("under_review", amount_minor=200, created_ms=b.at_ms(10)), 3500)
    at_first = told(paid, refund, dispute)
    with database.writing() as tx:
        tx.execute(update(tables.invoices).values(amount_due=1200))
    edited = told(InvoiceSeen("i1"))
    ended = told(
        b.event(b.refund("failed", 100, created_ms=b.at_ms(10)), 3550),
        b.event(b.dispute("lost", amount_minor=200, created_ms=b.at_ms(10)), 3550),
    )

    assert at_first == set()
    assert edited == {"invoice_changed_after_paid"}
    assert ended == {"invoice_changed_after_paid", "refund_failed", "dispute_lost"}
    assert told(InvoiceSeen("i1"), paid) == ended
    assert verify(database, policy, now=NOW, rebuild=True).problems == ()
