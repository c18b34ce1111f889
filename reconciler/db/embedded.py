"""How are rows of the embedded invoice table imported?

What a row does not say stays as it is. `status` is the app's word, and so is what an import says of it, but for a `paid`
that we wrote: the app may not know of the payment yet.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, select

from reconciler.core.invoice import PAID_WORD
from reconciler.db.prepared import Row
from reconciler.db.rows import upsert
from reconciler.db.session import Tx
from reconciler.db.tables import invoices, settlements

# What was settled must not be undone by importing the same file again.
_OURS = frozenset({"status", "paid_at"})


@dataclass(frozen=True, slots=True)
class Bearer:
    """An invoice that is there, found by one of its names."""

    id: str
    number: str | None
    row: Row
    is_paid_by_us: bool

    @property
    def names(self) -> frozenset[str]:
        """The values by which a payment could name it."""
        return frozenset({self.id, self.number or self.id})

    def differs_from(self, values: Mapping[str, object]) -> bool:
        """Whether an import of these values would change anything."""
        kept = _OURS if self.is_paid_by_us else frozenset()
        return any(self.row[name] != value for name, value in values.items() if name not in kept)

    def keeps_status_from(self, values: Mapping[str, object]) -> bool:
        """Whether these values say another word than the `paid` that we wrote."""
        return self.is_paid_by_us and values.get("status", PAID_WORD) != PAID_WORD


def bearing(tx: Tx, names: Iterable[str]) -> list[Bearer]:
    """The invoices with one of these values as their id or number."""
    wanted = sorted(names)
    asked = select(invoices, _is_paid_by_us().label("is_ours")).where(
        or_(invoices.c.id.in_(wanted), invoices.c.number.in_(wanted))
    )
    rows = tx.execute(asked).mappings()
    return [Bearer(row["id"], row["number"], row, bool(row["is_ours"])) for row in rows]


def _is_paid_by_us() -> ColumnElement[bool]:
    ours = select(settlements.c.invoice_id).where(
        settlements.c.invoice_id == invoices.c.id, settlements.c.prior_status.is_not(None)
    )
    return and_(invoices.c.status == PAID_WORD, ours.exists())


def upsert_invoices(tx: Tx, rows: Sequence[Mapping[str, object]], now: datetime) -> None:
    """Insert invoices, or update what is said of those with the same id."""
    ids = [each["id"] for each in rows]
    asked = select(invoices.c.id).where(invoices.c.id.in_(ids), _is_paid_by_us())
    # Asked again in this transaction: a payment may have come since the file was compared.
    paid = set(tx.scalars(asked))
    alike: dict[tuple[str, ...], list[Row]] = {}
    for each in rows:
        said = {k: v for k, v in each.items() if k not in _OURS or each["id"] not in paid}
        row = {"created_at": now, **said, "updated_at": now}
        alike.setdefault(tuple(sorted(said)), []).append(row)
    # A statement speaks of the same columns in all its rows.
    for said_names, part in alike.items():
        upsert(tx, invoices, part, keep={"created_at"} - set(said_names))
