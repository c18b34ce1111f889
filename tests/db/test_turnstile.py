"""Does everybody get a turn, in order?"""

import threading
import time

from reconciler.db.turnstile import Turnstile


def queue_up(turnstile: Turnstile, name: str, passed: list[str]) -> threading.Thread:
    """Start a thread that waits for its turn, and return once it stands in the queue."""
    standing = len(turnstile._waiting)  # noqa: SLF001 - nothing else tells that it has arrived

    def wait() -> None:
        with turnstile.turn(10) as came:
            passed.append(name if came else f"not {name}")

    thread = threading.Thread(target=wait)
    thread.start()
    while len(turnstile._waiting) == standing:  # noqa: SLF001
        time.sleep(0.001)
    return thread


def test_it_lets_nobody_overtake() -> None:
    """A thread that leaves and comes back at once stands behind those that waited."""
    turnstile = Turnstile(1)
    passed: list[str] = []

    with turnstile.turn(1):
        waiting = [queue_up(turnstile, name, passed) for name in ("first", "second", "third")]
    with turnstile.turn(10):
        passed.append("greedy")
    for thread in waiting:
        thread.join()

    assert passed == ["first", "second", "third", "greedy"]


def test_it_lets_as_many_through_as_it_is_wide() -> None:
    """Two at a time are two, and not three."""
    turnstile = Turnstile(2)

    with turnstile.turn(0) as first, turnstile.turn(0) as second, turnstile.turn(0) as third:
        came = (first, second, third)

    assert came == (True, True, False)


def test_it_forgets_who_gave_up() -> None:
    """A turn is not wasted on a thread that has stopped waiting for it."""
    turnstile = Turnstile(1)

    with turnstile.turn(0), turnstile.turn(0.01) as late:
        pass

    with turnstile.turn(0) as next_one:
        assert (late, next_one) == (False, True)
