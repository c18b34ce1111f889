"""Is a job still at it? Whoever waits long on a job's behalf gives a sign of life for it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_heard: ContextVar[Callable[[], None]] = ContextVar("heard", default=lambda: None)


@contextmanager
def heard_by(listener: Callable[[], None]) -> Iterator[None]:
    """Let the signs of life that are given inside the block come to this listener."""
    before = _heard.set(listener)
    try:
        yield
    finally:
        _heard.reset(before)


def beat() -> None:
    """Give a sign of life of the job on whose behalf this is called, if there is one."""
    _heard.get()()
