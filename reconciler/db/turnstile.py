"""Whose turn is it to write?"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class Turnstile:
    """Lets `width` threads through at a time, in the order in which they came.

    A plain lock lets a thread that writes in a loop overtake those that wait; a sweep would starve the
    webhook. Here whoever leaves hands its place to the one that has waited longest.
    """

    def __init__(self, width: int) -> None:
        self._guard = threading.Lock()
        self._free = width
        self._waiting: deque[threading.Event] = deque()

    @contextmanager
    def turn(self, timeout_s: float) -> Iterator[bool]:
        """Wait at most `timeout_s` for a turn, and yield whether it came."""
        came = self._enter(timeout_s)
        try:
            yield came
        finally:
            if came:
                self._leave()

    def _enter(self, timeout_s: float) -> bool:
        with self._guard:
            if self._free:
                self._free -= 1
                return True
            mine = threading.Event()
            self._waiting.append(mine)
        try:
            mine.wait(timeout_s)
        except BaseException:  # Ctrl-C: the place in the queue must not stay behind.
            if self._withdraw(mine):
                self._leave()
            raise
        return self._withdraw(mine)

    def _withdraw(self, mine: threading.Event) -> bool:
        """Leave the queue, and return whether the turn had come by then."""
        with self._guard:
            if not mine.is_set():
                self._waiting.remove(mine)
            return mine.is_set()

    def _leave(self) -> None:
        with self._guard:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._free += 1
