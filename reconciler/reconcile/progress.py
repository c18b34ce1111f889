"""How far has a run come, for whoever watches it?"""

import threading
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What was read so far; `covered_share` is how much of the time of all lists, from 0 to 1."""

    objects: int
    pages: int
    requests: int
    lists_done: int
    covered_share: float


class Meter:
    """Counts what all lanes read. `told` is called after each page, one call at a time."""

    def __init__(
        self,
        told: Callable[[Progress], None] | None,
        requests: Callable[[], int],
        left_ms: dict[str, int],
        total_ms: int,
    ) -> None:
        self.is_heard = told is not None
        self._told = told or (lambda _: None)
        self._requests = requests
        self._left_ms = left_ms
        self._total_ms = total_ms
        self._lock = threading.Lock()
        self._objects = self._pages = 0

    def read(self, name: str, objects: int, covered_ms: int) -> None:
        """Count a page of a list, and how much of its time it has covered."""
        with self._lock:
            self._objects += objects
            self._pages += 1
            self._left_ms[name] -= covered_ms
            self._told(self._now())

    def _now(self) -> Progress:
        left_ms = sum(self._left_ms.values())
        return Progress(
            objects=self._objects,
            pages=self._pages,
            requests=self._requests(),
            lists_done=sum(left <= 0 for left in self._left_ms.values()),
            covered_share=1 - left_ms / self._total_ms if self._total_ms else 1.0,
        )
