"""Which webhooks does the simulated Stripe send, when, and what becomes of them?

Each event goes out as https://docs.stripe.com/webhooks describes it: signed, sent again with growing pauses until somebody
answers 2xx, and by the seeded faults lost, late, more than once, out of order, or with a twin.
"""

import hashlib
import heapq
import hmac
import http.client
import itertools
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from reconciler.simulator.api.resources import BY_KIND
from reconciler.simulator.faults import Faults, Mishap, Plan
from reconciler.simulator.shapes import rendered_event
from reconciler.simulator.world import NEWEST_VERSION, Happening, Json, World

Send: TypeAlias = Callable[[bytes, Mapping[str, str]], int]

# With these the last try is made about two days after the first one; Stripe says three days at most.
RETRY_FIRST_MS: Final = 5_000
RETRIES: Final = 15

_ACCEPTED: Final = range(200, 300)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What has become of an event's webhook so far: planned mishaps, tries, and the moments of those answered 2xx."""

    type: str
    mishaps: frozenset[Mishap]
    twin_of: str | None = None
    tries: int = 0
    delivered_ms: tuple[int, ...] = ()
    is_given_up: bool = False

    @property
    def is_lost(self) -> bool:
        """Whether it never reaches anybody."""
        return Mishap.LOST in self.mishaps or self.is_given_up


@dataclass(frozen=True, slots=True, order=True)
class _Sending:
    due_ms: int
    order: int
    failures: int = field(compare=False)
    happening: Happening = field(compare=False)
    thin_id: str | None = field(compare=False)


class Deliveries:
    """The webhook endpoint that the world's events are sent to, from its making on.

    `send` gets a body and its headers and returns the status of the answer, or raises OSError. `secret` is one signing
    secret or, while it is rolled, several. `thin_rate` is the share of events that go out as thin ones. The fate of each
    event stands in `fate` under its id.
    """

    def __init__(  # noqa: PLR0913 - an endpoint has that many settings, all named
        self,
        world: World,
        faults: Faults,
        send: Send,
        *,
        secret: str | Sequence[str],
        api_version: str = NEWEST_VERSION,
        thin_rate: float = 0.0,
        retries: int = RETRIES,
        our_now_s: Callable[[], float] = time.time,
    ) -> None:
        self.secrets = (secret,) if isinstance(secret, str) else tuple(secret)
        self.fate: dict[str, Fate] = {}
        self._world, self._faults, self._send = world, faults, send
        self._api_version, self._thin_rate = api_version, thin_rate
        self._retries, self._our_now_s = retries, our_now_s
        self._twins: dict[str, str] = {}
        self._queue: list[_Sending] = []
        self._order = itertools.count()
        self._lock = threading.Lock()
        world.on_event.append(self._plan)

    def due_ms(self) -> int | None:
        """When the next sending is due; None if there is none."""
        with self._lock:
            return self._queue[0].due_ms if self._queue else None

    def deliver(self, now_ms: int) -> int:
        """Send what is due at a moment, in the order in which it fell due; returns how many were sent."""
        sent = 0
        while (sending := self._next(now_ms)) is not None:
            self._try(sending, now_ms)
            sent += 1
        return sent

    def _plan(self, happening: Happening) -> None:
        """Decide what befalls a new event; it runs wherever the event is made."""
        event_id = happening.event["id"]
        plan = self._faults.plan(event_id, thin_rate=self._thin_rate)
        twin_of = self._twins.get(event_id)
        with self._lock:
            self.fate[event_id] = Fate(
                type=happening.event["type"], mishaps=plan.mishaps, twin_of=twin_of
            )
            for delay_ms in plan.delays_ms:
                self._push(_Sending(happening.at_ms + delay_ms, 0, 0, happening, plan.thin_id))
        if twin_of is None:
            self._bear_twin(happening, plan)

    def _bear_twin(self, happening: Happening, plan: Plan) -> None:
        """Publish a second Event about the same change, which the list shows as well; a twin itself has none."""
        if plan.twin_id is not None:
            self._twins[plan.twin_id] = happening.event["id"]
            self._world.publish(happening.event | {"id": plan.twin_id}, happening.at_ms)

    def _push(self, sending: _Sending) -> None:
        """Queue a sending behind those that are due at the same moment."""
        heapq.heappush(self._queue, replace(sending, order=next(self._order)))

    def _next(self, now_ms: int) -> _Sending | None:
        with self._lock:
            is_due = self._queue and self._queue[0].due_ms <= now_ms
            return heapq.heappop(self._queue) if is_due else None

    def _try(self, sending: _Sending, now_ms: int) -> None:
        body = self._body(sending)
        signature = signature_header(body, self.secrets, int(self._our_now_s()))
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature,
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        }
        try:
            is_accepted = self._send(body, headers) in _ACCEPTED
        except OSError:
            is_accepted = False
        event = sending.happening.event
        if is_accepted:
            with self._world.lock:
                event["pending_webhooks"] = 0
        with self._lock:
            self._note(sending, now_ms, is_accepted=is_accepted)

    def _note(self, sending: _Sending, now_ms: int, *, is_accepted: bool) -> None:
        """Write down how a try ended, and queue the next one if it failed."""
        event_id = sending.happening.event["id"]
        fate = self.fate[event_id]
        fate = replace(fate, tries=fate.tries + 1)
        if is_accepted:
            fate = replace(fate, delivered_ms=(*fate.delivered_ms, now_ms), is_given_up=False)
        elif sending.failures < self._retries:
            due_ms = now_ms + RETRY_FIRST_MS * 2**sending.failures
            self._push(replace(sending, due_ms=due_ms, failures=sending.failures + 1))
        else:
            fate = replace(fate, is_given_up=not fate.delivered_ms)
        self.fate[event_id] = fate

    def _body(self, sending: _Sending) -> bytes:
        with self._world.lock:
            event = rendered_event(sending.happening, self._api_version, self._world)
        if sending.thin_id is not None:
            event = thin(event, sending.thin_id, sending.happening.at_ms)
        return json.dumps(event, indent=2).encode()


def thin(event: Json, id_: str, at_ms: int) -> Json:
    """Return the thin event that stands for a snapshot event: https://docs.stripe.com/event-destinations"""
    obj = event["data"]["object"]
    resource = BY_KIND.get(obj["object"])
    created = datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds")
    related = None
    if resource is not None and "id" in obj:
        url = f"/v1/{resource.path}/{obj['id']}"
        related = {"id": obj["id"], "type": obj["object"], "url": url}
    return {
        "id": id_,
        "object": "v2.core.event",
        "context": None,
        "created": created.replace("+00:00", "Z"),
        "livemode": event["livemode"],
        "reason": None,
        "related_object": related,
        "type": f"v1.{event['type']}",
    }


def signature_header(body: bytes, secrets: Sequence[str], at_s: int) -> str:
    """Return the Stripe-Signature header, with one v1 a secret: https://docs.stripe.com/webhooks#verify-manually"""
    signed = b"%d." % at_s + body
    digests = [hmac.new(each.encode(), signed, hashlib.sha256).hexdigest() for each in secrets]
    return ",".join([f"t={at_s}", *(f"v1={digest}" for digest in digests)])


def post_to(url: str, *, timeout_s: float = 10.0) -> Send:
    """Return a `send` that posts to an http address. A redirect is not followed: for Stripe it is a failure."""
    parts = urlsplit(url)
    host = parts.hostname or ""

    def send(body: bytes, headers: Mapping[str, str]) -> int:
        connection = http.client.HTTPConnection(host, parts.port, timeout=timeout_s)
        try:
            connection.request("POST", parts.path or "/", body, dict(headers))
            return connection.getresponse().status
        except http.client.HTTPException as error:
            raise ConnectionError(type(error).__name__) from None
        finally:
            connection.close()

    return send
