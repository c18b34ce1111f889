"""What does the reconciler's database say while the demo runs, and does it equal the simulated Stripe's truth?"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from reconciler.apply import Policy
from reconciler.core.observation import ms
from reconciler.db import queries
from reconciler.db.session import Database
from reconciler.invoice_import import store
from reconciler.simulator.theatre import Begun, Made
from reconciler.simulator.truth import InvoiceTruth, Truth
from reconciler.simulator.world import AppInvoice

ROWS_MAX = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """An event that has reached the reconciler: by which door first, and how late on Stripe's clock."""

    made: Made
    source: str
    late_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One invoice beside the truth about it; `differs` names what is not equal."""

    invoice: Mapping[str, Any]
    truth: InvoiceTruth
    differs: tuple[str, ...]


@dataclass
class Ledger:
    """The demo's view of the database: writes invoices as the app does, and reads what came of them."""

    db: Database
    policy: Policy
    made: dict[str, Made] = field(default_factory=dict)
    arrived: dict[str, Arrival] = field(default_factory=dict)

    def write_invoice(self, invoice: AppInvoice, now: datetime) -> None:
        """Write or change an invoice, as an app would in its own table."""
        row = {name: value for name, value in asdict(invoice).items() if value is not None}
        store(self.db, [row], now=now, policy=self.policy, batch=1)

    def look(self, begun: Begun) -> list[Arrival]:
        """The events that have arrived since the last look, in the order in which they did."""
        with self.db.reading() as tx:
            rows = queries.events(tx, limit=ROWS_MAX)
        new = []
        for row in sorted(rows, key=lambda each: each["received_at"]):
            made = self.made.get(row["id"])
            if made is None or row["id"] in self.arrived:
                continue
            received_ms = begun.stripe_ms(row["received_at"].timestamp())
            late_s = max(0, received_ms - made.created_ms) // 1000
            self.arrived[row["id"]] = Arrival(made=made, source=row["source"], late_s=late_s)
            new.append(self.arrived[row["id"]])
        return new

    def payment_statuses(self) -> dict[str, int]:
        """How many invoices stand at each word."""
        counted: dict[str, int] = {}
        with self.db.reading() as tx:
            for row in queries.invoices(tx, limit=ROWS_MAX):
                word = row["payment_status"] or "no payment"
                counted[word] = counted.get(word, 0) + 1
        return counted

    def is_quiet(self, last_event_ms: int) -> bool:
        """Whether nothing is left to do: every event swept, nothing failed, nothing to be read again."""
        with self.db.reading() as tx:
            swept = any(ms(each["position"]) > last_event_ms for each in queries.cursors(tx))
            waiting, _ = queries.fetch_backlog(tx)
            failed = queries.events(tx, state="failed", limit=1)
        return swept and not waiting and not failed

    def verdicts(self, truth: Truth) -> list[Verdict]:
        """Every invoice beside the truth about it, in the order of their numbers."""
        with self.db.reading() as tx:
            rows = {row["id"]: row for row in queries.invoices(tx, limit=ROWS_MAX)}
            settled = {id_: queries.settlement(tx, id_) for id_ in truth.invoices}
        return [
            _verdict(rows.get(id_, {}), settled[id_] or {}, told)
            for id_, told in sorted(truth.invoices.items(), key=lambda each: int(each[0]))
        ]

    def unmatched(self) -> frozenset[str]:
        """Payments with money that no invoice was given."""
        with self.db.reading() as tx:
            paid = [row for row in queries.payments(tx, limit=ROWS_MAX) if row["amount_received"]]
            return frozenset(
                row["id"] for row in paid if not queries.allocated_minor(tx, row["id"])
            )


def _verdict(row: Mapping[str, Any], settled: Mapping[str, Any], truth: InvoiceTruth) -> Verdict:
    paid_at = row.get("paid_at")
    here = {
        "status": row.get("status"),
        "payment_status": row.get("payment_status"),
        "paid_at_ms": ms(paid_at) if paid_at is not None else None,
        **{name: settled.get(name) or 0 for name in ("received", "refunded", "disputed", "net")},
    }
    differs = tuple(name for name, value in here.items() if value != getattr(truth, name))
    return Verdict(invoice=row, truth=truth, differs=differs)
