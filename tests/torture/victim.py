"""How is the real program made to die between two of its steps?

This module is imported once by a server that forks: everything is loaded by then, so that a victim lives a few milliseconds
after it was asked for. In the victim the named functions are wrapped, and then it is `reconciler` with its arguments.
"""

import ctypes
import functools
import inspect
import os
import resource
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import psycopg  # noqa: F401 - loaded here, it is there in every victim
import uvicorn.lifespan.on
import uvicorn.loops.uvloop
import uvicorn.protocols.http.httptools_impl  # noqa: F401 - the same

import reconciler.cli
import webhook.app  # noqa: F401 - the same
from reconciler.daemon import jobs
from tests.torture.points import AFTER, POINTS, Point, find

_DIE_WITH_PARENT: Final = 1  # PR_SET_PDEATHSIG
# What the daemon looks at every five seconds; nobody here wants to wait for it.
_PROMPTLY_S: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What a victim is to be: a command in a folder, and where it dies: at the `nth` call of a point.

    With `counts` it dies nowhere and writes down how often it came by each point of
    its command, or of `counts_for`. `waits`: it stops itself before it begins.
    `clock_s`: by how much its clock is wrong, for two seconds each in turn.
    """

    folder: Path
    arguments: tuple[str, ...]
    environ: dict[str, str] = field(repr=False)
    log: Path
    point: str = ""
    nth: int = 1
    counts: Path | None = None
    counts_for: str = ""
    waits: bool = False
    file_bytes_max: int | None = None
    clock_s: tuple[int, ...] = ()


def be(order: Order) -> None:
    """Be the program; where it says so, to the bitter end."""
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    os.chdir(order.folder)
    os.environ.clear()
    os.environ.update(order.environ)
    log = os.open(order.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.dup2(log, 1)
    os.dup2(log, 2)
    if order.file_bytes_max is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        limit = (order.file_bytes_max, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    jobs.PROMPTLY_S = _PROMPTLY_S  # type: ignore[misc]
    if order.clock_s:
        _mislead(order.clock_s)
    if order.counts is not None:
        order.counts.write_text("")
        for each in POINTS:
            if each.command == (order.counts_for or order.arguments[0]):
                _watch(each, functools.partial(_tick, order.counts, each.name))
    if order.point:
        _watch(_named(order.point), _Fuse(order.nth, os.getpid()).burn)
    if order.waits:
        os.kill(os.getpid(), signal.SIGSTOP)
    sys.argv = ["reconciler", *order.arguments]
    reconciler.cli.main()


def _tick(counts: Path, name: str) -> None:
    # Each process of the program opens it for itself, and a line is one write at its end.
    with counts.open("a") as lines:
        lines.write(f"{name}\n")


def counted(counts: Path) -> Counter[str]:
    """How often a program that has ended came by each point."""
    return Counter(counts.read_text().splitlines())


def _named(name: str) -> Point:
    return next(each for each in POINTS if each.name == name)


class _Fuse:
    """Ends the program at the nth call, whichever thread or process of it makes it."""

    def __init__(self, length: int, program: int) -> None:
        self._left, self._lock, self._program = length, threading.Lock(), program

    def burn(self) -> None:
        with self._lock:
            self._left -= 1
            if self._left == 0:
                os.kill(self._program, signal.SIGKILL)
                os.kill(os.getpid(), signal.SIGKILL)


_inside: ContextVar[frozenset[str]] = ContextVar("inside", default=frozenset())


def _watch(point: Point, come_by: Callable[[], None]) -> None:
    """Call `come_by` whenever the program comes by a point."""
    if point.within:
        _wrap(point.within, lambda call: _entered(call, point.within))

    def passing(call: Callable[..., Any]) -> Callable[..., Any]:
        @contextmanager
        def around() -> Iterator[None]:
            counts = not point.within or point.within in _inside.get()
            if counts and point.when != AFTER:
                come_by()
            yield
            if counts and point.when == AFTER:
                come_by()

        return _surrounded(call, around)

    _wrap(point.function, passing)


def _entered(call: Callable[..., Any], name: str) -> Callable[..., Any]:
    @contextmanager
    def around() -> Iterator[None]:
        token = _inside.set(_inside.get() | {name})
        try:
            yield
        finally:
            _inside.reset(token)

    return _surrounded(call, around)


def _surrounded(call: Callable[..., Any], around: Callable[[], Any]) -> Callable[..., Any]:
    if inspect.iscoroutinefunction(call):

        @functools.wraps(call)
        async def later(*args: Any, **named: Any) -> Any:
            with around():
                return await call(*args, **named)

        return later

    @functools.wraps(call)
    def now(*args: Any, **named: Any) -> Any:
        with around():
            return call(*args, **named)

    return now


def _wrap(function: str, wrapped: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    place, name, call = find(function)
    setattr(place, name, wrapped(call))


def _mislead(clock_s: tuple[int, ...]) -> None:
    """Let the program's clock leap, as somebody who sets it would make it; what measures durations is not set by anybody."""
    began_s = time.monotonic()

    def wrong(call: Callable[[], datetime]) -> Callable[[], datetime]:
        def now() -> datetime:
            turn = int((time.monotonic() - began_s) / 2)
            return call() + timedelta(seconds=clock_s[turn % len(clock_s)])

        return now

    _wrap("reconciler.cli.running:now", wrong)
    place, name, create = find("reconciler.cli.running:create_app")
    clock = wrong(find("webhook.app:utc_now")[2])
    setattr(place, name, functools.partial(create, clock=clock))
