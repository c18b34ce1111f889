"""What may our key read at this Stripe account, what is sent where, and do our clocks agree?

Each list that the program reads is asked for once, all of them side by side, so that a Stripe that does not answer costs
some seconds and not minutes. Nothing is written, and nothing of an object is kept but what stands in the classes below.
"""

import queue
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from reconciler.core.observation import ms
from reconciler.stripe_api.envelope import MalformedBody, cleaned
from reconciler.stripe_api.gateway import Answer, Gateway
from reconciler.stripe_api.problems import ProblemKind, Stopped, StripeProblem

PATIENCE_S: Final = 15.0
WEBHOOK_PATH: Final = "/api/webhooks/stripe"
# What `translate` reads; older shapes were never tried.
OLDEST_VERSION: Final = "2019-05-16"

EVENTS: Final = "/v1/events"
ENDPOINTS: Final = "/v1/webhook_endpoints"
BALANCE: Final = "/v1/balance"

# Each list that the program reads, and the balance, and what the right to read it is called where Stripe's Dashboard makes a restricted key
# (https://docs.stripe.com/keys/restricted-api-keys). Refunds have no right of their own.
RIGHTS: Final = MappingProxyType(
    {
        EVENTS: "Events",
        "/v1/payment_intents": "PaymentIntents",
        "/v1/charges": "Charges and Refunds",
        "/v1/refunds": "Charges and Refunds",
        "/v1/disputes": "Disputes",
        "/v1/checkout/sessions": "Checkout Sessions",
        "/v1/balance_transactions": "Balance transaction sources",
        "/v1/payouts": "Payouts",
        BALANCE: "Balance",
        ENDPOINTS: "Webhook Endpoints",
    }
)

_EVERY_TYPE: Final = "*"
# Stripe allows an account far fewer endpoints: one page is all of them.
_ENDPOINTS_MAX: Final = 100
# Stripe's Date is cut to whole seconds: on average it is half a second behind.
_HALF_SECOND_MS: Final = 500
_HOST: Final = re.compile(r"[\w.:\[\]-]{1,255}", re.ASCII)
_VERSION: Final = re.compile(r"\d{4}-\d{2}-\d{2}(?:\.[a-z_]{1,40})?", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came of the question for one list: an answer, or why there is none. `at_ms` is our clock when it was under way."""

    path: str
    answer: Answer | None = None
    problem: StripeProblem | None = None
    at_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A webhook endpoint as Stripe knows it; `host` is "" where its address has none that is fit to be shown."""

    host: str
    path: str
    is_enabled: bool
    event_types: frozenset[str]
    api_version: str | None

    def missing(self, wanted: Sequence[str]) -> list[str]:
        """The event types among those wanted that are not sent to it."""
        if _EVERY_TYPE in self.event_types:
            return []
        return [each for each in wanted if each not in self.event_types]


class _Endpoint(msgspec.Struct):
    url: str
    status: str
    enabled_events: list[str]
    api_version: str | None = None


class _Endpoints(msgspec.Struct, tag_field="object", tag="list"):
    data: list[_Endpoint]
    has_more: bool


class _Event(msgspec.Struct):
    livemode: bool


class _Events(msgspec.Struct, tag_field="object", tag="list"):
    data: list[_Event]


class _AnyList(msgspec.Struct, tag_field="object", tag="list"):
    data: list[msgspec.Raw]


class _Balance(msgspec.Struct, tag_field="object", tag="balance"):
    available: list[msgspec.Raw]


_SHAPES: Final[Mapping[str, type[Any]]] = MappingProxyType(
    {EVENTS: _Events, ENDPOINTS: _Endpoints, BALANCE: _Balance}
)


def survey(
    gateway: Gateway, now: Callable[[], datetime], *, patience_s: float = PATIENCE_S
) -> tuple[Reply, ...]:
    """Ask once for each list in RIGHTS, and wait `patience_s` for all answers together; one reply a list, in that order."""
    came: queue.SimpleQueue[Reply] = queue.SimpleQueue()

    def ask(path: str) -> None:
        came.put(_reply(gateway, path, now))

    for path in RIGHTS:
        # Whoever waits for a Stripe that stalls must not be waited for when the program ends.
        threading.Thread(target=ask, args=(path,), name=f"survey {path}", daemon=True).start()
    replies: dict[str, Reply] = {}
    until_s = time.monotonic() + patience_s
    while len(replies) < len(RIGHTS):
        try:
            reply = came.get(timeout=max(0.0, until_s - time.monotonic()))
        except queue.Empty:
            break
        replies[reply.path] = reply
    return tuple(replies.get(path) or _too_late(path, patience_s) for path in RIGHTS)


def skew_ms(replies: Sequence[Reply]) -> int | None:
    """How far our clock is ahead of Stripe's, by the answer that took the shortest; None if there is no answer."""
    found = [(each.answer, each.at_ms) for each in replies if each.answer is not None]
    if not found:
        return None
    answer, at_ms = min(found, key=lambda each: each[0].took_ms)
    return at_ms - (answer.date_ms + _HALF_SECOND_MS)


def version_of(replies: Sequence[Reply]) -> str | None:
    """The API version in which Stripe says that it answered; None if it says nothing that looks like one."""
    for each in replies:
        if each.answer is not None and _VERSION.fullmatch(each.answer.version):
            return each.answer.version
    return None


def livemode_of(reply: Reply) -> bool | None:
    """Whether the newest event is one of live mode; None if there is no answer or no event."""
    if reply.answer is None:
        return None
    events = _decoded(reply.answer, _Events).data
    return events[0].livemode if events else None


def endpoints_of(reply: Reply) -> list[Endpoint]:
    """All webhook endpoints of the account. Raises StripeProblem where they are not known."""
    if reply.answer is None:
        raise reply.problem or _unreadable(reply.path)
    found = _decoded(reply.answer, _Endpoints)
    if found.has_more:
        raise _unreadable(reply.path)
    return [_endpoint(each) for each in found.data]


def _reply(gateway: Gateway, path: str, now: Callable[[], datetime]) -> Reply:
    limit = _ENDPOINTS_MAX if path == ENDPOINTS else 1
    asked = {} if path == BALANCE else {"limit": limit}
    try:
        answer = gateway.ask(path, asked, tries=1)
        at_ms = ms(now()) - answer.took_ms // 2
        # What is neither list nor balance might be anything: it proves no right.
        _decoded(answer, _SHAPES.get(path, _AnyList))
    except StripeProblem as problem:
        return Reply(path=path, problem=problem)
    except Stopped:
        return Reply(path=path, problem=StripeProblem(ProblemKind.UNAVAILABLE, "not asked"))
    return Reply(path=path, answer=answer, at_ms=at_ms)


def _decoded(answer: Answer, shape: type[Any]) -> Any:
    try:
        try:
            return msgspec.json.decode(answer.body, type=shape)
        except msgspec.DecodeError:
            # One lone surrogate in a customer's text makes a good answer unreadable to a strict decoder.
            return msgspec.json.decode(cleaned(answer.body), type=shape)
    except (msgspec.DecodeError, MalformedBody, RecursionError):
        raise _unreadable(answer.request_id) from None


def _endpoint(found: _Endpoint) -> Endpoint:
    try:
        parts = urlsplit(found.url)
    except ValueError:
        parts = urlsplit("")
    # A password may stand before the host, and a token in the query: neither is kept.
    host = parts.netloc.rpartition("@")[2]
    return Endpoint(
        host=host if _HOST.fullmatch(host) else "",
        path=parts.path,
        is_enabled=found.status == "enabled",
        event_types=frozenset(found.enabled_events),
        api_version=found.api_version if _VERSION.fullmatch(found.api_version or "") else None,
    )


def _too_late(path: str, patience_s: float) -> Reply:
    words = f"{path}: Stripe gives no answer (none within {patience_s:g} s)"
    return Reply(path=path, problem=StripeProblem(ProblemKind.UNAVAILABLE, words))


def _unreadable(about: str) -> StripeProblem:
    return StripeProblem(ProblemKind.UNREADABLE, f"the answer cannot be read ({about})")
