"""Can we live with the invoices table that the app has, and how is it reached?

The settings say which column is which; the database says what each holds. Nothing is guessed, and nothing there is ever
changed: a description that does not fit is refused, every reason at once.
"""

from collections.abc import Mapping
from datetime import tzinfo
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Text, cast, func, literal, select, types

from reconciler.core.invoice import InvoiceStatus
from reconciler.db.errors import StatementFailed
from reconciler.db.fitting import CONSTANT, MOMENT_NAMES, Description, close, problems
from reconciler.db.foreign import AsItIs, AsMoment, Kind
from reconciler.db.invoice_table import WRITTEN, InvoiceTable
from reconciler.db.invoices import UnreadableInvoice, sample
from reconciler.db.live_table import (
    MOMENTS,
    LiveTable,
    epoch_columns,
    grant,
    look_at,
    names_beside,
)
from reconciler.db.session import Tx, savepoint
from reconciler.db.tables import metadata, settlements

_SAMPLE: Final = 100


class Unmappable(ValueError):  # noqa: N818 - it names what the mapping is
    """The table can't be used as the settings describe it; `problems` are all the reasons, each with its mend."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__("; ".join(reasons))
        self.problems = reasons


def adopt(tx: Tx, described: Description) -> InvoiceTable:
    """Look at the live table and return the way to it. Raises Unmappable."""
    live = look_at(tx, described.table)
    if not live.columns:
        raise Unmappable([_no_table(tx, described, live)])
    if live.schema is None and live.name in metadata.tables and live.name != "invoices":
        raise Unmappable([f"[invoices] table: {live.name} is a table of ours"])
    reasons = list(problems(described, live, dialect=tx.dialect.name))
    if reasons:
        raise Unmappable(reasons)
    found = _built(tx, described, live)
    _try(tx, described, found)
    _require_own_words(tx, described, found)
    _require_one_of_each(tx, described, found, live)
    return found


def _built(tx: Tx, described: Description, live: LiveTable) -> InvoiceTable:
    chosen, table = described.chosen(live), live.table()
    moments = [chosen[each] for each in MOMENT_NAMES if chosen[each] in live.columns]
    epochs = epoch_columns(tx, live, moments)
    kinds = {
        ours: _kind(live, theirs, epochs)
        for ours, theirs in chosen.items()
        if theirs in live.columns
    }
    columns: dict[str, ColumnElement[Any]] = {}
    for ours, theirs in chosen.items():
        if theirs.startswith(CONSTANT):
            columns[ours] = literal(theirs.removeprefix(CONSTANT), Text)
        elif theirs:
            if theirs not in table.c:
                table.append_column(Column(theirs, _type(kinds[ours], ours, described.zone)))
            columns[ours] = table.c[theirs]
    columns |= _remembered(described, columns["id"], [each for each in WRITTEN if not chosen[each]])
    on_days = kinds.get("paid_at") is Kind.DAY
    return InvoiceTable(
        table=table,
        columns=columns,
        kinds={ours: kind for ours, kind in kinds.items() if kind is not None},
        words=dict(described.words),
        written=tuple(each for each in WRITTEN if chosen[each]),
        in_decimals=described.in_decimals,
        only=described.only,
        day_zone=described.zone if on_days else None,
    )


def _kind(live: LiveTable, theirs: str, epochs: frozenset[str]) -> Kind | None:
    return Kind.EPOCH if theirs in epochs else live.columns[theirs].kind


def _type(kind: Kind | None, ours: str, zone: tzinfo) -> types.TypeEngine[Any]:
    if ours not in MOMENT_NAMES:
        return AsItIs()
    return AsMoment(kind if kind in MOMENTS else Kind.LOCAL, zone)


def _remembered(
    described: Description, id_: ColumnElement[Any], names: list[str]
) -> dict[str, ColumnElement[Any]]:
    """What stands for columns that the app has not: what we last settled."""
    last = settlements.alias("as_settled")
    kept: Mapping[str, ColumnElement[Any]] = {
        "status": last.c.status,
        "payment_status": last.c.payment_status,
        "paid_at": last.c.written_paid_at,
    }

    def of(name: str) -> ColumnElement[Any]:
        mine = last.c.invoice_id == cast(id_, Text)
        # Said aloud: inside another question it would ask about any invoice, and not about this one.
        found = select(kept[name]).where(mine).correlate_except(last).scalar_subquery()
        first = described.payable[0] if described.payable else "open"
        return func.coalesce(found, first) if name == "status" else found

    return {name: of(name) for name in names}


def _try(tx: Tx, described: Description, found: InvoiceTable) -> None:
    """Read some rows as they will be read, so that a missing right or a wrong filter is told at the start."""
    for is_filtered, mend in (
        (False, f"our user needs the right to use the schema, and {_rights(tx, found)}"),
        (True, "[invoices] filter: must be a condition on the table's rows, in SQL"),
    ):
        try:
            with savepoint(tx):
                rows = sample(tx, found, limit=_SAMPLE, is_filtered=is_filtered)
        except StatementFailed as refused:
            raise Unmappable([f"[invoices] table {described.table}: {refused}; {mend}"]) from None
    bad = [each for each in rows if isinstance(each, UnreadableInvoice)]
    if rows and len(bad) == len(rows):
        raise Unmappable([f"[invoices] table {described.table}: no row can be read: {bad[0]}"])


def _rights(tx: Tx, found: InvoiceTable) -> str:
    if tx.dialect.name != "postgresql":
        return "to read and write the file"
    return grant(tx, found.table, updates=[found.columns[each].name for each in found.written])


def _require_own_words(tx: Tx, described: Description, found: InvoiceTable) -> None:
    """Refuse to write over words of the app's in a column that nobody has named to us."""
    if "payment_status" in described.columns or "payment_status" not in found.written:
        return
    said = found.text("payment_status")
    ours = sorted(each.value for each in InvoiceStatus)
    strange = tx.scalar(select(said).where(found.rows(), said.not_in(["", *ours])).limit(1))
    if strange is not None:
        reason = (
            f"[invoices.columns] payment_status: holds {strange[:40]!r}, which is no word of ours; name another column,"
            ' or leave it out with payment_status = ""'
        )
        raise Unmappable([reason])


def _require_one_of_each(
    tx: Tx, described: Description, found: InvoiceTable, live: LiveTable
) -> None:
    """Refuse a key that two rows share: money for the one would be written to both."""
    id_ = found.column("id")
    if str(found.columns["id"].name) in live.unique:
        return
    twice = select(id_).where(found.rows()).group_by(id_).having(func.count() > 1).limit(1)
    shared = tx.scalar(twice)
    if shared is not None:
        reason = (
            f"[invoices.columns] id: several rows of {described.table} have {str(shared)[:40]!r} in"
            f" {found.columns['id'].name}; name the key, or narrow [invoices] filter"
        )
        raise Unmappable([reason])


def _no_table(tx: Tx, described: Description, live: LiveTable) -> str:
    if tx.dialect.name == "sqlite" and "." in described.table:
        return f"[invoices] table: there is no table {described.table}; SQLite has no schemas, so name the table alone"
    where = f" in schema {live.schema}" if live.schema else ""
    return f"[invoices] table: there is no table {live.name}{where}; {close(live.name, names_beside(tx, live.schema))}"
