"""Is what Stripe does not know a person's matter first, and then left out of what must tie out with Stripe's list?

And is what it knows with another amount told by its id?
"""

from typing import Any

import pytest
from sqlalchemy import select, update

from reconciler.core.exceptions import ExceptionKind
from reconciler.core.report import LedgerDay, Outcome, RunHead
from reconciler.db import exceptions, queries
from reconciler.db.session import Database
from reconciler.db.tables import balance_transactions
from reconciler.reconcile.signing import Obstacle, sign
from reconciler.reconcile.statement import report_of
from tests.core import builders as b
from tests.poll.account import Account
from tests.reconcile.accounts import tell
from tests.reconcile.days import DAY_S, days, one, paid, reconciled, today


@pytest.fixture
def account(database: Database) -> Account:
    """Give an account on whose books stands a balance transaction of 500 that Stripe does not know, beside a payment of 1000."""
    account = Account(database)
    strange: dict[str, Any] = {
        "id": "txn_strange",
        "source": "",
        "category": "topup",
        "type": "topup",
    }
    tell(
        database,
        b.transaction(500, **strange, created_ms=account.world.clock.now_ms()),
        at=account.now(),
    )
    return account


def _day(account: Account, head: RunHead) -> LedgerDay:
    (day,) = report_of(account.database, head.id, now=account.now()).ledger
    return day


def _accept(account: Account) -> None:
    with account.database.writing() as tx:
        queue = queries.open_exceptions(tx, now=account.now())
        (row,) = [e for e in queue if e["kind"] == ExceptionKind.MISSING_AT_STRIPE.value]
        exceptions.resolve(tx, row, by="ada", reason="a test of ours", now=account.now())


@pytest.mark.parametrize("is_alone", [False, True])
def test_it_leaves_out_of_the_ledger_what_a_person_has_accepted(
    account: Account, database: Database, *, is_alone: bool
) -> None:
    """Until somebody accepts it the day does not tie out; then it does, the money is told apart, and the next run is signed."""
    first = today(account)
    if not is_alone:
        paid(account)
    account.wait(DAY_S)
    asked = days(account, first, first)

    before = reconciled(account, asked)
    obstacle = sign(database, before.id, "ada", account.now())
    _accept(account)
    dry, after = (reconciled(account, asked, is_dry=is_dry) for is_dry in (True, False))
    net_minor = 0 if is_alone else _day(account, after).stripe_net_minor

    assert obstacle is Obstacle.GONE
    day = _day(account, before)
    assert (day.ties_out, day.net_minor, day.not_at_stripe_minor) == (False, net_minor + 500, 0)
    for head in (dry, after):
        day = _day(account, head)
        assert (day.ties_out, day.not_at_stripe_minor) == (True, 500)
        assert (day.net_minor, day.other_minor, day.transactions) == (net_minor, 0, not is_alone)
        assert day.closing_minor == (day.opening_minor or 0) + day.net_minor
    assert sign(database, after.id, "ada", account.now()) is None
    assert _day(account, after).not_at_stripe_minor == 500


def test_it_tells_nothing_of_what_was_accepted_as_changed(
    account: Account, database: Database
) -> None:
    """What was left out of signed totals is no news to a later run over the same days."""
    first = today(account)
    account.wait(DAY_S)
    asked = days(account, first, first)
    reconciled(account, asked)
    _accept(account)
    signed = reconciled(account, asked)
    assert sign(database, signed.id, "ada", account.now()) is None

    later = reconciled(account, asked)

    assert report_of(database, later.id, now=account.now()).changed_since_signed == ()


OTHERS: list[dict[str, list[int]]] = [
    {"net": [100, 0]},
    {"net": [100, -100]},
    {"net": [100, -100], "amount": [100, -100]},
    {"fee": [7, -7]},
]


@pytest.mark.parametrize("is_dry", [True, False])
@pytest.mark.parametrize("others", OTHERS)
def test_it_tells_by_id_what_is_worth_something_else_at_stripe(
    database: Database, others: dict[str, list[int]], *, is_dry: bool
) -> None:
    """Rows that somebody has changed here are named, also where the sums of the day agree: it does not tie out, nobody signs."""
    account = Account(database)
    first = today(account)
    for _ in range(2):
        paid(account)
    account.wait(DAY_S)
    asked = days(account, first, first)
    assert _day(account, reconciled(account, asked)).ties_out
    column = balance_transactions.c
    with database.writing() as tx:
        ids = list(tx.scalars(select(column.id).order_by(column.id)))
        for place, id_ in enumerate(ids):
            more = {name: column[name] + by[place] for name, by in others.items()}
            tx.execute(update(balance_transactions).where(column.id == id_).values(more))

    head = reconciled(account, asked, is_dry=is_dry)

    changed = [id_ for place, id_ in enumerate(ids) if any(by[place] for by in others.values())]
    told = [one(database, head, "amount_differs", id_) for id_ in changed]
    assert {each.outcome for each in told} == {Outcome.NEEDS_A_PERSON}
    assert all(each.here != each.there and each.since and each.payment_id for each in told)
    assert not _day(account, head).ties_out
    expected = Obstacle.DRY if is_dry else Obstacle.NOT_TIED_OUT
    assert sign(database, head.id, "ada", account.now()) is expected
