"""Is this body an event of Stripe's, well formed, and what stands on its envelope?

Two kinds arrive at one endpoint: the snapshot event of API v1, which carries the object as it was
(https://docs.stripe.com/api/events/object), and the thin event of API v2, which only names it
(https://docs.stripe.com/event-destinations). What is let through here can be stored and compared anywhere: no integer
beyond 2**53, no NUL, no lone surrogate, no depth that could exhaust a stack.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

import msgspec

INTEGER_MAX: Final = 2**53
DEPTH_MAX: Final = 64
NAME_MAX_CHARS: Final = 255

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CREATED_MAX_S: Final = 253_402_300_799  # The last second of the year 9999, and of datetime.
_UNSTORABLE: Final = re.compile("[\x00\ud800-\udfff]")

_SENTENCES: Final = MappingProxyType(
    {
        "empty": "The body is empty.",
        "not_utf8": "The body is not UTF-8.",
        "not_json": "The body is not JSON.",
        "too_deep": f"The body is nested deeper than {DEPTH_MAX} levels.",
        "number_out_of_range": "The body holds a number that is too big.",
        "nul_in_text": "The body holds text with a NUL character.",
        "not_an_event": "The body is neither a snapshot event nor a thin event.",
        "bad_id": "The event's id is missing or has a wrong form.",
        "bad_type": "The event's type is missing or has a wrong form.",
        "bad_api_version": "The event's api_version has a wrong form.",
        "bad_created": "The event's time of creation is missing or has a wrong form.",
        "bad_livemode": "The event's livemode is missing or not a boolean.",
        "bad_account": "The event's account has a wrong form.",
        "bad_object": "The event carries no object.",
        "bad_related_object": "The event's related object has a wrong form.",
    }
)


class MalformedBody(ValueError):  # noqa: N818 - it names what the body is, not our mistake
    """The body is no event that we could store. `reason` is a word for logs and counts; nothing of the body is told."""

    def __init__(self, reason: str) -> None:
        super().__init__(_SENTENCES[reason])
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeEvent:
    """An event as it came; `body` holds the very bytes.

    `account` is set by Connect (`account` of a snapshot, `context` of a thin event). `object` is `data.object`, empty for
    a thin event, which has `related` instead: Stripe's word for the kind, and the id; None where it names no object.
    """

    id: str
    type: str
    api_version: str | None
    created_ms: int
    livemode: bool
    account: str | None
    object: dict[str, Any]
    body: bytes
    thin: bool = False
    related: tuple[str, str] | None = None


def read_event(body: bytes) -> StripeEvent:
    """Return the event that a request body holds, or raise MalformedBody.

    Of a repeated key the last value counts: telling it apart would triple the cost of decoding, and who could repeat a
    key would need the signing secret.
    """
    root = _decoded(body)
    kind = root.get("object") if isinstance(root, dict) else None
    if kind == "event":
        return _snapshot(root, body)
    if kind == "v2.core.event":
        return _thin(root, body)
    raise MalformedBody("not_an_event")


def read_listed_event(body: bytes) -> StripeEvent:
    """Return an event that Stripe's own list holds, or raise MalformedBody.

    What the webhook refuses for a NUL or a lone surrogate in some text is read here all the same, with U+FFFD in its
    place: an authenticated list is where such an event must not be lost. `body` is then what was made of it.
    """
    try:
        return read_event(body)
    except MalformedBody as first:
        try:
            return read_event(cleaned(body))
        except MalformedBody:
            raise first from None


def cleaned(body: bytes) -> bytes:
    """Return the same JSON with U+FFFD for each NUL and lone surrogate; raise MalformedBody if it is none."""
    try:
        return json.dumps(_cleaned(json.loads(body))).encode()
    except RecursionError:
        raise MalformedBody("too_deep") from None
    except ValueError:
        raise MalformedBody("not_json") from None


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return sanitise(value)
    if isinstance(value, list):
        return [_cleaned(each) for each in value]
    if isinstance(value, dict):
        return {sanitise(key): _cleaned(each) for key, each in value.items()}
    return value


def is_name(value: object) -> bool:
    """Return whether a value can be an id or a word of Stripe's: 1 to 255 printable ASCII characters."""
    return (
        isinstance(value, str)
        and 0 < len(value) <= NAME_MAX_CHARS
        and value.isascii()
        and value.isprintable()
    )


def created_ms(value: object) -> int | None:
    """Return Stripe's whole seconds since the epoch as milliseconds; None for what can't be a time."""
    return value * 1000 if type(value) is int and 0 <= value <= _CREATED_MAX_S else None


def sanitise(text: str) -> str:
    """Return text that every database can store: U+FFFD stands for each NUL and each lone surrogate."""
    return _UNSTORABLE.sub("\ufffd", text)


def _decoded(body: bytes) -> Any:
    if not body:
        raise MalformedBody("empty")
    try:
        root = msgspec.json.decode(body)
    except msgspec.ValidationError:
        raise MalformedBody("number_out_of_range") from None
    except msgspec.DecodeError:
        raise MalformedBody("not_json") from None
    except UnicodeDecodeError:
        raise MalformedBody("not_utf8") from None
    except RecursionError:
        raise MalformedBody("too_deep") from None
    _check(root)
    return root


def _check(root: object) -> None:
    """Look at every value once, level by level, so that depth costs no stack."""
    level = [root]
    for _ in range(DEPTH_MAX + 1):
        level = _checked(level)
        if not level:
            return
    raise MalformedBody("too_deep")


def _checked(values: list[Any]) -> list[Any]:
    """Check the values of one level and return those of the next, keys included."""
    below: list[Any] = []
    for value in values:
        kind = type(value)
        if kind is str:
            if "\x00" in value:
                raise MalformedBody("nul_in_text")
        elif kind is int:
            if not -INTEGER_MAX <= value <= INTEGER_MAX:
                raise MalformedBody("number_out_of_range")
        elif kind is dict:
            below += value
            below += value.values()
        elif kind is list:
            below += value
    return below


def _snapshot(root: dict[str, Any], body: bytes) -> StripeEvent:
    data = root.get("data")
    obj = data.get("object") if isinstance(data, dict) else None
    if not isinstance(obj, dict):
        raise MalformedBody("bad_object")
    at_ms = created_ms(root.get("created"))
    if at_ms is None:
        raise MalformedBody("bad_created")
    return StripeEvent(
        id=_name(root, "id"),
        type=_name(root, "type"),
        api_version=_name_if_any(root, "api_version"),
        created_ms=at_ms,
        livemode=_livemode(root),
        account=_name_if_any(root, "account"),
        object=obj,
        body=body,
    )


def _thin(root: dict[str, Any], body: bytes) -> StripeEvent:
    return StripeEvent(
        id=_name(root, "id"),
        type=_name(root, "type"),
        api_version=None,
        created_ms=_iso_ms(root.get("created")),
        livemode=_livemode(root),
        account=_name_if_any(root, "context", "bad_account"),
        object={},
        body=body,
        thin=True,
        related=_related(root.get("related_object")),
    )


def _name(root: dict[str, Any], key: str) -> str:
    value = root.get(key)
    if not is_name(value):
        raise MalformedBody(f"bad_{key}")
    return str(value)


def _name_if_any(root: dict[str, Any], key: str, reason: str = "") -> str | None:
    value = root.get(key)
    if value is None:
        return None
    if not is_name(value):
        raise MalformedBody(reason or f"bad_{key}")
    return str(value)


def _livemode(root: dict[str, Any]) -> bool:
    value = root.get("livemode")
    if not isinstance(value, bool):
        raise MalformedBody("bad_livemode")
    return value


def _iso_ms(value: object) -> int:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        at = None
    if at is None or at.tzinfo is None or at < _EPOCH:
        raise MalformedBody("bad_created")
    return (at - _EPOCH) // timedelta(milliseconds=1)


def _related(value: object) -> tuple[str, str] | None:
    """Return the kind and id of a related object; singletons have no id, account-wide events no related object."""
    if value is None:
        return None
    if not isinstance(value, dict) or not is_name(value.get("type")):
        raise MalformedBody("bad_related_object")
    if value.get("id") is None:
        return None
    if not is_name(value["id"]):
        raise MalformedBody("bad_related_object")
    return value["type"], value["id"]
