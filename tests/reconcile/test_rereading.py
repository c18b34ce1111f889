"""Does a run read by id what belongs to its days, and leave the rest to the daemon?"""

from datetime import timedelta

import pytest
from sqlalchemy import select

from reconciler.db import evidence, tables
from reconciler.db.evidence import CHECK
from reconciler.db.session import Database
from reconciler.simulator import till
from tests.poll.account import Account
from tests.reconcile.days import DAY_S, days, kinds, reconciled, today


@pytest.mark.parametrize("reason", ["event", CHECK])
@pytest.mark.parametrize("is_dry", [True, False])
def test_it_leaves_to_the_daemon_what_waits_for_other_days(
    database: Database, *, reason: str, is_dry: bool
) -> None:
    """A payment of the day before, of which a read waits, is no difference of this day; of its own day it is one."""
    account = Account(database)
    first = today(account)
    made = till.make_intent(account.world, amount=1000, currency="eur")
    till.succeed(account.world, made)
    account.wait(DAY_S)
    with database.writing() as tx:
        evidence.ask(tx, [("payment_intent", made)], reason, account.now())
    account.wait(DAY_S)

    other = reconciled(account, days(account, first + timedelta(days=1)), is_dry=is_dry)
    with database.reading() as tx:
        waiting = tx.scalars(select(tables.fetches.c.object_id)).all()
    own = reconciled(account, days(account, first, first), is_dry=is_dry)

    assert kinds(database, other) == {}
    assert made in waiting
    assert made in kinds(database, own)["missing_here"]
