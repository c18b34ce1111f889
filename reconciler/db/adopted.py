"""Can we live with the invoices table that the app has, and what is it like?

The settings say which column is which; the database says what each holds. Nothing is guessed, and nothing there is ever
changed: a mapping that does not fit is refused, every problem at once, with what mends it.
"""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    MetaData,
    Table,
    Text,
    cast,
    func,
    inspect,
    literal,
    select,
    types,
)

from reconciler.core.invoice import InvoiceStatus
from reconciler.core.money import is_currency
from reconciler.db.errors import StatementFailed
from reconciler.db.foreign import AsItIs, AsMoment, Kind
from reconciler.db.invoice_table import NAMES, REQUIRED, WRITTEN, InvoiceTable
from reconciler.db.session import Tx, savepoint
from reconciler.db.tables import settlements

CONSTANT: Final = "="
"""What a column setting begins with that is no column but one text for all rows: `currency = "=eur"`."""

_TEXTS: Final = frozenset({Kind.TEXT, Kind.WORD, Kind.INTEGER, Kind.UUID})
_MOMENTS: Final = frozenset({Kind.MOMENT, Kind.LOCAL, Kind.DAY})
_FITTING: Final = MappingProxyType(
    {
        "id": _TEXTS - {Kind.WORD},
        "amount_due": frozenset({Kind.INTEGER, Kind.NUMBER}),
        "paid_at": _MOMENTS,
        "created_at": _MOMENTS,
        "updated_at": _MOMENTS,
    }
)


class Unmappable(ValueError):  # noqa: N818 - it names what the mapping is
    """The table can't be used as the settings describe it; `problems` are all the reasons, each with its mend."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What the settings say of the app's table.

    `columns` is our name to the app's column: "" where there is none, "=eur" where all rows have one value. `zone` is that of
    days, where `paid_at` holds no more.
    """

    table: str
    columns: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    payable: tuple[str, ...] = ("open",)
    in_decimals: bool = False
    only: str = ""
    zone: tzinfo = UTC


@dataclass(frozen=True, slots=True)
class Live:
    """A column as the database tells of it; `labels` are the words that it allows, where it does not allow any."""

    name: str
    kind: Kind | None
    said: str
    labels: tuple[str, ...] = ()


def adopt(tx: Tx, described: Description) -> InvoiceTable:
    """Look at the live table and return the way to it. Raises Unmappable."""
    schema, name = place_of(tx, described.table)
    live = live_columns(tx, schema, name)
    if not live:
        raise Unmappable([_no_table(tx, schema, name)])
    chosen = {ours: _chosen(described, live, ours) for ours in NAMES}
    problems = list(_problems(described, live, chosen))
    if problems:
        raise Unmappable(problems)
    found = _built(described, Table(name, MetaData(), schema=schema), live, chosen)
    _try(tx, described, found)
    return found


def place_of(tx: Tx, table: str) -> tuple[str | None, str]:
    """The schema and the name of a table; without a schema PostgreSQL's `public`."""
    schema, _, name = table.rpartition(".")
    return schema or ("public" if tx.dialect.name == "postgresql" else None), name


def live_columns(tx: Tx, schema: str | None, table: str) -> dict[str, Live]:
    """The columns of a table or view, by name; none if there is no such table."""
    inspector = inspect(tx)
    if table not in {*inspector.get_table_names(schema), *inspector.get_view_names(schema)}:
        return {}
    found = inspector.get_columns(table, schema)
    return {each["name"]: _live(each["name"], each["type"]) for each in found}


def _live(name: str, type_: Any) -> Live:
    said = str(type_) if not isinstance(type_, types.NullType) else "a type unknown to us"
    labels = tuple(type_.enums) if isinstance(type_, types.Enum) else ()
    return Live(name, _kind(type_), said, labels)


def _kind(type_: Any) -> Kind | None:
    match type_:
        case types.Enum():
            return Kind.WORD
        case types.Boolean():
            return None
        case types.Uuid():
            return Kind.UUID
        case types.Integer():
            return Kind.INTEGER
        case types.Numeric():
            return Kind.NUMBER
        case types.DateTime():
            return Kind.MOMENT if type_.timezone else Kind.LOCAL
        case types.Date():
            return Kind.DAY
        case types.String():
            return Kind.TEXT
    return None


def _chosen(described: Description, live: Mapping[str, Live], ours: str) -> str:
    """What stands for one of our names: a column, a constant, or nothing."""
    if ours in described.columns:
        return described.columns[ours]
    return ours if ours in live else ""


def _problems(
    described: Description, live: Mapping[str, Live], chosen: Mapping[str, str]
) -> Iterator[str]:
    for ours in described.columns:
        if ours not in NAMES:
            yield f"[invoices.columns] {ours}: is no column of ours; {_close(ours, NAMES)}"
    for ours, theirs in chosen.items():
        if not theirs and ours in REQUIRED:
            yield f"[invoices.columns] {ours}: must name a column; {_close(ours, live)}"
        elif theirs.startswith(CONSTANT):
            yield from _constant_problems(ours, theirs.removeprefix(CONSTANT))
        elif theirs and theirs not in live:
            yield f"[invoices.columns] {ours}: there is no column {theirs}; {_close(theirs, live)}"
        elif theirs:
            yield from _type_problems(described, ours, live[theirs])
    taken = [chosen[each] for each in WRITTEN if chosen[each]]
    if len(set(taken)) < len(taken):
        yield "[invoices.columns] status, payment_status and paid_at must be columns of their own"


def _constant_problems(ours: str, value: str) -> Iterator[str]:
    if ours != "currency":
        yield f'[invoices.columns] {ours}: only currency may be the same for all ("=eur")'
    elif not is_currency(value):
        yield f'[invoices.columns] currency: write "=" and three lower-case letters, like "=eur", not "={value}"'


def _type_problems(described: Description, ours: str, live: Live) -> Iterator[str]:
    fitting = _FITTING.get(ours, _TEXTS)
    if live.kind is None and _is_text_in_sqlite(ours, live):
        return
    if live.kind not in fitting and not (ours in _FITTING and _is_text_in_sqlite(ours, live)):
        wanted = ", ".join(sorted(each.value for each in fitting))
        yield f"[invoices.columns] {ours}: {live.name} is {live.said}; it must be one of: {wanted}"
        return
    if ours == "amount_due" and described.in_decimals and live.kind is Kind.INTEGER:
        yield (
            f'[invoices] amounts: is "decimal", but {live.name} holds whole numbers;'
            ' say "minor" if it holds cents'
        )
    yield from _word_problems(described, ours, live)


def _is_text_in_sqlite(ours: str, live: Live) -> bool:
    """Whether SQLite keeps moments in a column of text, as it does in most tables."""
    return ours in {"paid_at", "created_at", "updated_at"} and live.kind is Kind.TEXT


def _word_problems(described: Description, ours: str, live: Live) -> Iterator[str]:
    if not live.labels:
        return
    if ours == "status":
        words = {described.words.get(each, each) for each in ("paid", *described.payable)}
        for word in sorted(words - set(live.labels)):
            yield (
                f"[invoices.words] {live.name} allows no {word!r}: say which of its words means that; it has"
                f" {', '.join(live.labels)}"
            )
    if ours == "payment_status":
        missing = sorted({each.value for each in InvoiceStatus} - set(live.labels))
        if missing:
            yield (
                f"[invoices.columns] payment_status: {live.name} does not allow {', '.join(missing)}; make it text, or leave"
                ' it out with payment_status = ""'
            )


def _built(
    described: Description, table: Table, live: Mapping[str, Live], chosen: Mapping[str, str]
) -> InvoiceTable:
    columns: dict[str, ColumnElement[Any]] = {}
    for ours, theirs in chosen.items():
        if theirs.startswith(CONSTANT):
            columns[ours] = literal(theirs.removeprefix(CONSTANT), Text)
        elif theirs:
            if theirs not in table.c:
                table.append_column(Column(theirs, _type(live[theirs], ours, described.zone)))
            columns[ours] = table.c[theirs]
    written = tuple(each for each in WRITTEN if chosen[each])
    columns |= _remembered(described, columns["id"], [each for each in WRITTEN if not chosen[each]])
    kinds = {ours: live[theirs].kind for ours, theirs in chosen.items() if theirs in live}
    on_days = kinds.get("paid_at") is Kind.DAY
    return InvoiceTable(
        table=table,
        columns=columns,
        kinds={ours: kind for ours, kind in kinds.items() if kind is not None},
        words=dict(described.words),
        written=written,
        in_decimals=described.in_decimals,
        only=described.only,
        day_zone=described.zone if on_days else None,
    )


def _type(live: Live, ours: str, zone: tzinfo) -> types.TypeEngine[Any]:
    if ours not in {"paid_at", "created_at", "updated_at"}:
        return AsItIs()
    return AsMoment(live.kind if live.kind in _MOMENTS else Kind.LOCAL, zone)


def _remembered(
    described: Description, id_: ColumnElement[Any], names: list[str]
) -> dict[str, ColumnElement[Any]]:
    """What stands for columns that the app has not: what we last settled."""
    last = settlements.alias("as_settled")
    kept = {"status": last.c.status, "payment_status": last.c.payment_status}
    kept["paid_at"] = last.c.written_paid_at

    def of(name: str) -> ColumnElement[Any]:
        mine = last.c.invoice_id == cast(id_, Text)
        found = select(kept[name]).where(mine).scalar_subquery()
        return func.coalesce(found, described.payable[0]) if name == "status" else found

    return {name: of(name) for name in names}


def _try(tx: Tx, described: Description, found: InvoiceTable) -> None:
    """Read a row as it will be read, so that a missing right or a wrong filter is told at the start."""
    whole = select(*(column.label(name) for name, column in found.columns.items())).limit(1)
    for condition, mend in (
        (None, _grant(found)),
        (found.rows(), "[invoices] filter: must be a condition on the table's rows, in SQL"),
    ):
        try:
            with savepoint(tx):
                tx.execute(whole if condition is None else whole.where(condition))
        except StatementFailed as refused:
            raise Unmappable([f"[invoices] table {described.table}: {refused}; {mend}"]) from None


def _grant(found: InvoiceTable) -> str:
    columns = ", ".join(str(found.columns[each].name) for each in found.written)
    rights = f"SELECT, UPDATE ({columns})" if columns else "SELECT"
    return f"grant the user of DATABASE_URL: GRANT {rights} ON {found.table}"


def _no_table(tx: Tx, schema: str | None, name: str) -> str:
    names = inspect(tx).get_table_names(schema)
    where = f" in schema {schema}" if schema else ""
    return f"[invoices] table: there is no table {name}{where}; {_close(name, names)}"


def _close(name: str, names: Any) -> str:
    found = sorted(map(str, names))
    close = difflib.get_close_matches(name, found, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"there are {', '.join(found[:30])}" if found else "there are none"
