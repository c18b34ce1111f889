"""Is each user told once of what is true, also after a person put money to the wrong invoice and took it back?"""

import random
from collections.abc import Sequence

import pytest
from sqlalchemy import delete, select

from reconciler.apply import Policy, apply_payment_state
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
from tests.journeys.conftest import write_invoices

NOW = b.at(3600)
INV_1 = frozenset({Reference(ReferenceKind.METADATA, "INV-1")})
STRANGE = b.event(b.intent())
TRUE = b.event(b.intent(id="pi_2", references=INV_1), 20, "evt_2")
PAID, AGAIN, ONCE_MORE = (
    (key, "ann", 1000)
    for key in ("invoice_paid:i1", "invoice_paid_again:1:i1", "invoice_paid_again:2:i1")
)


@pytest.fixture
def books(database: Database) -> Database:
    """Give books with an invoice of ann's and one of bob's over ten euros each."""
    write_invoices(
        database,
        {"id": "i1", "number": "INV-1", "amount_due": 1000, "user_id": "ann"},
        {"id": "i2", "number": "INV-2", "amount_due": 1000, "user_id": "bob"},
    )
    return database


def _decision(*shares: tuple[str, int | None], payment: str = "pi_1") -> Assignment:
    return Assignment(
        payment_id=payment, shares=shares, by="cy", reason="mail", decided_ms=b.at_ms(900)
    )


def _tell(database: Database, *evidence: Evidence) -> None:
    with database.writing() as tx:
        apply_payment_state(tx, evidence, source=Source.WEBHOOK, now=NOW, policy=Policy())


def _told(database: Database) -> list[tuple[str, str, int]]:
    column = tables.notifications.c
    with database.reading() as tx:
        rows = tx.execute(select(column.milestone, column.user_id, column.amount))
        return sorted(tuple(row) for row in rows)


WRONG, BACK = _decision(("i1", None)), _decision()
TRUE_BACK = _decision(payment="pi_2")
SESSION = b.event(
    b.session(references=frozenset({Reference(ReferenceKind.SESSION_METADATA, "INV-2")})),
    30,
    "evt_3",
)
NAMED = b.event(b.intent(references=INV_1))

STORIES: dict[str, tuple[list[Evidence], list[tuple[str, str, int]]]] = {
    "paid": ([TRUE], [PAID]),
    "put wrongly": ([STRANGE, WRONG], [PAID]),
    "put wrongly, and taken back": ([STRANGE, WRONG, BACK], [PAID]),
    "then truly paid": ([STRANGE, WRONG, BACK, TRUE], [PAID, AGAIN]),
    "truly paid before it was taken back": ([STRANGE, WRONG, TRUE, BACK], [PAID]),
    "put again after that": ([STRANGE, WRONG, BACK, WRONG], [PAID, AGAIN]),
    "taken back twice": ([STRANGE, WRONG, BACK, WRONG, BACK, TRUE], [PAID, AGAIN, ONCE_MORE]),
    "taken back from a rule": ([TRUE, TRUE_BACK, STRANGE, WRONG], [PAID, AGAIN]),
    "a part taken back": ([STRANGE, _decision(("i1", 400)), BACK, TRUE], [PAID]),
    "given to another": (
        [STRANGE, WRONG, _decision(("i2", None)), TRUE],
        [PAID, AGAIN, ("invoice_paid:i2", "bob", 1000)],
    ),
    "taken by a name, and given back by a person": (
        [NAMED, SESSION, WRONG],
        [PAID],
    ),
    "taken by a name, given to another by a person, then truly paid": (
        [NAMED, SESSION, _decision(("i2", None)), TRUE],
        [PAID, AGAIN, ("invoice_paid:i2", "bob", 1000)],
    ),
}


@pytest.mark.parametrize("case", STORIES)
def test_it_tells_once_of_each_time_that_an_invoice_came_to_be_paid(
    books: Database, case: str
) -> None:
    """A user hears again only after a person took back what was told; evidence that comes again tells nothing."""
    story, expected = STORIES[case]
    evidence = [each for each in story if not isinstance(each, Assignment)]

    for each in story:
        _tell(books, each)
    first = _told(books)
    _tell(books, *evidence, InvoiceSeen("i1"))
    for each in evidence:
        _tell(books, each, InvoiceSeen("i1"), InvoiceSeen("i2"))

    assert first == sorted(expected)
    assert _told(books) == first
    assert verify(books, Policy(), now=NOW, rebuild=True).problems == ()


@pytest.mark.parametrize("seed", range(8))
def test_it_tells_the_same_in_any_order_after_the_decisions(books: Database, seed: int) -> None:
    """What comes after a person took the money back is told once, however it is shuffled, doubled and batched."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    later: list[Evidence] = [
        b.event(b.intent("processing", id="pi_2", references=INV_1), 10, "evt_4"),
        b.event(b.charge(id="ch_2", intent="pi_2"), 20, "evt_5"),
        TRUE,
        b.event(b.intent(references=INV_1), 2, "evt_6"),
        InvoiceSeen("i1"),
    ] * 2
    for each in (STRANGE, WRONG, BACK):
        _tell(books, each)

    chance.shuffle(later)
    while later:
        size = chance.randint(1, 4)
        _tell(books, *later[:size])
        later = later[size:]

    assert _told(books) == [PAID, AGAIN]


def _refunded(parts: Sequence[tuple[str, int | None]], *refunds: Evidence) -> list[Evidence]:
    return [STRANGE, b.event(b.charge()), _decision(*parts), *refunds]


def test_it_tells_each_user_of_their_part_of_a_refund(books: Database) -> None:
    """A refund of a payment that two users share is told to both, each with the part of their invoice, and once."""
    refund = b.event(b.refund("succeeded", 301), 60, "evt_7")
    for each in _refunded([("i1", 400), ("i2", None)], refund, refund):
        _tell(books, each)

    with books.reading() as tx:
        sums = [(queries.settlement(tx, id_) or {})["refunded"] for id_ in ("i1", "i2")]
    assert _told(books) == [("refund_done:re_1", "ann", 120), ("refund_done:re_1", "bob", 181)]
    assert sums == [120, 181]


def test_it_tells_one_user_of_a_refund_once(database: Database) -> None:
    """A user who has both invoices of a payment hears of one refund, with all of it and both numbers."""
    both = (
        {"id": f"i{n}", "number": f"INV-{n}", "amount_due": 500, "user_id": "ann"} for n in (1, 2)
    )
    write_invoices(database, *both)
    refund = b.event(b.refund("succeeded", 301), 60, "evt_7")

    for each in _refunded([("i1", 500), ("i2", None)], refund):
        _tell(database, each)

    column = tables.notifications.c
    with database.reading() as tx:
        told = tx.execute(
            select(column.number, column.amount).where(column.kind == "refund_done")
        ).all()
    assert [tuple(row) for row in told] == [("INV-1, INV-2", 301)]


def test_it_tells_the_others_when_one_invoice_is_gone(books: Database) -> None:
    """Where the app deleted one of the invoices that share a payment, the user of the other hears of their part."""
    for each in _refunded([("i1", 400), ("i2", None)]):
        _tell(books, each)
    with books.writing() as tx:
        tx.execute(delete(tables.invoices).where(tables.invoices.c.id == "i1"))

    _tell(books, b.event(b.refund("succeeded", 301), 60, "evt_7"))

    assert _told(books) == [("refund_done:re_1", "bob", 181)]
