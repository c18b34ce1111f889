"""What about an app's table works today and will hurt later: a missing right, a missing index, an amount that shrinks?"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import and_, bindparam, func, inspect, select, text

from reconciler.core.invoice import PAID_WORD
from reconciler.db.fitting import Description
from reconciler.db.foreign import Kind
from reconciler.db.invoice_table import NAMING, WRITTEN, InvoiceTable
from reconciler.db.invoices import UnreadableInvoice, sample
from reconciler.db.live_table import (
    LiveTable,
    grant,
    look_at,
    our_user,
    quoted,
    quoted_table,
)
from reconciler.db.session import Tx

_SAMPLE: Final = 1000
_ENOUGH: Final = 3
_WORDS_SHOWN: Final = 10
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
_DASHLESS_UUID: Final = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to change in the app's table or its rights; `is_bad` if money can't be settled before it is changed."""

    what: str
    is_bad: bool = False


def findings(tx: Tx, table: InvoiceTable, described: Description) -> Iterator[Finding]:
    """What should be changed; nothing if all is well."""
    live = look_at(tx, described.table)
    yield from _rights(tx, table)
    yield from _rows_hidden(tx, table)
    yield from _amounts(tx, table)
    yield from _words(tx, table, described)
    yield from _checks(tx, table)
    yield from _keys(tx, table, live)
    yield from _unreadable(tx, table)
    if not live.is_view:
        yield from _indexes(tx, table)


def left_out(table: InvoiceTable) -> list[str]:
    """Our names of the columns that could be written and are not there."""
    return [name for name in WRITTEN if name not in table.written]


def _rights(tx: Tx, table: InvoiceTable) -> Iterator[Finding]:
    if tx.dialect.name != "postgresql":
        return
    whole = quoted_table(tx, table.table)
    asked = text("SELECT has_column_privilege(:whole, :name, 'UPDATE')")
    names = [_name(table, each) for each in table.written]
    rows = {each: tx.execute(asked, {"whole": whole, "name": each}).scalar_one() for each in names}
    missing = [each for each, allowed in rows.items() if not allowed]
    if missing:
        line = grant(tx, table.table, reads=False, updates=missing)
        yield Finding(f"{', '.join(missing)} can't be written: {line}", is_bad=True)


def _rows_hidden(tx: Tx, table: InvoiceTable) -> Iterator[Finding]:
    """Row security hides rows without a word: their payments would look like payments for nothing."""
    if tx.dialect.name != "postgresql":
        return
    asked = text("SELECT row_security_active(:whole)")
    if tx.execute(asked, {"whole": quoted_table(tx, table.table)}).scalar_one():
        user = our_user(tx)
        yield Finding(
            f"row security hides rows of {table.table.name} from us: ALTER ROLE {user} BYPASSRLS, or policies for"
            f" {user} that let it select and update every invoice",
            is_bad=True,
        )


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


def _words(tx: Tx, table: InvoiceTable, described: Description) -> Iterator[Finding]:
    """Whether any invoice could be paid at all."""
    if "status" not in table.written:
        return
    some = select(table.word().label("word")).where(table.rows()).limit(_SAMPLE).subquery()
    found = sorted(tx.scalars(select(some.c.word).distinct()))
    if found and not {*found} & {*described.payable}:
        shown = ", ".join(each or "nothing" for each in found[:_WORDS_SHOWN])
        yield Finding(
            f"{_name(table, 'status')} never says {' or '.join(described.payable)}: no invoice can become paid; it says"
            f" {shown}: name what is open in [invoices.words], or in payable",
            is_bad=True,
        )


def _checks(tx: Tx, table: InvoiceTable) -> Iterator[Finding]:
    """Whether a CHECK may refuse our word."""
    if "status" not in table.written:
        return
    name, word = _name(table, "status"), table.word_out(PAID_WORD)
    found = inspect(tx).get_check_constraints(table.table.name, table.table.schema)
    for each in found:
        rule = str(each["sqltext"])
        if re.search(rf"\b{re.escape(name)}\b", rule) and f"'{word}'" not in rule:
            yield Finding(f"a CHECK on {name} does not name {word!r}: {rule[:80]}", is_bad=True)


def _keys(tx: Tx, table: InvoiceTable, live: LiveTable) -> Iterator[Finding]:
    name = _name(table, "id")
    if name not in live.unique:
        yield Finding(f"{name} has no unique index: two rows with one id would stop both")
    if tx.dialect.name != "sqlite":
        return
    if (
        table.kinds.get("id") is Kind.INTEGER
        and not live.is_view
        and not _is_never_reused(tx, live)
    ):
        yield Finding(
            f"{name} may be given again when a row was deleted, and old money would pay the new invoice: never delete"
            " invoices, or make the key AUTOINCREMENT"
        )
    if table.kinds.get("id") is Kind.TEXT:
        first = tx.scalar(select(table.text("id")).limit(1))
        if first is not None and _DASHLESS_UUID.fullmatch(first):
            yield Finding(
                f"{name} holds UUIDs without dashes: write them into the metadata just so"
            )


def _is_never_reused(tx: Tx, live: LiveTable) -> bool:
    made = text("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = :name")
    sql = str(tx.scalar(made, {"name": live.name}) or "").upper()
    return "AUTOINCREMENT" in sql


def _unreadable(tx: Tx, table: InvoiceTable) -> Iterator[Finding]:
    rows = sample(tx, table, limit=_SAMPLE)
    bad = [each for each in rows if isinstance(each, UnreadableInvoice)]
    if bad:
        yield Finding(
            f"{len(bad)} of {len(rows)} rows looked at can't be reckoned with, like {bad[0]}"
        )


def _indexes(tx: Tx, table: InvoiceTable) -> Iterator[Finding]:
    led = _led_by_an_index(tx, table)
    for ours in NAMING:
        if ours in table.columns and _name(table, ours) not in led:
            name = _name(table, ours)
            yield Finding(
                f"{name} has no index, and is looked up for every payment: {_index_sql(tx, table, name)}"
            )


def _index_sql(tx: Tx, table: InvoiceTable, name: str) -> str:
    on = f"ON {quoted_table(tx, table.table)} ({quoted(tx, name)})"
    if tx.dialect.name == "postgresql":
        return f"CREATE INDEX CONCURRENTLY {on}"
    return f"CREATE INDEX {quoted(tx, f'ix_{table.table.name}_{name}')} {on}"


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
