"""What does the webhook consist of, and how is it served?"""

import asyncio
import gc
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import FrameType

import uvicorn
from starlette.applications import Starlette
from starlette.routing import Route

from reconciler.stripe_api.signature import require_secrets
from webhook.body import BufferBudget
from webhook.health import Health
from webhook.intake import Intake
from webhook.protocol import BoundedProtocol
from webhook.push.endpoint import Push
from webhook.server import WatchedServer
from webhook.stripe_endpoint import StripeEndpoint
from webhook.wiring import Clock, Inbox, WebhookSettings, utc_now

__all__ = ["STRIPE_PATH", "WebhookSettings", "create_app", "serve"]

STRIPE_PATH = "/api/webhooks/stripe"

_BACKLOG = 2048
_MAX_CONNECTIONS = 512
# Longer than the 60 s for which reverse proxies keep a connection, so that it is never we who close one
# that they are about to use.
_KEEP_ALIVE_S = 75
_GRACE_S = 10


def create_app(
    inbox: Inbox, settings: WebhookSettings, clock: Clock = utc_now, push: Push | None = None
) -> Starlette:
    """Return the application, without the routes of push where there is none.

    Raises ValueError for signing secrets that can't protect anything.
    """
    require_secrets(settings.secrets)
    intake = Intake(inbox, clock)
    health = Health(inbox)
    stripe = StripeEndpoint(
        intake=intake,
        settings=settings,
        clock=clock,
        budget=BufferBudget(),
        health=health,
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        stopping = asyncio.Event()
        saving = asyncio.create_task(health.keep_saving(stopping))
        try:
            yield
        finally:
            stopping.set()
            await saving
            await intake.close()
            if push is not None:
                await push.close()

    app = Starlette(
        routes=[
            Route(STRIPE_PATH, stripe.receive, methods=["POST"]),
            Route("/healthz", health.answer_alive),
            Route("/readyz", health.answer_ready),
            *(push.routes() if push is not None else ()),
        ],
        lifespan=lifespan,
    )
    # Stripe counts a redirect as a failed delivery; a wrong path should say so plainly.
    app.router.redirect_slashes = False
    return app


def serve(app: Starlette, *, host: str, port: int, fd: int | None = None) -> int:
    """Serve until SIGTERM, answer what was accepted, and return the exit code 0.

    `fd` is a socket that already listens, as systemd passes it; else `host` and `port` are bound. Raises
    OSError if that is impossible.
    """
    listener = _listener(host, port) if fd is None else socket.socket(fileno=fd)
    server = WatchedServer(
        uvicorn.Config(
            app,
            http=BoundedProtocol,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            backlog=_BACKLOG,
            limit_concurrency=_MAX_CONNECTIONS,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=_GRACE_S,
        )
    )

    def stop(_signal: int, _frame: FrameType | None) -> None:
        server.should_exit = True

    # uvicorn listens to signals only while it serves. When it has ended, it raises those that it got once
    # more, to die of them unless someone else listens; and one that comes before it begins must count too.
    signal.signal(signal.SIGTERM, stop)
    # What the program consists of is never garbage: a full collection would walk through all of it, while requests wait.
    gc.freeze()
    server.run(sockets=[listener])
    return 0


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=_BACKLOG)
    # Head and body of an answer are two writes: without this, where uvloop is missing, the second waits 40 ms for the first.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener
