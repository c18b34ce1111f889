"""What do the tests in a real browser need: Chromium, an app with its proxy, the webhook on a socket, and a push service?"""

import base64
import json
import shutil
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from reconciler.db.session import Database
from reconciler.push.keys import VapidKey
from tests.webhook.fake_inbox import FakeInbox
from tests.webhook.push_app import TOKEN_SECRET, token
from tests.webhook.signing import SECRET
from webhook.app import create_app
from webhook.protocol import BoundedProtocol
from webhook.push.endpoint import Push, PushSettings
from webhook.wiring import WebhookSettings

FILES = Path(__file__).resolve().parents[2] / "docs" / "push"
VENDOR = Path(__file__).with_name("vendor.js")
TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WITHIN_S = 15


def chromium_path() -> str:
    """Find Chromium, or skip with what is missing."""
    pytest.importorskip("playwright.sync_api", reason="browser tests need the extra `test`")
    places = (shutil.which(name) for name in ("chromium", "chromium-browser", "/usr/bin/chromium"))
    found = next(filter(None, places), None)
    if found is None:
        pytest.skip("browser tests need Chromium: apt-get install chromium")
    return found


@dataclass
class App:
    """The app beside the webhook: its pages, its tokens, and its proxy for the worker. Each may be told to misbehave."""

    webhook_url: str
    user: str = "ann"
    language: str = "en"
    section: dict[str, str] = field(default_factory=dict)

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Answer a GET: status, type and body."""
        if path == "/push/sw.js":
            with urllib.request.urlopen(self.webhook_url + path) as worker:  # noqa: S310 - our own
                return 200, "text/javascript", worker.read()
        if path == "/push-token":
            return 200, "text/plain", token(self.user).encode()
        if path == "/favicon.ico":
            return 200, "image/x-icon", b""
        if path.startswith("/invoices/"):
            return 200, "text/html", b"<!doctype html><title>Invoice</title>"
        file = FILES / path.removeprefix("/settings/")
        if not file.is_file():
            return 404, "text/plain", b"not found"
        return 200, TYPES[file.suffix], self._changed(file.read_bytes())

    def _changed(self, body: bytes) -> bytes:
        given = {"server": self.webhook_url, "timeout-ms": "4000", **self.section}
        attributes = " ".join(f'data-{name}="{value}"' for name, value in given.items())
        page = body.replace(b'data-server=""', attributes.encode())
        return page.replace(b'<html lang="en">', f'<html lang="{self.language}">'.encode())


@dataclass
class PushService:
    """Takes every message, and keeps it as it came."""

    bodies: list[bytes] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)


Answered = tuple[int, str, bytes]


@contextmanager
def listening(
    get: Callable[[str], Answered], post: Callable[[str, bytes], Answered] | None = None
) -> Iterator[str]:
    """Serve HTTP on a free port of this machine until the end of the block; yields where."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(*get(self.path))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(*(post or (lambda *_: (404, "text/plain", b"")))(self.path, body))

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", f"{kind}; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    with closing(server.socket):
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def webhook(db: Database, key: VapidKey, origins: tuple[str, ...]) -> Iterator[str]:
    """Serve the real webhook with push on a socket; its CORS lets these origins ask."""
    push = Push(
        db,
        PushSettings(
            public_key=key.public,
            token_secret=TOKEN_SECRET,
            allowed_hosts=("fcm.googleapis.com",),
            cors_origins=origins,
            resolve=lambda _: (),
        ),
    )
    app = create_app(FakeInbox(), WebhookSettings(secrets=(SECRET,)), push=push)
    config = uvicorn.Config(
        app, port=0, http=BoundedProtocol, ws="none", lifespan="on", log_config=None
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        deadline = time.monotonic() + WITHIN_S
        while not server.started:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        [listener] = server.servers[0].sockets
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(WITHIN_S)


Tray = list[dict[str, Any]]


@dataclass
class Tab:
    """One page of a browser, with its worker and a way to deliver to it."""

    page: Any
    cdp: Any
    origin: str
    registrations: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def settle(self, state: str) -> None:
        """Wait until the page shows a state."""
        self.page.wait_for_selector(f'[data-push][data-state="{state}"]', timeout=WITHIN_S * 1000)

    def click(self, state: str) -> None:
        """Click the one button, and wait for what comes of it."""
        self.page.click("[data-push-button]")
        self.settle(state)

    def block(self) -> None:
        """Block notifications for the app, as a user does in the browser's settings."""
        target = self.cdp.send("Target.getTargetInfo")["targetInfo"]
        blocked = {
            "permission": {"name": "notifications"},
            "setting": "denied",
            "origin": self.origin,
            "browserContextId": target["browserContextId"],
        }
        self.page.context.browser.new_browser_cdp_session().send("Browser.setPermission", blocked)

    def text(self, part: str) -> str:
        """Read a part of the switch."""
        return str(self.page.inner_text(f"[data-push-{part}]"))

    def decrypt(self, body: bytes) -> str:
        """Let the page decrypt what a push service got for it."""
        word = base64.urlsafe_b64encode(body).rstrip(b"=").decode()
        return str(self.page.evaluate("body => vendorDecrypts(body)", word))

    def deliver(self, clear: str) -> None:
        """Let the browser hand a message to the worker, as it does with what a push service brings."""
        self.page.wait_for_timeout(
            20
        )  # Only here does playwright take in the id of the registration.
        asked = {"origin": self.origin, "registrationId": self.registrations[-1], "data": clear}
        self.cdp.send("ServiceWorker.deliverPushMessage", asked)

    def worker(self) -> Any:
        """Return the service worker."""
        return self.page.context.service_workers[0]

    def notifications(self, is_there: Callable[[Tray], bool] = bool) -> Tray:
        """Return what is in the tray, as soon as it is what is waited for."""
        found: Tray = []
        deadline = time.monotonic() + WITHIN_S
        while not is_there(found):
            assert time.monotonic() < deadline, (found, self.problems)
            # Whoever asks all the time meets the browser between noting a notification and showing it, and it drops the note.
            self.page.wait_for_timeout(100)
            found = self.page.evaluate(
                """async () => {
                  const worker = await navigator.serviceWorker.getRegistration("/push/");
                  const shown = await worker.getNotifications();
                  return shown.map(({title, body, tag, data, silent, renotify}) =>
                    ({title, body, tag, data, silent, renotify}));
                }"""
            )
        return found

    def click_notification(self) -> list[str]:
        """Click the one in the tray, as the worker sees it; returns what it opened or focused.

        Only a click of a person lets a worker open a window, and no test has a hand: what it asks for is written down.
        """
        return list(
            self.worker().evaluate(
                """async () => {
                  const asked = [];
                  self.clients.openWindow = async (url) => asked.push("opens " + url);
                  WindowClient.prototype.focus = async function () { asked.push("focuses " + this.url); };
                  const [notification] = await self.registration.getNotifications();
                  const event = new NotificationEvent("notificationclick", { notification });
                  const deeds = [];
                  event.waitUntil = (deed) => deeds.push(deed);
                  self.dispatchEvent(event);
                  await Promise.all(deeds);
                  return asked;
                }"""
            )
        )


def message(**more: Any) -> str:
    """Write a message as the outbox does."""
    return json.dumps(
        {
            "id": "milestone-1",
            "title": "Payment received",
            "body": "Invoice INV-1: €10.00 received. Thank you.",
            "tag": "t" * 32,
            "url": "/invoices/i1",
            "kind": "invoice_paid",
            **more,
        }
    )
