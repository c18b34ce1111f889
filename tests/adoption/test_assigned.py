"""Can a person assign money to an invoice in an app's own table, and take it back, with candidates from there?"""

import pytest
from sqlalchemy import text

from reconciler.apply import Policy, apply_payment_state
from reconciler.assigning import By, NotDecided, assign, unassign
from reconciler.core.candidates import Wanted, rank
from reconciler.core.ledger import Rules
from reconciler.core.observation import Reference, ReferenceKind, Source
from reconciler.db.prospects import prospects
from reconciler.db.session import Database
from reconciler.verify import verify
from tests.adoption.apps import ADA, DJANGO, FRENCH, App
from tests.adoption.describing import adopted, described
from tests.core import builders as b

NOW = b.at(7200)
ANN = By("ann", "phoned")


@pytest.fixture
def policy(app: App, database: Database) -> Policy:
    """Give the policy that the app's settings make."""
    rules = Rules(payable=frozenset(described(app, database).payable))
    return Policy(rules=rules, invoices=adopted(app, database))


def candidates(database: Database, policy: Policy, wanted: Wanted) -> list[str]:
    """The numbers, else ids, of the invoices that may be meant, in order."""
    with database.reading() as tx:
        pool = prospects(tx, policy.invoices, policy.rules.payable, wanted)
    invoices = [each.prospect.invoice for each in rank(wanted, pool, limit=5)]
    return [each.number or each.id for each in invoices]


def _pay(database: Database, policy: Policy, app: App) -> None:
    paid = b.intent(amount_minor=app.due_minor, currency=app.currency)
    with database.writing() as tx:
        apply_payment_state(tx, [b.event(paid)], source=Source.WEBHOOK, now=NOW, policy=policy)


def test_it_is_assigned_and_taken_back(app: App, database: Database, policy: Policy) -> None:
    """The app's invoice is paid in the app's words by a person's decision, and has its old word and no moment afterwards."""
    before = app.state(database)
    _pay(database, policy, app)

    assign(database, policy, "pi_1", app.key, amount=None, by=ANN, now=NOW)
    paid = app.state(database)
    unassign(database, policy, "pi_1", by=ANN, now=NOW)

    after = app.state(database)
    assert paid == app.paid
    assert (after[0], after[2]) == (before[0], before[2])
    assert verify(database, policy, now=NOW, rebuild=True).problems == ()


def test_it_suggests_the_apps_own_invoices(app: App, database: Database, policy: Policy) -> None:
    """Payable invoices of the same amount and currency are found in the app's own columns, decimals and words."""
    wanted = Wanted(amount_minor=app.due_minor, currency=app.currency, at=NOW)

    assert sorted(candidates(database, policy, wanted)) == sorted(app.keys)


@pytest.mark.parametrize("app", [FRENCH], indirect=True)
def test_it_finds_by_email_and_by_what_was_typed(
    app: App, database: Database, policy: Policy
) -> None:
    """An e-mail in other letters, and a number without its signs, lead to the rows that count, and to no others."""
    by_email = Wanted(amount_minor=1, currency="eur", email=ADA.upper())
    typed = frozenset({Reference(ReferenceKind.METADATA, "f 2026 18")})
    by_number = Wanted(amount_minor=1, currency="eur", references=typed)

    assert sorted(candidates(database, policy, by_email)) == ["F-2026-17", "F-2026-18"]
    assert candidates(database, policy, by_number) == ["F-2026-18"]


@pytest.mark.parametrize("app", [DJANGO], indirect=True)
def test_it_leaves_out_what_cannot_be_reckoned_with(
    app: App, database: Database, policy: Policy
) -> None:
    """A row whose amount or currency is none is no candidate and keeps no other one away; to assign to it is refused."""
    table = policy.invoices.table.fullname
    with database.migrating() as tx:
        tx.execute(text(f"UPDATE {table} SET currency = 'EU' WHERE number = '2026-0003'"))
    _pay(database, policy, app)
    typed = frozenset({Reference(ReferenceKind.METADATA, "2026-0003")})
    wanted = Wanted(amount_minor=app.due_minor, currency="eur", references=typed)

    assert sorted(candidates(database, policy, wanted)) == ["2026-0001", "2026-0002"]
    with pytest.raises(NotDecided, match="mend that row first"):
        assign(database, policy, "pi_1", "2026-0003", amount=None, by=ANN, now=NOW)
