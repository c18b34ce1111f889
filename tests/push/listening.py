"""Who is connected to? Listeners that count, and a way that leads to them instead of to the internet."""

import socket
import ssl
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self

from reconciler.push.keys import VapidKey, new_key
from reconciler.push.sending import Message, Sender, Subscription
from reconciler.push.wire import Way
from reconciler.simulator.browser import Browser
from tests.push.hostile import ALLOWED

HOST: Final = "fcm.googleapis.com"
PUBLIC: Final = "142.250.1.1"
OTHER_PUBLIC: Final = "142.250.1.2"
PRIVATE: Final = "127.0.0.1"
SUBJECT: Final = "mailto:ops@example.com"
NOW: Final = datetime.now(UTC)
KEY: Final[VapidKey] = new_key()
MADE: Final[list[Sender]] = []


class Listener:
    """A port of this machine that counts who connects, and says the same to everybody, at once or a byte at a time."""

    def __init__(self, says: bytes = b"", drip_s: float = 0.0) -> None:
        self._says = says
        self._drip_s = drip_s
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)

    def __enter__(self) -> Self:
        """Begin to listen."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close all connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for each in self._open:
            each.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connected, _ = self._listener.accept()
                self.connections += 1
                self._open.append(connected)
                self._say(connected)

    def _say(self, connected: socket.socket) -> None:
        if not self._drip_s:
            connected.sendall(self._says)
            return
        for each in self._says:
            connected.sendall(bytes([each]))
            time.sleep(self._drip_s)


@dataclass(slots=True)
class Names:
    """A resolver that gives one answer after the other, the last one for ever."""

    answers: list[tuple[str, ...]]
    asked: list[str] = field(default_factory=list)

    def __call__(self, host: str) -> Iterable[str]:
        """Give the next answer."""
        self.asked.append(host)
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@dataclass(slots=True)
class Roads:
    """Leads each address to a port of this machine, and keeps which were dialled."""

    ports: dict[str, int]
    dialled: list[str] = field(default_factory=list)

    def __call__(self, address: str, timeout_s: float) -> socket.socket:
        """Connect to what stands in for an address."""
        self.dialled.append(address)
        if address not in self.ports:
            raise ConnectionRefusedError
        return socket.create_connection(("127.0.0.1", self.ports[address]), timeout_s)


def sender_by(roads: Roads, names: Names, tls: ssl.SSLContext, timeout_s: float = 5.0) -> Sender:
    """A sender that differs from the real one only in where its connections end."""
    return sender(way=Way(resolve=names, dial=roads, tls=tls), timeout_s=timeout_s)


def sender(
    *, relay: str | None = None, way: Way | None = None, timeout_s: float = 5.0, key: VapidKey = KEY
) -> Sender:
    """A sender; the test that makes it need not close it."""
    made = Sender(key, SUBJECT, ALLOWED, way=way or Way(relay=relay), timeout_s=timeout_s)
    MADE.append(made)
    return made


def of(browser: Browser) -> Subscription:
    """What our books hold of a browser."""
    return Subscription(browser.endpoint, browser.p256dh, browser.auth)


def message(payload: bytes = b'{"title":"Invoice A-1 is paid"}', topic: str = "t") -> Message:
    """A message."""
    return Message(payload=payload, ttl_s=60, urgency="normal", topic=topic)
