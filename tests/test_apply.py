"""Does the one door keep its promises on both databases: same books in any order, fixed cost, only changes written?"""

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import event as sqlalchemy_event
from sqlalchemy import func, select

from reconciler.apply import Policy, apply_payment_state
from reconciler.core.observation import (
    Assignment,
    Evidence,
    InvoiceSeen,
    Observation,
    Reference,
    ReferenceKind,
    Source,
)
from reconciler.db import queries, tables
from reconciler.db.digest import digest
from reconciler.db.session import Database
from reconciler.verify import verify
from tests.core import builders as b

POLICY = Policy()
NOW = b.at(3600)


def _named(*values: str, kind: ReferenceKind = ReferenceKind.METADATA) -> frozenset[Reference]:
    return frozenset(Reference(kind, value) for value in values)


def _history() -> list[Observation]:
    """Payments of every kind, with money, refunds and disputes that name only a charge and come in any order."""
    frozen = ReferenceKind.FROZEN_METADATA
    euro = {"id": "pi_fx", "currency": "usd"}
    return [
        b.event(b.intent("requires_payment_method", newborn=True, references=_named("INV-1")), 0, "e1"),
        b.event(b.intent("requires_payment_method", failures=b.DECLINED, references=_named("INV-1")), 5, "e2"),
        b.event(b.intent(succeeded_ms=b.at_ms(9), references=_named("INV-1", kind=frozen)), 9, "e3"),
        b.event(b.charge(), 9, "e4"),
        b.event(b.transaction(), 10, "e5"),
        b.event(b.refund("pending", 300, intent=None), 20, "e6"),
        b.event(b.refund("succeeded", 300, intent=None), 30, "e7"),
        b.event(b.refund("failed", 300, intent=None), 40, "e8"),
        b.event(b.refund("succeeded", 200, id="re_2", intent=None), 50, "e9"),
        b.event(b.dispute("needs_response", intent=None, amount_minor=800), 60, "e10"),
        b.event(b.withdrawn(800), 61, "e11"),
        b.event(b.dispute("lost", intent=None, amount_minor=800), 70, "e12"),
        b.event(b.dispute("won", intent=None, amount_minor=800), 80, "e13"),
        b.event(b.reinstated(800), 81, "e14"),
        b.event(b.intent(id="pi_2", references=_named("INV-2")), 12, "e15"),
        b.event(b.intent(id="pi_3", references=_named("INV-2")), 13, "e16"),
        b.event(b.intent(id="pi_4", references=_named("INV-1", "INV-2")), 14, "e17"),
        b.event(b.intent(id="pi_5"), 15, "e18"),
        b.event(b.intent(references=_named("INV-3"), **euro), 16, "e19"),
        b.event(b.session(id="cs_0", intent=None, payment_status="no_payment_required", amount_minor=0,
                          references=_named("INV-0", kind=ReferenceKind.CLIENT_REFERENCE)), 17, "e20"),
        b.event(b.intent("canceled", id="pi_6", references=_named("INV-3")), 18, "e21"),
    ]  # fmt: skip


def _add_invoices(database: Database) -> None:
    rows = [
        {"id": f"i{n}", "number": f"INV-{n}", "amount_due": 1000 if n else 0, "user_id": f"u{n}"}
        for n in range(4)
    ]
    common = {"currency": "eur", "status": "open", "created_at": b.NOON, "updated_at": b.NOON}
    with database.writing() as tx:
        tx.execute(tables.invoices.insert(), [{**common, **row} for row in rows])


def _apply(database: Database, evidence: Sequence[Evidence]) -> None:
    with database.writing() as tx:
        apply_payment_state(tx, evidence, source=Source.WEBHOOK, now=NOW, policy=POLICY)


def _digest(database: Database) -> str:
    with database.reading() as tx:
        return digest(tx)


def _clear(database: Database) -> None:
    with database.writing() as tx:
        for table in reversed(tables.metadata.sorted_tables):
            tx.execute(table.delete())


def test_it_gives_the_same_books_in_any_order_and_company(database: Database) -> None:
    """One by one, in batches, shuffled and doubled: the digest is that of one batch, and verify finds nothing."""
    _add_invoices(database)
    _apply(database, _history())
    straight = _digest(database)

    for seed in range(12):
        chance = random.Random(seed)  # noqa: S311
        told = [*_history(), *chance.sample(_history(), 8)]
        chance.shuffle(told)
        _clear(database)
        _add_invoices(database)
        while told:
            size = chance.randint(1, 6)
            _apply(database, told[:size])
            told = told[size:]

        assert _digest(database) == straight, f"seed {seed}"
        assert verify(database, POLICY, now=NOW, rebuild=True).problems == (), f"seed {seed}"


def test_it_gives_the_same_books_when_invoices_come_last(database: Database) -> None:
    """Payments that came before their invoices are matched as soon as the invoices are seen."""
    _add_invoices(database)
    _apply(database, _history())
    straight = _digest(database)
    _clear(database)

    _apply(database, _history())
    _add_invoices(database)
    _apply(database, [InvoiceSeen(f"i{n}") for n in range(4)])

    assert _digest(database) == straight


@contextmanager
def _statements(database: Database) -> Iterator[list[str]]:
    seen: list[str] = []

    def note(_c: object, _cur: object, statement: str, *_rest: object) -> None:
        seen.append(statement)

    sqlalchemy_event.listen(database.engine, "before_cursor_execute", note)
    yield seen
    sqlalchemy_event.remove(database.engine, "before_cursor_execute", note)


def _batch(size: int, prefix: str) -> list[Observation]:
    return [
        b.event(b.intent(id=f"pi_{prefix}{n}", references=_named("INV-1")), n, f"e{n}")
        for n in range(size)
    ]


def test_it_costs_the_same_statements_for_any_batch(database: Database) -> None:
    """A batch of a hundred payments takes exactly as many statements as a batch of two."""
    _add_invoices(database)
    _apply(database, _batch(3, "first"))

    with _statements(database) as few:
        _apply(database, _batch(2, "few"))
    with _statements(database) as many:
        _apply(database, _batch(100, "many"))

    assert len(many) == len(few)


def test_it_writes_nothing_when_nothing_changed(database: Database) -> None:
    """Evidence that is known already changes no row; at most it asks whether an observation grew wider."""
    _add_invoices(database)
    _apply(database, _history())

    with _statements(database) as seen:
        _apply(database, _history())

    writes = [each for each in seen if each.split()[0] in {"INSERT", "UPDATE", "DELETE"}]
    assert [each for each in writes if "observations" not in each] == []


@pytest.mark.parametrize("word", ["draft", "void", "uncollectible", "on hold"])
def test_it_leaves_the_app_its_own_words(database: Database, word: str) -> None:
    """A word that is not payable stays; the money is kept, shown in payment_status, and a person is asked."""
    _add_invoices(database)
    with database.writing() as tx:
        tx.execute(tables.invoices.update().where(tables.invoices.c.id == "i1").values(status=word))

    _apply(database, [b.event(b.intent(references=_named("INV-1")))])

    with database.reading() as tx:
        row = queries.invoice(tx, "i1")
        kinds = {each["kind"] for each in queries.open_exceptions(tx, now=NOW)}
    assert row is not None
    assert (row["status"], row["payment_status"]) == (word, "paid")
    assert "invoice_not_payable" in kinds


def test_it_takes_our_paid_back_only_for_a_person(database: Database) -> None:
    """An assignment to another invoice gives the first its old word back, and pays the second."""
    _add_invoices(database)
    _apply(database, [b.event(b.intent(references=_named("INV-1")))])
    moved = Assignment(payment_id="pi_1", shares=(("i2", None),), by="ann", reason="wrong invoice",
                       decided_ms=b.at_ms(100))  # fmt: skip

    _apply(database, [moved])
    _apply(database, [b.read(b.intent(references=_named("INV-1")), 200)])

    with database.reading() as tx:
        first, second = queries.invoice(tx, "i1"), queries.invoice(tx, "i2")
    assert first is not None
    assert second is not None
    assert (first["status"], first["payment_status"], first["paid_at"]) == ("open", "unpaid", None)
    assert (second["status"], second["payment_status"]) == ("paid", "paid")
    assert verify(database, POLICY, now=NOW, rebuild=True).problems == ()


def test_it_asks_no_more_once_the_next_event_has_made_it_plain(database: Database) -> None:
    """A charge ahead of its PaymentIntent asks for a read, and asks no more when the PaymentIntent's event is there."""
    _apply(database, [b.event(b.intent("processing"))])
    _apply(database, [b.event(b.charge(), 5, "evt_charge")])
    before = _fetches(database)

    _apply(database, [b.event(b.intent(succeeded_ms=b.NOON_MS + 5000), 5, "evt_paid")])

    assert before == [("payment_intent", "pi_1")]
    assert _fetches(database) == []


def test_it_keeps_a_question_that_another_doubt_still_asks(database: Database) -> None:
    """One doubt about an object is gone, another is not: the object is still read."""
    _apply(database, [b.event(b.intent("processing")), b.event(b.charge(), 5, "evt_charge")])

    _apply(
        database,
        [
            b.event(b.intent("succeeded"), 5, "evt_paid"),
            b.event(b.intent("canceled"), 6, "evt_canceled"),
        ],
    )

    assert _fetches(database) == [("payment_intent", "pi_1")]


def _fetches(database: Database) -> list[tuple[str, str]]:
    with database.reading() as tx:
        rows = tx.execute(select(tables.fetches.c.kind, tables.fetches.c.object_id)).all()
    return [tuple(row) for row in rows]


def test_it_asks_for_a_read_once_and_takes_the_answer(database: Database) -> None:
    """A refund that names an unknown charge asks for that charge once; the read of it settles the question."""
    waiting = b.event(b.refund(intent=None, charge="ch_1"))
    _apply(database, [waiting])
    _apply(database, [waiting])
    asked = _fetches(database)

    _apply(database, [b.read(b.charge(refunded_minor=1000, refunds_listed=True), 60)])

    with database.reading() as tx:
        left = set(tx.scalars(select(tables.fetches.c.kind)))
        owner = tx.scalar(select(tables.refunds.c.payment_id))
    assert asked == [("charge", "ch_1")]
    assert owner == "pi_1"
    assert "charge" not in left


@pytest.mark.parametrize("is_asked_before", [True, False])
def test_it_takes_no_list_for_an_answer_about_refunds(
    database: Database, *, is_asked_before: bool
) -> None:
    """A list tells how much of a charge was given back and not by which refunds: who asks for these is not answered by it."""
    charge = b.charge(refunded_minor=1000)
    if is_asked_before:
        _apply(database, [b.event(charge)])

    _apply(database, [b.read(charge, 60)])

    assert ("charge", "ch_1") in _fetches(database)


def test_it_keeps_no_read_that_told_nothing(database: Database) -> None:
    """Reading an unchanged final payment again writes no observation and no payment."""
    _apply(database, [b.event(b.intent())])
    count = select(func.count()).select_from(tables.observations)
    with database.reading() as tx:
        before = tx.scalar(count)

    for second in (100, 200):
        _apply(database, [b.read(b.intent(), second)])

    with database.reading() as tx:
        assert tx.scalar(count) == before


def test_it_wakes_nobody_for_old_facts(database: Database) -> None:
    """A payment older than the limit settles its invoice and enqueues no notice."""
    _add_invoices(database)
    long_after = b.NOON + timedelta(days=3)
    paid = b.event(b.intent(references=_named("INV-1")))

    with database.writing() as tx:
        apply_payment_state(tx, [paid], source=Source.POLL, now=long_after, policy=POLICY)

    with database.reading() as tx:
        assert tx.scalar(select(func.count()).select_from(tables.notifications)) == 0
        row = queries.invoice(tx, "i1")
    assert row is not None
    assert row["status"] == "paid"
