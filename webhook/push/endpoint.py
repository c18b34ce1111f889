"""What does a browser get as an answer when it subscribes or unsubscribes?

It can take seconds: a name is resolved, and the database may be busy. Nothing of that is done in the places, or counted
against the memory, that Stripe's events need.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from reconciler.db import subscriptions
from reconciler.db.errors import StatementFailed, StorageUnavailable
from reconciler.db.session import Database
from reconciler.db.subscriptions import Said, Saved
from reconciler.push.address import Endpoint, EndpointRefused, Unresolved, checked, resolved
from webhook.body import BodyFault, BodyRefused, BufferBudget, bounded_body
from webhook.push.asked import Malformed, Subscription, language, read_address, read_subscription
from webhook.push.origins import answer_preflight, shared_with
from webhook.push.token import BadToken, user_of
from webhook.threads import BoundedThreads
from webhook.wiring import Clock, utc_now

SUBSCRIPTIONS_PATH: Final = "/api/push/subscriptions"
PUBLIC_KEY_PATH: Final = "/push/vapid-public-key"
WORKER_PATH: Final = "/push/sw.js"

_WORKER: Final = Path(__file__).with_name("sw.js").read_text("utf-8")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class PushSettings:
    """What is said of push in the settings; `resolve` raises EndpointRefused or Unresolved for a host."""

    public_key: str
    token_secret: str = field(repr=False)
    allowed_hosts: tuple[str, ...]
    cors_origins: tuple[str, ...] = ()
    locale: str = "en"
    resolve: Callable[[str], object] = resolved
    max_body_bytes: int = 8 * 1024
    body_timeout_s: float = 10.0
    # A name may take three seconds, and the database's lock four.
    timeout_s: float = 9.0
    threads: int = 4


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, what is said with it, and what the log may know of it."""

    status: int
    content: Mapping[str, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    host: str | None = None


# Stripe's events come to the same listener: whoever subscribes in a loop must not hold all of its connections.
_AT_ONCE_MAX: Final = 32
_RETRY_AFTER = {"Retry-After": "10"}
_TRY_AGAIN = {"error": "try again later"}
# The same for every reason, so that it teaches a forger nothing.
_UNKNOWN_USER = {"error": "a bearer token of the app is needed"}
_BODIES: Mapping[BodyFault, Answer] = {
    BodyFault.TOO_LARGE: Answer(413, {"error": "the body is too large"}),
    BodyFault.TOO_SLOW: Answer(408, {"error": "the body came too slowly"}, {"Connection": "close"}),
    BodyFault.NO_ROOM: Answer(503, _TRY_AGAIN, _RETRY_AFTER),
    BodyFault.GONE: Answer(400),
}
_SAVED: Mapping[Saved, int] = {Saved.CREATED: 201, Saved.CONFIRMED: 200, Saved.REPLACED: 200}


class Push:
    """The routes of push, with threads and memory of their own."""

    def __init__(self, db: Database, settings: PushSettings, clock: Clock = utc_now) -> None:
        self._db = db
        self._settings = settings
        self._clock = clock
        self._threads = BoundedThreads(settings.threads, name="push")
        self._budget = BufferBudget(shared_bytes=1024 * 1024)
        self._at_once = 0

    def routes(self) -> list[Route]:
        """Return what is answered, and where."""
        return [
            Route(SUBSCRIPTIONS_PATH, self.receive, methods=["POST", "DELETE"]),
            Route(SUBSCRIPTIONS_PATH, self.answer_preflight, methods=["OPTIONS"]),
            Route(PUBLIC_KEY_PATH, self.answer_public_key),
            Route(WORKER_PATH, self.answer_worker),
        ]

    async def close(self) -> None:
        """Wait for what has begun."""
        await self._threads.close()

    async def answer_preflight(self, request: Request) -> Response:
        """Answer whether a page may subscribe."""
        return answer_preflight(request, self._settings.cors_origins)

    async def answer_public_key(self, request: Request) -> Response:
        """Answer the key that browsers subscribe with."""
        # Not for long: who subscribes with an old key has to do it once more.
        headers = {"Cache-Control": "public, max-age=60"}
        shared = shared_with(request, self._settings.cors_origins)
        return PlainTextResponse(self._settings.public_key, headers={**headers, **shared})

    async def answer_worker(self, _: Request) -> Response:
        """Answer the service worker. It may serve all of the app's origin, and a new one is seen at once."""
        headers = {
            "Cache-Control": "no-cache",
            "Service-Worker-Allowed": "/",
            "X-Content-Type-Options": "nosniff",
        }
        return Response(_WORKER, media_type="text/javascript", headers=headers)

    async def receive(self, request: Request) -> Response:
        """Answer one browser, and write its one line into the log."""
        started_s = time.monotonic()
        try:
            answer = await self._judge(request)
        except Exception:
            log.exception("subscription.failed")
            answer = Answer(500, _TRY_AGAIN, _RETRY_AFTER, "failed")
        write = log.error if answer.status >= 500 else log.info  # noqa: PLR2004 - what is ours
        write(
            "subscription.received",
            method=request.method,
            status=answer.status,
            reason=answer.reason,
            host=answer.host,
            duration_ms=round((time.monotonic() - started_s) * 1000, 1),
        )
        headers = {**answer.headers, **shared_with(request, self._settings.cors_origins)}
        if answer.content is None:
            return Response(status_code=answer.status, headers=headers)
        return JSONResponse(answer.content, answer.status, headers)

    async def _judge(self, request: Request) -> Answer:
        try:
            user_id = user_of(request.headers.getlist("authorization"), self._settings.token_secret)
            if self._at_once >= _AT_ONCE_MAX:
                return Answer(503, _TRY_AGAIN, _RETRY_AFTER, "too_many")
            self._at_once += 1
            try:
                return await self._obey(request, user_id)
            finally:
                self._at_once -= 1
        except BadToken as refused:
            return Answer(401, _UNKNOWN_USER, {"WWW-Authenticate": "Bearer"}, refused.reason)
        except BodyRefused as refused:
            answer = _BODIES[refused.reason]
            return Answer(answer.status, answer.content, answer.headers, refused.reason)
        except Malformed as refused:
            return Answer(400, {"error": str(refused)}, reason="malformed")
        except EndpointRefused as refused:
            return Answer(400, {"error": refused.reason}, reason=refused.reason)

    async def _obey(self, request: Request, user_id: str) -> Answer:
        async with bounded_body(
            request,
            max_bytes=self._settings.max_body_bytes,
            timeout_s=self._settings.body_timeout_s,
            budget=self._budget,
        ) as body:
            if request.method == "DELETE":
                return await self._unsubscribe(user_id, read_address(body))
            return await self._subscribe(user_id, read_subscription(body))

    async def _subscribe(self, user_id: str, asked: Subscription) -> Answer:
        if asked.vapid_public_key not in (None, self._settings.public_key):
            said = {"error": "the public key has changed: subscribe again"}
            return Answer(409, said, reason="another_public_key")
        endpoint = checked(asked.endpoint, self._settings.allowed_hosts)
        return await self._stored(partial(self._save, user_id, endpoint, asked), endpoint.host)

    async def _unsubscribe(self, user_id: str, endpoint: str) -> Answer:
        return await self._stored(partial(self._remove, user_id, endpoint))

    async def _stored(self, write: Callable[[], Answer], host: str | None = None) -> Answer:
        try:
            return await self._threads.run(write, timeout_s=self._settings.timeout_s)
        except (StorageUnavailable, StatementFailed):
            reason = "storage_unavailable"
        except Unresolved:
            reason = "host_unresolved"
        except TimeoutError:
            reason = "too_slow"
        return Answer(503, _TRY_AGAIN, _RETRY_AFTER, reason, host)

    def _save(self, user_id: str, endpoint: Endpoint, asked: Subscription) -> Answer:
        settings, now = self._settings, self._clock()
        said = Said(
            user_id=user_id,
            endpoint=endpoint.url,
            p256dh=asked.keys.p256dh,
            auth=asked.keys.auth,
            vapid_key=settings.public_key,
            locale=language(asked.locale, settings.locale),
        )
        with self._db.reading() as tx:
            is_known = subscriptions.is_as_said(tx, said, now=now)
        saved = Saved.CONFIRMED
        if not is_known:
            settings.resolve(endpoint.host)
            with self._db.writing() as tx:
                saved = subscriptions.save(tx, **said, host=endpoint.host, now=now)
        return Answer(
            _SAVED[saved], {"status": saved.value}, reason=saved.value, host=endpoint.host
        )

    def _remove(self, user_id: str, endpoint: str) -> Answer:
        """Forget the user's own; what is another's, or nobody's, gets the same answer."""
        with self._db.writing() as tx:
            was_there = subscriptions.remove(
                tx, user_id, self._as_stored(endpoint), now=self._clock()
            )
        return Answer(204, reason="removed" if was_there else "not_there")

    def _as_stored(self, endpoint: str) -> str:
        """Return an endpoint as it was saved; also one of a host that was on the list only then."""
        try:
            return checked(endpoint, self._settings.allowed_hosts).url
        except EndpointRefused:
            return endpoint
