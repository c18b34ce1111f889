"""Tables as nobody would wish for them, made for one test each."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text

from reconciler.apply import Policy
from reconciler.core.ledger import Rules
from reconciler.db.adopted import adopt
from reconciler.db.fitting import Description
from reconciler.db.session import Database
from reconciler.inbox import Inbox
from reconciler.simulator import till
from tests.poll.account import SINCE_MS, Account

NAME = "odd_invoices"
DESCRIBED = Description(table=NAME)


@contextmanager
def table(database: Database, columns: str, *rows: str) -> Iterator[str]:
    """Make a table with these columns and rows, in SQL; give its name as the settings would."""
    where = "public." if database.dialect_name == "postgresql" else ""
    with database.migrating() as tx:
        tx.execute(text(f"DROP TABLE IF EXISTS {where}{NAME}"))
        tx.execute(text(f"CREATE TABLE {where}{NAME} ({columns})"))
        for row in rows:
            tx.execute(text(f"INSERT INTO {where}{NAME} VALUES ({row})"))
    yield NAME
    with database.migrating() as tx:
        tx.execute(text(f"DROP TABLE IF EXISTS {where}{NAME}"))


def rows(database: Database, columns: str = "*") -> list[tuple[object, ...]]:
    """What stands in the table, in the order of its first column."""
    where = "public." if database.dialect_name == "postgresql" else ""
    with database.reading() as tx:
        found = tx.execute(text(f"SELECT {columns} FROM {where}{NAME} ORDER BY 1"))
        return [tuple(row) for row in found]


def account(database: Database, described: Description) -> Account:
    """An account whose inbox settles the described table."""
    with database.reading() as tx:
        found = adopt(tx, described)
    made = Account(database)
    rules = Rules(since_ms=SINCE_MS, payable=frozenset(described.payable))
    policy = Policy(rules=rules, invoices=found)
    made.poller = made.poller_with(Inbox(db=database, policy=policy))
    return made


def pay(account: Account, invoice: str, amount: int, *, told: bool = True) -> str:
    """Somebody pays, and the webhook tells of it unless it shall not; returns the PaymentIntent."""
    named = {"invoice_id": invoice}
    intent = till.make_intent(account.world, amount=amount, currency="eur", metadata=named)
    till.succeed(account.world, intent)
    account.wait(60)
    if told:
        account.tell(*(each.event for each in account.world.happenings))
    return intent
