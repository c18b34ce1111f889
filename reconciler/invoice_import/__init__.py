"""How do invoices come from a CSV file into the embedded table?

`read` says what the file holds, `plan` what that would change, and `store` writes it. A row is known by its `id`, else by its
`number`, and no value may name two invoices: a payment that says it would find neither.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from reconciler.apply import Policy, apply_payment_state
from reconciler.core.observation import InvoiceSeen, Source
from reconciler.db import embedded
from reconciler.db.session import Database
from reconciler.invoice_import.planning import Plan, plan
from reconciler.invoice_import.reading import ROWS_MAX, BadRow, Row, UnreadableFile, read

__all__ = ["ROWS_MAX", "BadRow", "Plan", "Row", "UnreadableFile", "plan", "read", "store"]


def store(
    db: Database,
    rows: Sequence[Mapping[str, object]],
    *,
    now: datetime,
    policy: Policy,
    batch: int,
) -> None:
    """Write invoices, each with its `id`, and settle them, so that a payment that came first finds its invoice at once.

    A batch is a transaction: the webhook must not wait for the last of a hundred thousand. What is cut off in the middle
    is finished by importing the same file again.
    """
    for start in range(0, len(rows), batch):
        part = rows[start : start + batch]
        seen = [InvoiceSeen(str(each["id"])) for each in part]
        with db.writing() as tx:
            embedded.upsert_invoices(tx, part, now)
            apply_payment_state(tx, seen, source=Source.MANUAL, now=now, policy=policy)
