"""How are rows of the embedded invoice table imported? `status` of a known invoice stays the app's and ours."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select

from reconciler.db.rows import Row, upsert
from reconciler.db.session import Tx
from reconciler.db.tables import invoices

# What was settled must not be undone by importing the same file again.
_KEPT = ("created_at", "status")


@dataclass(frozen=True, slots=True)
class Bearer:
    """An invoice that is there, found by one of its names."""

    id: str
    number: str | None
    row: Row

    @property
    def names(self) -> frozenset[str]:
        """The values by which a payment could name it."""
        return frozenset({self.id, self.number or self.id})

    def differs_from(self, values: Mapping[str, object]) -> bool:
        """Whether an import of these values would change anything."""
        return any(self.row[name] != value for name, value in values.items() if name not in _KEPT)


def bearing(tx: Tx, names: Iterable[str]) -> list[Bearer]:
    """The invoices with one of these values as their id or number."""
    wanted = sorted(names)
    asked = select(invoices).where(or_(invoices.c.id.in_(wanted), invoices.c.number.in_(wanted)))
    rows = tx.execute(asked).mappings()
    return [Bearer(row["id"], row["number"], row) for row in rows]


def upsert_invoices(tx: Tx, rows: Sequence[Mapping[str, object]], now: datetime) -> None:
    """Insert invoices, or update those with the same id."""
    dated = [{**each, "created_at": now, "updated_at": now} for each in rows]
    upsert(tx, invoices, dated, keep=_KEPT)
