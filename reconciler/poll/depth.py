"""Where does a sweep behind a cursor begin, and what does it look at?"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from reconciler.core.observation import ms
from reconciler.core.schedule import DAY_MS, SECOND_MS, Window, slices
from reconciler.db import sweeps
from reconciler.poll.poller import Poller


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """One depth of a sweep: its name in `sweep_runs`, how far it reaches back behind the cursor, and how late a list is."""

    name: str
    overlap_s: int
    lag_s: int

    @property
    def overlap_ms(self) -> int:
        """How far it reaches back, in milliseconds."""
        return self.overlap_s * SECOND_MS

    @property
    def lag_ms(self) -> int:
        """How long after a moment the list of that moment is complete, in milliseconds."""
        return self.lag_s * SECOND_MS


_SEEN_SLICE_MS: Final = DAY_MS


def position_ms(poller: Poller, cursor: str, *, otherwise_ms: int = 0) -> int:
    """Where a cursor stands; before its first sweep, the day from which everything counts, if one was given."""
    with poller.db.reading() as tx:
        at = sweeps.position(tx, cursor)
    return ms(at) if at else poller.inbox.policy.rules.since_ms or otherwise_ms


def parts(window: Window, position: int) -> Iterator[Window]:
    """A window in slices, oldest first: long ones behind the cursor, and short ones ahead of it, where each moves it."""
    border_ms = max(window.since_ms, min(window.until_ms, position // SECOND_MS * SECOND_MS))
    yield from slices(Window(window.since_ms, border_ms), longest_ms=_SEEN_SLICE_MS)
    yield from slices(Window(border_ms, window.until_ms))
