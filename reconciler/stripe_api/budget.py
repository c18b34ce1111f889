"""How many requests a second may we make?

Stripe allows an account 100 a second in live mode and 25 in a sandbox, shared with everything else the app does there
(https://docs.stripe.com/rate-limits). Ours are spread evenly; an answer of 429 halves the rate for a minute.
"""

import threading
import time
from collections.abc import Callable
from typing import Final

HALVED_FOR_S: Final = 60.0


class Budget:
    """An even spacing of requests, for all threads of a process together."""

    def __init__(
        self, requests_per_s: float, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._lock = threading.Lock()
        self._monotonic = monotonic
        self._space_s = 1.0 / requests_per_s
        self._next_s = 0.0
        self._halved_until_s = float("-inf")

    def take(self) -> float:
        """Take the next place in the row, and return how many seconds are left until it."""
        with self._lock:
            now_s = self._monotonic()
            place_s = max(now_s, self._next_s)
            is_halved = place_s < self._halved_until_s
            self._next_s = place_s + (2 * self._space_s if is_halved else self._space_s)
            return place_s - now_s

    def halve(self) -> None:
        """Go at half the rate for a minute: Stripe said that it was too much."""
        with self._lock:
            self._halved_until_s = self._monotonic() + HALVED_FOR_S
