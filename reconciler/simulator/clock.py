"""What time is it at the simulated Stripe?"""

import threading
import time
from collections.abc import Callable


class Clock:
    """A clock that stands still until it is moved, or runs `speed` times as fast as ours.

    All moments are milliseconds since the epoch. It never goes back.
    """

    def __init__(
        self, start_ms: int, *, speed: float = 0.0, ours: Callable[[], float] = time.monotonic
    ) -> None:
        self._lock = threading.Lock()
        self._ours = ours
        self._speed = speed
        self._from_s = ours()
        self._base_ms = start_ms

    def now_ms(self) -> int:
        """The moment that it shows."""
        with self._lock:
            return self._shown_ms()

    def advance(self, by_ms: int) -> int:
        """Leap ahead, and return the new moment."""
        if by_ms < 0:
            raise ValueError("a clock does not go back")
        with self._lock:
            self._base_ms += by_ms
            return self._shown_ms()

    def reach(self, at_ms: int) -> int:
        """Leap ahead to a moment, unless it has passed already; return what the clock shows then."""
        with self._lock:
            self._base_ms += max(0, at_ms - self._shown_ms())
            return self._shown_ms()

    def run(self, speed: float) -> None:
        """Run at another speed from now on; 0 stands still."""
        with self._lock:
            self._base_ms, self._from_s = self._shown_ms(), self._ours()
            self._speed = speed

    def _shown_ms(self) -> int:
        return self._base_ms + int((self._ours() - self._from_s) * 1000 * self._speed)
