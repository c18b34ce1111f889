"""What stands in the database before a system takes deliveries, and what must stand there afterwards?

Ours, the afternoon's and the one that only stores are looked at in the same way: by counting rows, with SQL of nobody's.
"""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from sqlalchemy import Engine, text

from benchmarks import afternoon, floor
from benchmarks.books import Books
from benchmarks.deliveries import AMOUNT_MINOR, CURRENCY, event_id, invoice_id, payment_id
from benchmarks.servers import our_environment, plain_url, whole

_ROWS_A_STATEMENT: Final = 1000
# What must be there once for each delivery: which rows, and by which id.
_EVENTS: Final = "SELECT count(*) FROM {} WHERE id BETWEEN :first AND :last"
_OURS: Final = MappingProxyType(
    {
        _EVENTS.format("stripe_events") + " AND state = 'applied'": event_id,
        _EVENTS.format("payments") + " AND status = 'succeeded'": payment_id,
        _EVENTS.format("invoices") + " AND status = 'paid' AND payment_status = 'paid'": invoice_id,
    }
)
_AFTERNOONS: Final = MappingProxyType(
    {
        _EVENTS.format("events"): event_id,
        _EVENTS.format("payments") + " AND status = 'succeeded'": payment_id,
        _EVENTS.format("invoices") + " AND status = 'paid'": invoice_id,
    }
)
_STORED: Final = MappingProxyType({_EVENTS.format("events"): event_id})
CHECKS: Final = MappingProxyType({"ours": _OURS, "afternoon": _AFTERNOONS, "storing": _STORED})
_BILL: Final = (
    "INSERT INTO invoices (id, currency, amount_due, status{columns})"
    " VALUES (:id, :currency, :amount, 'open'{values})"
)


@dataclass(slots=True)
class Shop:
    """One system's books, with as many open invoices as were billed; `kind` is one of CHECKS."""

    kind: str
    books: Books
    billed: int = 0
    _engine: Engine = field(init=False)

    def __post_init__(self) -> None:
        self._engine = afternoon.engine_of(plain_url(self.books))

    def open(self, folder: Path) -> None:
        """Make the tables."""
        if self.kind == "ours":
            _init(self.books, folder)
            return
        self.make_schema()
        base = afternoon.Base if self.kind == "afternoon" else floor.Base
        base.metadata.create_all(self._engine)

    def make_schema(self) -> None:
        """Make the place for tables; a SQLite file has one."""
        if self._engine.dialect.name != "sqlite":
            with self._engine.begin() as tx:
                tx.execute(text(f"CREATE SCHEMA {self.books.schema}"))

    def bill(self, until: int) -> None:
        """Write open invoices with the numbers up to one, as an app would."""
        if self.kind == "storing":
            return
        values: Mapping[str, Any] = {"currency": CURRENCY, "amount": AMOUNT_MINOR}
        statement = _BILL.format(columns="", values="")
        if self.kind == "ours":
            statement = _BILL.format(columns=", created_at, updated_at", values=", :now, :now")
            values = {**values, "now": self._now()}
        for start in range(self.billed, until, _ROWS_A_STATEMENT):
            numbers = range(start, min(until, start + _ROWS_A_STATEMENT))
            with self._engine.begin() as tx:
                tx.execute(text(statement), [{**values, "id": invoice_id(n)} for n in numbers])
        self.billed = max(self.billed, until)

    def lost(self, first: int, sent: int, acknowledged: int) -> int:
        """How many of these deliveries were acknowledged and are not there, or are not applied."""
        there = sent
        with self._engine.connect() as tx:
            for statement, id_of in CHECKS[self.kind].items():
                bounds = {"first": id_of(first), "last": id_of(first + sent - 1)}
                there = min(there, tx.scalar(text(statement), bounds) or 0)
        return max(0, acknowledged - there)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def _now(self) -> Any:
        now = datetime.now(UTC)
        return now.isoformat() if self._engine.dialect.name == "sqlite" else now


def _init(books: Books, folder: Path) -> None:
    """`reconciler init`, as whoever sets it up runs it."""
    subprocess.run(
        [sys.executable, "-m", "reconciler", "init"],
        cwd=folder,
        env=whole(our_environment(books)),
        stdout=subprocess.DEVNULL,
        check=True,
    )
