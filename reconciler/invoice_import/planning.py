"""What would a file of invoices change, and which of its rows would leave two invoices with one name?"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from reconciler.core.invoice import PAID_WORD
from reconciler.db import embedded
from reconciler.db.embedded import Bearer
from reconciler.db.invoice_table import STORED
from reconciler.db.session import Database
from reconciler.invoice_import.reading import BadRow, Row

ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class _Placed:
    """A row with the invoice that it is, and the invoices that bear one of its names already."""

    row: Row
    invoice_id: str
    is_new: bool
    differs: bool
    keeps_status: bool
    beside: tuple[Bearer, ...]


@dataclass(frozen=True, slots=True)
class KeptStatus:
    """A row with another word than the `paid` that we wrote to its invoice: that stays."""

    line: int
    invoice_id: str
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an import does: the invoices to write, how many of them are new, how many others are as they were.

    `kept` are the rows whose status is not taken.
    """

    writes: Sequence[Mapping[str, object]] = ()
    new: int = 0
    unchanged: int = 0
    kept: Sequence[KeptStatus] = ()
    bad: Sequence[BadRow] = field(default_factory=tuple)

    @property
    def changed(self) -> int:
        """How many invoices are there and say something else."""
        return len(self.writes) - self.new


def plan(db: Database, rows: Sequence[Row]) -> Plan:
    """Compare rows with the invoices that are there; nothing is written."""
    placed: dict[str, _Placed] = {}
    bad: list[BadRow] = []
    for start in range(0, len(rows), ROWS_AT_ONCE):
        page = rows[start : start + ROWS_AT_ONCE]
        with db.reading() as tx:
            bearers = _by_name(embedded.bearing(tx, {name for row in page for name in row.names}))
        for row in page:
            try:
                here = _place(row, bearers)
                _require_alone(here, placed)
            except ValueError as error:
                bad.append(BadRow(row.line, str(error)))
    # Who is left out keeps the name that it has, which may be in the way of another.
    while left_out := list(_in_the_way(placed)):
        bad += left_out
    return Plan(
        writes=[{**p.row.values, "id": id_} for id_, p in placed.items() if p.differs],
        new=sum(each.is_new for each in placed.values()),
        unchanged=sum(not each.differs for each in placed.values()),
        kept=[
            KeptStatus(p.row.line, id_, str(p.row.values["status"]))
            for id_, p in placed.items()
            if p.keeps_status
        ],
        bad=sorted(bad, key=lambda each: each.line),
    )


def _by_name(bearers: Iterable[Bearer]) -> dict[str, list[Bearer]]:
    found: dict[str, list[Bearer]] = {}
    for each in bearers:
        for name in each.names:
            found.setdefault(name, []).append(each)
    return found


def _place(row: Row, bearers: Mapping[str, Sequence[Bearer]]) -> _Placed:
    known = {each.id: each for name in row.names for each in bearers.get(name, ())}
    invoice_id = str(row.values.get("id") or _id_by_number(str(row.values["number"]), known))
    there = known.pop(invoice_id, None)
    if there is None:
        _require_dated(row)
    return _Placed(
        row,
        invoice_id,
        is_new=there is None,
        differs=there is None or there.differs_from(row.values),
        keeps_status=there is not None and there.keeps_status_from(row.values),
        beside=tuple(known.values()),
    )


def _require_dated(row: Row) -> None:
    """Refuse a new invoice that would be asked for a payment of Stripe's as if it were paid today."""
    names_stripe = any(row.values.get(name) for name in STORED)
    dated = row.values.get("paid_at") or row.values.get("created_at")
    if row.values.get("status") == PAID_WORD and names_stripe and not dated:
        raise ValueError(
            "is `paid` and names an object of Stripe's: give its paid_at or created_at"
        )


def _id_by_number(number: str, known: Mapping[str, Bearer]) -> str:
    """The invoice that has this number; a new one has it for its id too."""
    same = [each.id for each in known.values() if each.number == number]
    if len(same) > 1:
        raise ValueError(f"{number!r} is the number of {len(same)} invoices; give the id")
    if not same and number in known and known[number].number:
        raise ValueError(f"{number!r} is the id of an invoice with another number; give the id")
    return same[0] if same else number


def _require_alone(here: _Placed, placed: dict[str, _Placed]) -> None:
    """Take the row, unless an earlier one is the same invoice under its other name."""
    earlier = placed.setdefault(here.invoice_id, here)
    if earlier is not here:
        raise ValueError(f"is the invoice {here.invoice_id!r} of line {earlier.row.line}")


def _in_the_way(placed: dict[str, _Placed]) -> Iterator[BadRow]:
    """Leave out each row whose name another invoice would still bear; tells them."""
    for invoice_id, here in list(placed.items()):
        for other in here.beside:
            shared = sorted(here.row.names & _names_then(other, placed))
            if shared:
                del placed[invoice_id]
                reason = f"{shared[0]!r} names the invoice {other.id!r} too"
                yield BadRow(here.row.line, reason)
                break


def _names_then(other: Bearer, placed: Mapping[str, _Placed]) -> frozenset[str]:
    """The names of an invoice after the import."""
    row = placed[other.id].row if other.id in placed else None
    if row is None or "number" not in row.values:
        return other.names
    return row.names | {other.id}
