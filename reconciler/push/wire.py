"""How does a request get to a push service, and its answer back, within a bounded time?

A connection goes to the very address that was found public a moment before, and to nothing that the name may mean by then;
the certificate is still checked against the name. Nothing of the environment is asked, no proxy above all, and no redirect is
followed. What is left of the total time bounds each step, so that an answer that drips ends with it.
"""

import socket
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from io import BufferedReader, RawIOBase
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import certifi

from reconciler.push.address import Resolve, resolved, system_addresses

ANSWER_MAX_BYTES: Final = 64 * 1024
"""What is read of an answer, from its first byte; only its head says anything."""
_PORT: Final = 443
# Of a host with many addresses so many are tried before the time is spent on nothing else.
_TRIES_MAX: Final = 3

Dial: TypeAlias = Callable[[str, float], socket.socket]
"""Connects to an address within so many seconds."""


def dial_directly(address: str, timeout_s: float) -> socket.socket:
    """A connection to the port of HTTPS at an address, which is no name: nothing is looked up."""
    return socket.create_connection((address, _PORT), timeout=timeout_s)


def tls_of_browsers() -> ssl.SSLContext:
    """The authorities that browsers trust, whatever the environment names."""
    return ssl.create_default_context(cafile=certifi.where())


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a connection is made; `dial` and `tls` are others only in tests, `relay` only in test mode."""

    resolve: Resolve = system_addresses
    dial: Dial = dial_directly
    tls: ssl.SSLContext = field(default_factory=tls_of_browsers)
    relay: str | None = None
    connect_timeout_s: float = 3.0


@dataclass(frozen=True, slots=True)
class Reply:
    """The head of an answer; `is_whole` says whether its connection can carry the next one."""

    status: int
    retry_after: str
    is_whole: bool


class Deadline:
    """When a request must have ended, by a clock that nobody sets."""

    def __init__(self, timeout_s: float) -> None:
        self._until_s = time.monotonic() + timeout_s

    def left_s(self, at_most_s: float = float("inf")) -> float:
        """How long the next step may take; TimeoutError if no time is left."""
        left_s = self._until_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        return min(left_s, at_most_s)


class Wire:
    """One connection to a push service, for one request after the other."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self.idle_since_s = 0.0

    def ask(self, path: str, headers: Mapping[str, str], body: bytes, deadline: Deadline) -> Reply:
        """Post a body and return the head of the answer; raises OSError or HTTPException if there is none."""
        exchange = HTTPConnection("")
        exchange.sock = _Timed(self._socket, deadline)
        # What is lost is not opened again behind our back: that would ask DNS for itself.
        exchange.auto_open = 0
        exchange.request("POST", path, body=body, headers=dict(headers))
        answer = exchange.getresponse()
        retry_after = answer.getheader("Retry-After", "")
        is_whole = False
        # The head is all that counts. A rest that is cut, garbled, late or huge costs only the connection.
        with suppress(Exception):
            answer.read()
            is_whole = answer.isclosed() and not answer.will_close
        return Reply(answer.status, retry_after, is_whole)

    def is_quiet(self) -> bool:
        """Whether nothing waits to be read: an end, or words that nobody asked for."""
        try:
            self._socket.settimeout(0)
            # Below TLS, which would read a record on.
            socket.socket.recv(self._socket, 1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def close(self) -> None:
        """End the connection, without the words of farewell that TLS may wait for."""
        self._socket.close()


def open_wire(host: str, way: Way, deadline: Deadline) -> Wire:
    """A connection to a push service, to an address that was found public now.

    Raises EndpointRefused and Unresolved (reconciler.push.address), and OSError.
    """
    if way.relay is not None:
        return _to_relay(way.relay, way, deadline)
    step_s = deadline.left_s(way.connect_timeout_s)
    addresses = resolved(host, way.resolve, timeout_s=step_s)
    return Wire(_secured(_first(addresses, way, deadline), host, way, deadline))


def _first(addresses: tuple[str, ...], way: Way, deadline: Deadline) -> socket.socket:
    """A connection to the first address that takes one; nothing was sent to those before."""
    *others, last = _by_turns(addresses)[:_TRIES_MAX]
    for tried, address in enumerate(others):
        # Each gets its part of the time that is left, and so does what comes after them all.
        step_s = deadline.left_s() / (len(others) - tried + 2)
        with suppress(OSError):
            return way.dial(address, min(step_s, way.connect_timeout_s))
    return way.dial(last, deadline.left_s(way.connect_timeout_s))


def _by_turns(addresses: tuple[str, ...]) -> list[str]:
    """Addresses of both kinds by turns, the kind that the resolver prefers first: where one leads nowhere, the other may.

    https://www.rfc-editor.org/rfc/rfc8305#section-4
    """
    kinds = [":" in each for each in addresses]
    turns = [(kinds[:place].count(kind), kind is not kinds[0]) for place, kind in enumerate(kinds)]
    return [addresses[place] for place in sorted(range(len(addresses)), key=turns.__getitem__)]


def _secured(connected: socket.socket, host: str, way: Way, deadline: Deadline) -> socket.socket:
    try:
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connected.settimeout(deadline.left_s())
        return way.tls.wrap_socket(connected, server_hostname=host)
    except BaseException:
        connected.close()
        raise


def _to_relay(relay: str, way: Way, deadline: Deadline) -> Wire:
    """A connection to what stands in for every push service in a test or a demo."""
    parts = urlsplit(relay)
    host, port = parts.hostname or "", parts.port
    port = port or (_PORT if parts.scheme == "https" else 80)
    connected = socket.create_connection((host, port), deadline.left_s(way.connect_timeout_s))
    if parts.scheme == "https":
        return Wire(_secured(connected, host, way, deadline))
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Wire(connected)


class _Timed:
    """What http.client takes for a socket: each step of it may take what is left of the time."""

    def __init__(self, connected: socket.socket, deadline: Deadline) -> None:
        self._socket = connected
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        self._socket.settimeout(self._deadline.left_s())
        self._socket.sendall(data)

    def makefile(self, _mode: str) -> BufferedReader:
        return BufferedReader(_Incoming(self._socket, self._deadline))

    def close(self) -> None:
        """Leave it to the Wire: http.client would close what it has not read to its end."""


class _Incoming(RawIOBase):
    """One answer, whatever stands before its head, as far as it is read."""

    def __init__(self, connected: socket.socket, deadline: Deadline) -> None:
        super().__init__()
        self._socket = connected
        self._deadline = deadline
        self._left = ANSWER_MAX_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        if not self._left:
            raise HTTPException("the answer is too long")
        self._socket.settimeout(self._deadline.left_s())
        count = self._socket.recv_into(buffer, min(len(buffer), self._left))
        self._left -= count
        return count
