"""How does the demo end? A table of the invoices beside the simulated Stripe's truth, and a plain word."""

import shlex
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from reconciler.cli.demo.board import WIDTH
from reconciler.cli.demo.ledger import Arrival, Verdict
from reconciler.core.observation import Source


def show_verdicts(console: Console, verdicts: Sequence[Verdict], titles: Mapping[str, str]) -> None:
    """Print each invoice: its story, and its word here beside the one that is true."""
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), header_style="bold", width=WIDTH)
    table.add_column("invoice", no_wrap=True)
    table.add_column("what happened", no_wrap=True, overflow="ellipsis", ratio=1)
    table.add_column("here", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("in truth", no_wrap=True)
    for each in verdicts:
        equal = not each.differs
        table.add_row(
            str(each.invoice.get("number", each.truth.invoice_id)),
            titles.get(each.truth.invoice_id, ""),
            str(each.invoice.get("payment_status") or "-"),
            Text("=" if equal else "≠", style="green" if equal else "bold red"),
            each.truth.payment_status or "-",
        )
    console.print(table)


def summary(arrivals: Iterable[Arrival]) -> list[str]:
    """Who found what, and how late on Stripe's clock."""
    lines = []
    for source, name in ((Source.WEBHOOK, "by webhook"), (Source.POLL, "by the sweep")):
        late_s = [each.late_s for each in arrivals if each.source == source]
        if late_s:
            median_s, most_s = int(statistics.median(late_s)), max(late_s)
            lines.append(
                f"{len(late_s)} events came {name}: half within {median_s} s, the last after {most_s} s."
            )
    return lines


def differences(verdicts: Iterable[Verdict]) -> list[str]:
    """What is not equal, value beside value."""
    return [
        f"{each.invoice.get('number', each.truth.invoice_id)}: {name} differs from the truth,"
        f" {getattr(each.truth, name)}"
        for each in verdicts
        for name in each.differs
    ]


def what_next(folder: Path | None) -> list[str]:
    """What to type now."""
    if folder is None:
        return ["Run it again with --keep to look around in what it leaves."]
    return [
        "What to type next:",
        f"  cd {shlex.quote(str(folder))}",
        "  reconciler explain INV-0001     every event and decision of one invoice",
        "  reconciler exceptions list      what needs a person",
        "  reconciler status               sweeps, lags and backlog",
        "(The daemon has ended: before long, status says that its sweeps are late.)",
    ]
