"""How are events stored by another program than the one that answers?

One interpreter does one thing at a time: while it applies a batch, it receives nothing. So the webhook forks once, at its
beginning. The parent listens, verifies and answers, the child stores and applies. They end together, however one of them ends.
"""

import gc
import os
import signal
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from types import FrameType
from typing import Any, Final, NoReturn

import structlog

from reconciler.core.observation import Source
from reconciler.db.errors import StorageUnavailable
from reconciler.stripe_api.envelope import StripeEvent, read_event
from webhook.wiring import Inbox

# Longer than its last transaction waits for the database; the service manager waits longer still.
_ENDS_WITHIN_S: Final = 5.0
_FIRST_OF_ITS_OWN: Final = 3  # What is before are the standard streams.

log = structlog.get_logger(__name__)


class NotStored(Exception):  # noqa: N818 - it names what became of the events
    """The inbox failed in a way that it does not promise; a note says where."""


class WriterEnded(Exception):  # noqa: N818 - it names what became of the child
    """The child has ended by itself; the message says how."""


@contextmanager
def stored_apart(inbox: Inbox) -> Iterator[Inbox]:
    """Yield an inbox whose events a child stores in `inbox`. No connection may be open, and no thread hold a lock.

    Should the child end by itself, this program gets a SIGTERM: it is to leave the block, and WriterEnded is raised then.
    Nothing that was accepted is lost by that, as nothing is answered before it is stored. Only for the main thread.
    """
    ours, theirs = Pipe()
    # Where it is ignored, as whoever started us may have left it, nobody is told of the end of a child.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # What both hold in common stays in common as long as nobody writes to it, and a collection would.
    gc.freeze()
    child = os.fork()
    if child == 0:
        ours.close()
        _be_writer(inbox, theirs)
    theirs.close()
    writer = _Child(child)

    def leave(_number: int, _frame: FrameType | None) -> None:
        raise WriterEnded(writer.failure) if writer.failure else SystemExit(0)

    # Whoever serves has a handler of its own; until then this one is there.
    signal.signal(signal.SIGTERM, leave)
    writer.watch()
    try:
        yield Apart(inbox, ours)
    finally:
        # The child ends when it reads the end of what it is told.
        writer.may_end.set()
        ours.close()
        writer.end()
    if writer.failure:
        raise WriterEnded(writer.failure)


class Apart:
    """An inbox as the parent has it: the child stores events, and all else is asked of the inbox here."""

    def __init__(self, here: Inbox, child: "Connection[Any, Any]") -> None:
        self._here = here
        self._child = child
        self._turn = threading.Lock()

    def accept(self, events: Sequence[StripeEvent], *, source: Source, now: datetime) -> None:
        """Return once the child has committed the events; raise StorageUnavailable or NotStored."""
        # The bytes alone travel: all else of an event is in them, and is larger.
        told = ([each.body for each in events], source, now)
        try:
            with self._turn:
                self._child.send(told)
                error = self._child.recv()
        except (OSError, EOFError):
            raise StorageUnavailable("the process that stores events has ended") from None
        if error is not None:
            raise error

    def is_ready(self) -> bool:
        """Return whether an event could be stored now."""
        return self._here.is_ready()

    def record_webhook_health(self, **counts: Any) -> None:
        """Add these counts to the stored ones."""
        self._here.record_webhook_health(**counts)


class _Child:
    """The child as the parent sees it; a thread waits for its end."""

    def __init__(self, pid: int) -> None:
        self.failure = ""
        self.may_end = threading.Event()
        self._pid = pid
        self._waiting = threading.Thread(target=self._wait, name="writer", daemon=True)

    def watch(self) -> None:
        """Begin to wait for its end."""
        self._waiting.start()

    def end(self) -> None:
        """Wait until it is gone; one that hangs is killed."""
        self._waiting.join(_ENDS_WITHIN_S)
        if self._waiting.is_alive():
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            self._waiting.join()

    def _wait(self) -> None:
        _, status = os.waitpid(self._pid, 0)
        if self.may_end.is_set():
            return
        code = os.waitstatus_to_exitcode(status)
        how = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        self.failure = f"the process that stores events {how}"
        log.error("writer.ended", how=how)
        os.kill(os.getpid(), signal.SIGTERM)


def _be_writer(inbox: Inbox, parent: "Connection[Any, Any]") -> NoReturn:
    """Store what the parent says, and end with it; what the parent has begun and is to end is not the child's."""
    try:
        # Whatever else is open is the parent's, or tells whoever started it that it still runs.
        os.closerange(_FIRST_OF_ITS_OWN, parent.fileno())
        os.closerange(parent.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
        # Whoever ends the whole group means the parent, which first answers what it has taken.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        obey(inbox, parent)
        os._exit(0)
    except BaseException:
        log.exception("writer.failed")
        os._exit(1)


def obey(inbox: Inbox, parent: "Connection[Any, Any]") -> None:
    """Store what the parent says until it says nothing more; it may be gone before it has heard an answer."""
    with suppress(EOFError, OSError):
        while True:
            bodies, source, now = parent.recv()
            parent.send(_stored(inbox, bodies, source, now))


def _stored(
    inbox: Inbox, bodies: Sequence[bytes], source: Source, now: datetime
) -> Exception | None:
    """Store events; returns why that was impossible, in words that can travel."""
    try:
        inbox.accept([read_event(each) for each in bodies], source=source, now=now)
    except StorageUnavailable as error:
        return StorageUnavailable(str(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, the parent has a request that gets to know it
        failed = NotStored(type(error).__name__)
        failed.add_note("".join(traceback.format_exception(error)))
        return failed
    return None
