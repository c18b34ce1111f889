"""Does a person's resolve hold as long as it should, and stand in the audit trail?"""

from typing import Any

import pytest

from reconciler.apply import Policy, apply_payment_state
from reconciler.core.observation import Evidence, Reference, ReferenceKind, Source
from reconciler.db import exceptions, queries, tables
from reconciler.db.session import Database
from reconciler.verify import verify
from tests.core import builders as b

NOW = b.at(7200)
POLICY = Policy()
NAMED = frozenset({Reference(ReferenceKind.METADATA, "i1")})
PAID = b.event(b.intent(references=NAMED))


def tell(database: Database, *evidence: Evidence) -> None:
    """Let evidence come in."""
    with database.writing() as tx:
        apply_payment_state(tx, evidence, source=Source.WEBHOOK, now=NOW, policy=POLICY)


def only(database: Database) -> dict[str, Any]:
    """The only exception that there is."""
    with database.reading() as tx:
        return exceptions.find(tx, 1) or {}


@pytest.fixture
def resolved(database: Database) -> Database:
    """Give books with an invoice that was paid too much for, which Ann has seen to."""
    row = {"id": "i1", "currency": "eur", "amount_due": 900, "status": "open"}
    with database.writing() as tx:
        tx.execute(tables.invoices.insert().values(**row, created_at=b.NOON, updated_at=b.NOON))
    tell(database, PAID)
    with database.writing() as tx:
        found = exceptions.find(tx, 1) or {}
        exceptions.resolve(tx, found, by="ann", reason="a gift", now=NOW)
    return database


def test_it_keeps_a_resolve_while_nothing_changes(resolved: Database) -> None:
    """The same money told again in another way opens nothing."""
    tell(resolved, PAID, b.read(b.intent(references=NAMED), 600), b.event(b.charge(), 1))

    row = only(resolved)
    assert (row["kind"], row["state"], row["resolved_by"]) == ("overpaid", "resolved", "ann")
    assert verify(resolved, POLICY, now=NOW, rebuild=True).problems == ()


def test_it_opens_again_for_other_amounts(resolved: Database) -> None:
    """A refund of a part makes it another matter: it is open, and nobody's decision."""
    tell(resolved, b.event(b.refund(amount_minor=50), 60))

    row = only(resolved)
    assert (row["state"], row["amount"], row["resolved_by"], row["reason"]) == (
        "open",
        50,
        None,
        None,
    )
    assert verify(resolved, POLICY, now=NOW, rebuild=True).problems == ()


def test_it_closes_by_itself_when_it_is_over(resolved: Database) -> None:
    """A refund of what was too much ends it, resolved or not; the audit trail keeps who had resolved it."""
    tell(resolved, b.event(b.refund(amount_minor=100), 60))

    assert only(resolved)["state"] == "cleared"
    with resolved.reading() as tx:
        [told] = exceptions.decisions(tx, ["i1"])
        [whole] = [
            row for row in queries.transitions_of(tx, ["i1"]) if row["subject_kind"] == "exception"
        ]
    assert (told["field"], told["new"], told["rule"], told["at"]) == (
        "overpaid",
        "resolved",
        "ann: a gift",
        NOW,
    )
    assert (whole["evidence"], whole["source"]) == ("decision of ann", "manual")
