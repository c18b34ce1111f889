"""How is one object read by its id, with everything that a decision about it may need?"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from urllib.parse import quote

import msgspec

from reconciler.core.doubts import FetchKind
from reconciler.core.observation import Span
from reconciler.stripe_api.envelope import MalformedBody, cleaned
from reconciler.stripe_api.gateway import Answer, Gateway
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
    # A thin event names objects freely: nothing in an id may lead to another path.
    path = f"{way.path}/{quote(object_id, safe='')}"
    answer = gateway.ask(path, {"expand": list(way.expand)} if way.expand else {})
    found = _decoded(answer)
    if kind is FetchKind.CHARGE:
        found = _with_all_refunds(gateway, object_id, found)
    return Reading(object=found, span=answer.span, request_id=answer.request_id)


def _with_all_refunds(gateway: Gateway, charge_id: str, charge: Json) -> Json:
    listed = charge.get("refunds")
    if not isinstance(listed, dict) or listed.get("has_more") is not True:
        return charge
    found = [
        msgspec.json.decode(raw)
        for page in pages(gateway, "/v1/refunds", {"charge": charge_id})
        for raw in page.objects
    ]
    return {**charge, "refunds": {**listed, "data": found, "has_more": False}}


def _decoded(answer: Answer) -> Json:
    try:
        found: Any = _json(answer.body)
    except (msgspec.DecodeError, MalformedBody, RecursionError):
        found = None
    if not isinstance(found, dict):
        words = f"the answer is no object ({answer.request_id})"
        raise StripeProblem(ProblemKind.UNREADABLE, words)
    return found


def _json(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except msgspec.DecodeError:
        return msgspec.json.decode(cleaned(body))
