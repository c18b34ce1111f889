"""How do several threads walk stretches side by side, when walking one may bring new ones?"""

import contextvars
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait

from reconciler.reconcile.stretches import LANES, Stretch


class Walk:
    """What is left to read, who is reading, and what went wrong first."""

    def __init__(self, stretches: Iterable[Stretch]) -> None:
        self._left = deque(stretches)
        self._busy = 0
        self._changed = threading.Condition()
        self.failure: BaseException | None = None

    def next(self) -> Stretch | None:
        """The next stretch; waits for those that are being read to give some away. None when all is read, or all must end."""
        with self._changed:
            while not self._left and self._busy and self.failure is None:
                self._changed.wait()
            if self.failure is not None or not self._left:
                return None
            self._busy += 1
            return self._left.popleft()

    @property
    def room(self) -> int:
        """For how many stretches there would be somebody, once the one that asks is done."""
        with self._changed:
            return max(1, LANES + 1 - self._busy - len(self._left))

    def give(self, stretches: Iterable[Stretch]) -> None:
        """Let somebody else read these."""
        with self._changed:
            self._left.extend(stretches)
            self._changed.notify_all()

    def done(self) -> None:
        """Tell that a stretch was read."""
        with self._changed:
            self._busy -= 1
            self._changed.notify_all()

    def fail(self, error: BaseException) -> None:
        """End the walk, for the reason that came first."""
        with self._changed:
            self.failure = self.failure or error
            self._changed.notify_all()


def walk(stretches: Iterable[Stretch], read: Callable[[Stretch, Walk], None]) -> None:
    """Read all stretches, and those that they are cut into. Raises what the first of them raised that failed."""
    walking = Walk(stretches)
    with ThreadPoolExecutor(LANES, thread_name_prefix="reconcile") as pool:
        # What is logged, and who hears a sign of life, is the matter of whoever began the walk.
        lanes = [
            pool.submit(contextvars.copy_context().run, _lane, walking, read) for _ in range(LANES)
        ]
        try:
            wait(lanes)
        except BaseException as error:
            walking.fail(error)
            raise
    if walking.failure is not None:
        raise walking.failure


def _lane(walking: Walk, read: Callable[[Stretch, Walk], None]) -> None:
    while (stretch := walking.next()) is not None:
        try:
            read(stretch, walking)
        except BaseException as error:  # noqa: BLE001 - it is raised where the walk was begun
            walking.fail(error)
        finally:
            walking.done()
