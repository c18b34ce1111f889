"""How do the push services of all vendors behave, good days and bad days, without any of them?

One server plays the endpoints of any host, which it knows by the header Host. It checks the token, reads each message as the
browser would, and keeps what arrived. What it answers can be told for one browser or for a host.
"""

import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType, TracebackType
from typing import Any, Final, Self

from reconciler.simulator.api import Answer
from reconciler.simulator.browser import Browser, Unreadable, new_browser
from reconciler.simulator.vapid import Claims, TokenRefused, claims_of

BODY_MAX_BYTES: Final = 4096
_ARRIVALS_MAX: Final = 100_000
_TTL_MAX_S: Final = 10**8
# A client that sends half a request and waits does not keep its thread for ever.
_READ_S: Final = 60.0
_URGENCIES: Final = frozenset({"", "very-low", "low", "normal", "high"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One message that was accepted; `clear` is None if the browser could not read it."""

    browser: Browser
    clear: bytes | None
    claims: Claims
    ttl_s: int
    urgency: str
    topic: str
    headers: Mapping[str, str] = field(repr=False)


class _Refusal(Exception):  # noqa: N818 - it names what the request gets
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def answer(status: int, **headers: str) -> Answer:
    """An answer as push services give it; `retry_after="9"` is the header Retry-After."""
    named = {name.replace("_", "-").title(): value for name, value in headers.items()}
    return Answer(status=status, headers=named, body=b"")


class PushService:
    """A server on loopback; within its `with` block it answers at `base_url`.

    `tls` makes it a server of HTTPS. `now_s` is the clock that tokens are checked by.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        tls: ssl.SSLContext | None = None,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._now_s = now_s
        self._browsers: dict[tuple[str, str], Browser] = {}
        self._played: dict[str, Answer] = {}
        self._condition = threading.Condition()
        self._arrived: deque[Arrival] = deque(maxlen=_ARRIVALS_MAX)
        self._closing = threading.Event()
        self.refused: deque[int] = deque(maxlen=_ARRIVALS_MAX)
        self._server = _Server(self, port, tls)
        self.port = int(self._server.server_address[1])
        self.base_url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )

    def __enter__(self) -> Self:
        """Start to answer."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop to answer, end what still hangs, and close every connection."""
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self.cut_all()
        self._server.server_close()

    def new_subscription(
        self, host: str = "fcm.googleapis.com", *, server_key: str = ""
    ) -> Browser:
        """A browser that has just subscribed at the push service of this host."""
        return self.take(new_browser(host, server_key))

    def take(self, browser: Browser) -> Browser:
        """Know a browser that was made elsewhere."""
        with self._condition:
            self._browsers[browser.host, browser.path] = browser
        return browser

    def play(self, where: Browser | str, played: Answer | None) -> None:
        """Give this answer for a browser or for a host from now on; None is the good one again.

        An answer of 2xx is given after the message was taken, every other one instead of that.
        """
        key = where if isinstance(where, str) else where.endpoint
        with self._condition:
            if played is None:
                self._played.pop(key, None)
            else:
                self._played[key] = played

    @property
    def arrived(self) -> list[Arrival]:
        """All that was accepted, in order."""
        with self._condition:
            return list(self._arrived)

    def waiting(self, browser: Browser) -> list[Arrival]:
        """What a browser that was away gets when it is back: of one topic only the last."""
        last: dict[object, Arrival] = {}
        for number, each in enumerate(self.arrived):
            if each.browser == browser:
                last.pop(each.topic, None)
                last[each.topic or number] = each
        return list(last.values())

    def wait_for(self, count: int, within_s: float = 10.0) -> list[Arrival]:
        """What arrived, once it is so many; whatever is there when the time is over."""
        with self._condition:
            self._condition.wait_for(lambda: len(self._arrived) >= count, within_s)
            return list(self._arrived)

    def respond(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """What a push service answers to a message; good ones are kept."""
        host = headers.get("host", "")
        with self._condition:
            browser = self._browsers.get((host, path))
            played = self._played.get(f"https://{host}{path}") or self._played.get(host)
        if played is not None and played.status // 100 != 2:  # noqa: PLR2004 - those that take it
            return played
        try:
            arrival = self._arrival(browser, headers, body)
        except _Refusal as refusal:
            self.refused.append(refusal.status)
            return answer(refusal.status)
        with self._condition:
            self._arrived.append(arrival)
            self._condition.notify_all()
        return played or answer(201, location=f"https://{host}/m/{len(self._arrived)}")

    @property
    def connections(self) -> int:
        """How many were ever made."""
        return self._server.made

    def cut_all(self) -> None:
        """End the connections that are open, as a push service does that is restarted."""
        self._server.cut_all()

    def pause(self, seconds: float) -> None:
        """Let time pass, unless the server ends."""
        self._closing.wait(seconds)

    def _arrival(self, browser: Browser | None, headers: Mapping[str, str], body: bytes) -> Arrival:
        claims = self._claims(headers)
        if browser is None:
            raise _Refusal(404)
        if browser.server_key not in {"", claims.key}:
            raise _Refusal(403)
        if len(body) > BODY_MAX_BYTES:
            raise _Refusal(413)
        ttl, urgency, topic = (headers.get(name, "") for name in ("ttl", "urgency", "topic"))
        good = ttl.isdecimal() and urgency in _URGENCIES and _is_topic(topic)
        if not good or headers.get("content-encoding") != "aes128gcm":
            raise _Refusal(400)
        try:
            clear = browser.read(body)
        except Unreadable:
            clear = None
        return Arrival(
            browser=browser,
            clear=clear,
            claims=claims,
            ttl_s=min(int(ttl[:9]), _TTL_MAX_S),
            urgency=urgency,
            topic=topic,
            headers=MappingProxyType(dict(headers)),
        )

    def _claims(self, headers: Mapping[str, str]) -> Claims:
        if "authorization" not in headers:
            raise _Refusal(401)
        audience = f"https://{headers.get('host', '')}"
        try:
            return claims_of(headers["authorization"], audience=audience, now_s=self._now_s())
        except TokenRefused:
            raise _Refusal(403) from None


def _is_topic(topic: str) -> bool:
    return (len(topic) <= 32 and topic.replace("-", "a").replace("_", "a").isalnum()) or not topic  # noqa: PLR2004


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, service: PushService, port: int, tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.service = service
        self._tls = tls
        self.made = 0
        self._open: set[socket.socket] = set()

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Answer on one connection, in a thread of its own: there a bad TLS client keeps nobody waiting."""
        self.made += 1
        if self._tls is not None:
            request.settimeout(_READ_S)
            request = self._tls.wrap_socket(request, server_side=True)
        self._open.add(request)
        try:
            super().finish_request(request, client_address)
        finally:
            self._open.discard(request)
            request.close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that leave are what is played here."""

    def cut_all(self) -> None:
        """End the connections that are still open."""
        for each in list(self._open):
            try:
                socket.socket.shutdown(each, socket.SHUT_RDWR)
            except OSError:
                continue


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = _READ_S
    disable_nagle_algorithm = True
    server: _Server

    def _post(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        body = self.rfile.read(min(length, 2 * BODY_MAX_BYTES))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._write(self.server.service.respond(self.path, headers, body))

    def _get(self) -> None:
        """A redirect that was followed arrives here, and is told by its status."""
        self.server.service.refused.append(405)
        self._write(answer(405))

    # The names by which http.server finds them.
    do_POST = _post  # noqa: N815
    do_GET = _get  # noqa: N815

    def _write(self, given: Answer) -> None:
        self.server.service.pause(given.stall_s)
        self.send_response(given.status)
        headers = dict(given.headers)
        length = len(given.body) * (2 if given.is_cut else 1)
        for name, value in {"Content-Length": str(length), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        for byte in given.body if given.drip_s else b"":
            self.wfile.write(bytes([byte]))
            self.server.service.pause(given.drip_s)
        if not given.drip_s:
            self.wfile.write(given.body)
        self.close_connection = self.close_connection or given.is_cut

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as http.server names it
        """Log nothing: paths are secrets."""


def broken(given: Answer, **how: Any) -> Answer:
    """The same answer, late, cut or dripping: `stall_s`, `is_cut`, `drip_s`."""
    return replace(given, **how)
