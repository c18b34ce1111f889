"""How does a question get to Stripe, and what counts as an answer?

The library makes of any answer but a good one an error that holds the whole body, and drops the headers of one that is not
JSON. Its time-outs count only silence: an answer that drips would keep a sweep for days. So only good answers reach it, and
the connection of one that does not come to its end is cut.
"""

import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from socket import SHUT_RDWR, socket
from typing import Any, Final, TypeVar

import requests
import stripe
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

# In a 403 Stripe names the one right that is missing. No other word of its is ever kept: the rest may hold anything.
_RIGHT: Final = re.compile(r"\b(rak_[a-z_]{1,60}_(?:read|write))\b")
_PIECE_BYTES: Final = 256 * 1024
_GOOD: Final = range(200, 300)
_FORBIDDEN: Final = 403
# More threads than that never ask; beyond it connections would be made anew each time.
_CONNECTIONS_MAX: Final = 20


class NoAnswer(Exception):  # noqa: N818 - it names a state of the world, not our mistake
    """Stripe was not reached (`status` is None), or answered otherwise than with 2xx.

    The body is left behind, but for the name of the right that the key lacks.
    """

    def __init__(self, status: int | None, headers: Mapping[str, str], right: str = "") -> None:
        super().__init__(status)
        self.status = status
        self.headers = headers
        self.right = right


class Transport(stripe.HTTPClient):
    """Lets only good answers reach the library, and only those that come to their end in time."""

    name = "requests"

    def __init__(
        self, inner: stripe.HTTPClient, within_s: float, monotonic: Callable[[], float]
    ) -> None:
        super().__init__()
        self._inner = inner
        self._within_s = within_s
        self._monotonic = monotonic

    def request(self, *asked: Any, **named: Any) -> Any:
        """Ask, and raise NoAnswer for a status that is not 2xx, or for an answer that does not come to its end."""
        until_s = self._monotonic() + self._within_s
        with _cut_after(self._within_s) as line:
            stream, status, headers = self._inner.request_stream(*asked, **named)
            body = self._whole(stream, until_s)
        if line.is_cut:
            # What was there until then may look like a whole answer.
            raise NoAnswer(None, {})
        if status not in _GOOD:
            raise NoAnswer(status, headers, _right_in(body) if status == _FORBIDDEN else "")
        return body, status, headers

    def _whole(self, stream: Any, until_s: float) -> bytes:
        pieces: list[bytes] = []
        # Cut, stalled, garbled or late: there is no answer, and its connection is no good.
        with suppress(Exception):
            while self._monotonic() <= until_s:
                piece = stream.read1(_PIECE_BYTES, decode_content=True)
                if not piece:
                    return b"".join(pieces)
                pieces.append(piece)
        stream.close()
        raise NoAnswer(None, {})


class _Line:
    """The connection of the question that is under way, which another thread may cut."""

    def __init__(self) -> None:
        self.is_cut = False
        self._lock = threading.Lock()
        self._socket: socket | None = None

    def holds(self, connected: socket | None) -> None:
        """Note through which connection the answer will come, or that there is none any more."""
        with self._lock:
            self._socket = connected
            if self.is_cut:
                self._shut()

    def cut(self) -> None:
        """Let whoever reads from the connection read its end, now."""
        with self._lock:
            self.is_cut = True
            self._shut()

    def _shut(self) -> None:
        if self._socket is not None:
            with suppress(OSError):
                # That of TLS would say goodbye first, to somebody who does not listen.
                socket.shutdown(self._socket, SHUT_RDWR)


_line: Final[ContextVar[_Line | None]] = ContextVar("line", default=None)


@contextmanager
def _cut_after(seconds: float) -> Iterator[_Line]:
    """Cut the connection through which this thread asks inside the block, if the block takes longer than that."""
    line = _Line()
    timer = threading.Timer(seconds, line.cut)
    timer.daemon = True
    before = _line.set(line)
    timer.start()
    try:
        yield line
    finally:
        timer.cancel()
        line.holds(None)
        _line.reset(before)


_Connection = TypeVar("_Connection", bound=HTTPConnection)


def _held(connection: type[_Connection]) -> type[_Connection]:
    """A kind of connection that tells through which socket its answer will come."""

    class Held(connection):  # type: ignore[misc, valid-type]
        def getresponse(self) -> Any:
            line = _line.get()
            if line is not None:
                line.holds(self.sock)
            return super().getresponse()

    return Held


class _Pool(HTTPConnectionPool):
    ConnectionCls = _held(HTTPConnection)


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _held(HTTPSConnection)


_POOLS: Final[dict[str, type]] = {"http": _Pool, "https": _TlsPool}


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *sizes: Any, **named: Any) -> None:
        super().init_poolmanager(*sizes, **named)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def _by_way_of(self, proxy: str, **named: Any) -> Any:
        found = super().proxy_manager_for(proxy, **named)
        found.pool_classes_by_scheme = _POOLS
        return found

    proxy_manager_for = _by_way_of


def session() -> requests.Session:
    """A session whose connections can be cut; safe to use from several threads."""
    made = requests.Session()
    for scheme in _POOLS:
        made.mount(f"{scheme}://", _Adapter(pool_maxsize=_CONNECTIONS_MAX))
    return made


def _right_in(body: Any) -> str:
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body)
    found = _RIGHT.search(text)
    return found[1] if found else ""
