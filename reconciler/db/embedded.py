"""How are rows of the embedded invoice table imported? `status` of a known invoice stays the app's and ours."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import select

from reconciler.db.rows import upsert
from reconciler.db.session import Tx
from reconciler.db.tables import invoices

_CHUNK = 1000


def upsert_invoices(tx: Tx, rows: Sequence[Mapping[str, object]], now: datetime) -> list[str]:
    """Insert invoices, or update those with the same id or number; returns their ids."""
    ids: list[str] = []
    for start in range(0, len(rows), _CHUNK):
        part = rows[start : start + _CHUNK]
        known = _ids_by_number(tx, [str(each["number"]) for each in part if each.get("number")])
        whole = [
            {
                **each,
                "id": known.get(str(each["number"]), each["id"])
                if each["id"] == each.get("number")
                else each["id"],
                "created_at": now,
                "updated_at": now,
            }
            for each in part
        ]
        # What was settled must not be undone by importing the same file again.
        upsert(tx, invoices, whole, keep=("created_at", "status"))
        ids += [str(each["id"]) for each in whole]
    return ids


def _ids_by_number(tx: Tx, numbers: Sequence[str]) -> dict[str, str]:
    column = invoices.c
    rows = tx.execute(select(column.number, column.id).where(column.number.in_(sorted(numbers))))
    return {number: id_ for number, id_ in rows if number is not None}
