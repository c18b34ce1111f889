"""How is one object read by its id, with everything that a decision about it may need?"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import msgspec

from reconciler.core.doubts import FetchKind
from reconciler.core.observation import Span
from reconciler.stripe_api.envelope import MalformedBody, cleaned, is_name
from reconciler.stripe_api.gateway import Gateway
from reconciler.stripe_api.pager import pages
from reconciler.stripe_api.problems import ProblemKind, StripeProblem
from reconciler.stripe_api.translate import Json


class _Way(NamedTuple):
    path: str
    expand: tuple[str, ...] = ()


# Where each kind is read (https://docs.stripe.com/api), and what must stand in the answer rather than be named.
_WAYS: Final = MappingProxyType(
    {
        FetchKind.PAYMENT_INTENT: _Way("/v1/payment_intents", ("latest_charge",)),
        FetchKind.CHARGE: _Way("/v1/charges", ("refunds",)),
        FetchKind.REFUND: _Way("/v1/refunds"),
        FetchKind.DISPUTE: _Way("/v1/disputes"),
        FetchKind.CHECKOUT_SESSION: _Way("/v1/checkout/sessions"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """An object as it was read: its JSON, when that was true, and the request's id."""

    object: Json
    span: Span
    request_id: str


def read_object(gateway: Gateway, kind: FetchKind, object_id: str) -> Reading:
    """Read one object. Raises StripeProblem (NOT_FOUND where this key has no such object) or Stopped.

    A charge comes with all its refunds: the answer to how much was given back is only as good as that list is complete.
    """
    way = _WAYS[kind]
    # A thin event names objects freely: nothing in an id may lead to another path, and dots alone would.
    if not is_name(object_id) or not object_id.strip("."):
        raise StripeProblem(ProblemKind.NOT_FOUND, f"{way.path}: no object has such an id")
    path = f"{way.path}/{quote(object_id, safe='')}"
    answer = gateway.ask(path, {"expand": list(way.expand)} if way.expand else {})
    found = _decoded(answer.body, answer.request_id)
    span = answer.span
    if kind is FetchKind.CHARGE and _has_more_refunds(found):
        listed, until = _all_refunds(gateway, object_id)
        found = {**found, "refunds": {**found["refunds"], "data": listed, "has_more": False}}
        span = Span(span.lo_ms, max(span.hi_ms, until.hi_ms))
    return Reading(object=found, span=span, request_id=answer.request_id)


def _has_more_refunds(charge: Json) -> bool:
    listed = charge.get("refunds")
    return isinstance(listed, dict) and listed.get("has_more") is True


def _all_refunds(gateway: Gateway, charge_id: str) -> tuple[list[Json], Span]:
    """All refunds of a charge, and when the last page of them was true."""
    read = list(pages(gateway, "/v1/refunds", {"charge": charge_id}))
    found = [_decoded(raw, page.request_id) for page in read for raw in page.objects]
    return found, read[-1].span


def _decoded(body: bytes, request_id: str) -> Json:
    try:
        found: Any = _json(body)
    except (msgspec.DecodeError, MalformedBody, RecursionError):
        found = None
    if not isinstance(found, dict):
        words = f"the answer is no object ({request_id})"
        raise StripeProblem(ProblemKind.UNREADABLE, words)
    return found


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return msgspec.json.decode(cleaned(body))
