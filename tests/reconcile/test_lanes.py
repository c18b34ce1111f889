"""Is every stretch read once, by several threads at a time, and does the walk end whatever goes wrong?"""

import threading
from collections import Counter
from contextvars import ContextVar

import pytest

from reconciler.core.schedule import Window
from reconciler.reconcile.lanes import Walk, walk
from reconciler.reconcile.stretches import LANES, LISTS, Stretch
from reconciler.stripe_api.problems import Stopped

WAIT_MAX_S = 20


def _stretch(since: int, until: int) -> Stretch:
    return Stretch(LISTS[0], Window(since, until))


class _Read:
    """Remembers what was read."""

    def __init__(self) -> None:
        self.windows: Counter[Window] = Counter()
        self._lock = threading.Lock()

    def add(self, stretch: Stretch) -> None:
        with self._lock:
            self.windows[stretch.window] += 1


def test_it_reads_all_that_is_given_away() -> None:
    """A stretch that is halved again and again is read to its last part, each part once."""
    read = _Read()

    def halve(stretch: Stretch, walking: Walk) -> None:
        since, until = stretch.window
        if until - since > 1:
            middle = (since + until) // 2
            walking.give([_stretch(since, middle), _stretch(middle, until)])
        else:
            read.add(stretch)

    walk([_stretch(0, 256)], halve)

    assert read.windows == Counter({Window(n, n + 1): 1 for n in range(256)})


def test_it_lets_nobody_go_while_another_one_may_give_away() -> None:
    """Who finds nothing left waits for what those who still read may give away, and goes once all is read."""
    walking, got = Walk([_stretch(0, 2)]), list[Stretch | None]()
    walking.next()

    def idle() -> None:
        got.append(walking.next())
        walking.done()
        got.append(walking.next())

    waiting = threading.Thread(target=idle, daemon=True)
    waiting.start()
    waiting.join(0.1)
    before = list(got)
    walking.give([_stretch(0, 1)])
    walking.done()
    waiting.join(WAIT_MAX_S)

    assert before == []
    assert got == [_stretch(0, 1), None]


def test_it_hands_to_those_who_wait() -> None:
    """Lanes that have nothing to do wait for what others give away, and then read it side by side."""
    together = threading.Barrier(LANES, timeout=WAIT_MAX_S)

    def read(stretch: Stretch, walking: Walk) -> None:
        if stretch.window == (0, LANES):
            walking.give(_stretch(n, n + 1) for n in range(LANES))
            return
        together.wait()

    walk([_stretch(0, LANES)], read)

    assert not together.broken


def test_it_knows_for_how_many_there_is_room() -> None:
    """Whoever gives away cuts no more than there are lanes to read it, and never less than one."""
    rooms: list[int] = []

    def read(stretch: Stretch, walking: Walk) -> None:
        if stretch.window == (0, 1):
            rooms.append(walking.room)
            walking.give(_stretch(n, n + 1) for n in range(1, 40))
            rooms.append(walking.room)

    walk([_stretch(0, 1)], read)

    assert rooms == [LANES, 1]


@pytest.mark.parametrize("error", [ValueError("broken"), Stopped(), KeyboardInterrupt()])
def test_it_ends_when_one_fails(error: BaseException) -> None:
    """What one lane raises is raised by the walk; the others end after what they read, and take nothing new."""
    read, failing = _Read(), threading.Event()

    def step(stretch: Stretch, walking: Walk) -> None:
        if stretch.window == (0, 1):
            failing.set()
            raise error
        assert failing.wait(WAIT_MAX_S)
        while walking.failure is None:
            pass
        read.add(stretch)

    with pytest.raises(type(error)):
        walk([_stretch(n, n + 1) for n in range(100)], step)

    assert sum(read.windows.values()) < LANES


def test_it_raises_the_first_of_several() -> None:
    """Where all lanes fail, it is told why it began."""
    first = threading.Event()

    def step(stretch: Stretch, walking: Walk) -> None:
        if stretch.window == (0, 1):
            walking.fail(RuntimeError("first"))
            first.set()
        assert first.wait(WAIT_MAX_S)
        raise RuntimeError("later")

    with pytest.raises(RuntimeError, match="first"):
        walk([_stretch(n, n + 1) for n in range(LANES)], step)


def test_it_has_nothing_to_read() -> None:
    """A walk over nothing ends at once."""
    walk([], lambda _stretch, _walking: pytest.fail("nothing is to be read"))


def test_it_carries_what_its_caller_bound() -> None:
    """What the caller has bound to its context, such as the run in each log line, holds in every lane."""
    bound: ContextVar[str] = ContextVar("bound", default="")
    found: set[str] = set()
    bound.set("here")

    walk([_stretch(0, 1), _stretch(1, 2)], lambda _stretch, _walking: found.add(bound.get()))

    assert found == {"here"}
