"""How does the demo look while it runs? A live board on a terminal, plain lines anywhere else; 80 columns."""

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from reconciler.cli.demo.ledger import Arrival
from reconciler.core.observation import Source
from reconciler.simulator.faults import Mishap

LINES: Final = 12
WIDTH: Final = 80
_REFRESH_HZ: Final = 8
_LATE_S: Final = 30
_TYPE_WIDTH: Final = 33

_SAID: Final = {
    Mishap.LOST: "webhook lost",
    Mishap.LATE: "webhook late",
    Mishap.DUPLICATED: "sent again",
    Mishap.REORDERED: "out of order",
}


@dataclass
class Board:
    """What is shown: counts of events and invoices, and the latest arrivals."""

    console: Console
    total_s: float
    made: int = 0
    mishaps: Counter[Mishap] = field(default_factory=Counter)
    by_door: Counter[str] = field(default_factory=Counter)
    statuses: Mapping[str, int] = field(default_factory=dict)
    elapsed_s: float = 0.0
    headline: str = "The simulated Stripe, the webhook and the daemon are starting."
    _latest: deque[Text] = field(default_factory=lambda: deque(maxlen=LINES))
    _live: Live | None = None

    @contextmanager
    def shown(self) -> Iterator["Board"]:
        """Show the board while the block runs, if there is a terminal to show it on."""
        if not self.console.is_terminal:
            yield self
            return
        with Live(self._drawn(), console=self.console, refresh_per_second=_REFRESH_HZ) as live:
            self._live = live
            yield self
            live.update(self._drawn())
        self._live = None

    def tell(self, headline: str) -> None:
        """Say what is going on now."""
        self.headline = headline
        if self._live is None:
            self._print(Text(headline, style="bold"))
        self.refresh()

    def add(self, arrivals: Sequence[Arrival], numbers: Mapping[str, str]) -> None:
        """Show events that arrived; without a terminal only those that a sweep found, the others being as expected."""
        for each in arrivals:
            self.by_door[each.source] += 1
            line = _line(each, numbers.get(each.made.invoice_id, "-"))
            self._latest.append(line)
            if self._live is None and each.source == Source.POLL:
                self._print(line)
        self.refresh()

    def refresh(self) -> None:
        """Draw the board anew."""
        if self._live is not None:
            self._live.update(self._drawn())

    def _print(self, line: Text) -> None:
        self.console.print(line, no_wrap=True, overflow="ellipsis", crop=True)

    def _drawn(self) -> RenderableType:
        share = min(1.0, self.elapsed_s / self.total_s)
        done = int(share * (WIDTH - 2))
        return Group(
            Text(self.headline, style="bold"),
            Text("━" * done, style="green") + Text("━" * (WIDTH - 2 - done), style="dim"),
            self._counts(),
            Text(),
            *self._latest,
        )

    def _counts(self) -> Table:
        table = Table.grid(padding=(0, 2))
        table.add_column(style="dim")
        table.add_column(overflow="fold", max_width=WIDTH - 12)
        webhook, sweep = self.by_door[Source.WEBHOOK], self.by_door[Source.POLL]
        waiting = self.made - webhook - sweep
        table.add_row("events", f"{self.made} made, {webhook} came by webhook,")
        table.add_row("", f"{sweep} were found by the sweep, {waiting} on their way")
        spoiled = ", ".join(f"{self.mishaps[each]} {each}" for each in Mishap)
        table.add_row("webhooks", spoiled)
        words = ", ".join(f"{number} {word}" for word, number in sorted(self.statuses.items()))
        table.add_row("invoices", words or "none yet")
        return table


def _line(arrival: Arrival, number: str) -> Text:
    """One arrival: the door, the event, the invoice, how late, and what befell its webhook."""
    is_found = arrival.source == Source.POLL
    door = Text(f"{'sweep' if is_found else 'webhook':<8}", style="yellow" if is_found else "green")
    late = Text(f"{_span(arrival.late_s):>7}  ", style="red" if arrival.late_s > _LATE_S else "")
    why = ", ".join(
        _SAID[each] for each in sorted(arrival.made.mishaps) if is_found or each != Mishap.LATE
    )
    what = Text(arrival.made.type)
    what.truncate(_TYPE_WIDTH, overflow="ellipsis", pad=True)
    line = door + what + Text(f" {number:<9}") + late + Text(why, style="dim")
    line.truncate(WIDTH, overflow="ellipsis")
    return line


def _span(seconds: int) -> str:
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"  # noqa: PLR2004 - two minutes
