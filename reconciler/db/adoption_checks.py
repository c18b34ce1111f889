"""What about an app's table works today and will hurt later: a missing right, a missing index, an amount that shrinks?"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import and_, bindparam, func, inspect, select, text

from reconciler.core.invoice import PAID_WORD
from reconciler.db.invoice_table import NAMING, WRITTEN, InvoiceTable
from reconciler.db.session import Tx

_SAMPLE: Final = 1000
_ENOUGH: Final = 3
# What people call the part of an invoice that is not paid yet.
_REMAINDERS: Final = (
    "remain",
    "balance",
    "outstanding",
    "unpaid",
    "left",
    "reste",
    "restant",
    "solde",
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to change in the app's table or its rights; `is_bad` if money can't be settled before it is changed."""

    what: str
    is_bad: bool = False


def findings(tx: Tx, table: InvoiceTable) -> Iterator[Finding]:
    """What should be changed; nothing if all is well."""
    yield from _rights(tx, table)
    yield from _amounts(tx, table)
    yield from _indexes(tx, table)


def left_out(table: InvoiceTable) -> list[str]:
    """Our names of the columns that could be written and are not there."""
    return [name for name in WRITTEN if name not in table.written]


def _rights(tx: Tx, table: InvoiceTable) -> Iterator[Finding]:
    if tx.dialect.name != "postgresql":
        return
    whole = _quoted(tx, table)
    asked = text("SELECT has_column_privilege(:whole, :name, 'UPDATE')")
    names = [_name(table, each) for each in table.written]
    rows = {each: tx.execute(asked, {"whole": whole, "name": each}).scalar_one() for each in names}
    missing = [each for each, allowed in rows.items() if not allowed]
    if missing:
        columns = ", ".join(_quote(tx, each) for each in missing)
        user = tx.execute(select(func.current_user())).scalar_one()
        grant = f"GRANT UPDATE ({columns}) ON {whole} TO {_quote(tx, str(user))}"
        yield Finding(f"{', '.join(missing)} can't be written: {grant}", is_bad=True)


def _amounts(tx: Tx, table: InvoiceTable) -> Iterator[Finding]:
    name = _name(table, "amount_due")
    if any(each in name.lower() for each in _REMAINDERS):
        yield Finding(
            f"{name} sounds like what is left to pay: amount_due must be the invoice's total, which payments don't change"
        )
    is_paid = and_(table.rows(), table.word() == PAID_WORD)
    paid = select(table.minor().label("due")).where(is_paid).limit(_SAMPLE).subquery()
    asked = select(func.count(), func.count().filter(paid.c.due == bindparam("nothing", 0)))
    several, empty = tx.execute(asked.select_from(paid)).one()
    if several >= _ENOUGH and several == empty:
        yield Finding(
            f"{name} is 0 in every invoice that is paid: it holds what is left to pay; name the column with the total",
            is_bad=True,
        )


def _indexes(tx: Tx, table: InvoiceTable) -> Iterator[Finding]:
    led = _led_by_an_index(tx, table)
    for ours in NAMING:
        if ours in table.columns and _name(table, ours) not in led:
            name = _quote(tx, _name(table, ours))
            yield Finding(
                f"{_name(table, ours)} has no index, and is looked up for every payment:"
                f" CREATE INDEX ON {_quoted(tx, table)} ({name})"
            )


def _led_by_an_index(tx: Tx, table: InvoiceTable) -> set[str]:
    """The columns with which an index begins."""
    name, schema, inspector = table.table.name, table.table.schema, inspect(tx)
    # SQLite makes some indexes by itself, and hides them.
    indexes = inspector.get_indexes(name, schema, include_auto_indexes=True)
    lists: list[Any] = [each["column_names"] for each in indexes]
    lists.append(inspector.get_pk_constraint(name, schema)["constrained_columns"])
    return {columns[0] for columns in lists if columns and columns[0]}


def _name(table: InvoiceTable, ours: str) -> str:
    return str(table.columns[ours].name)


def _quoted(tx: Tx, table: InvoiceTable) -> str:
    return tx.dialect.identifier_preparer.format_table(table.table)


def _quote(tx: Tx, name: str) -> str:
    return tx.dialect.identifier_preparer.quote(name)
