"""Is this body one event of Stripe's, and what does its envelope say?

Everything that is not exactly that is refused before any database work: Stripe would not have sent it. Events:
https://docs.stripe.com/api/events/object . Thin events: https://docs.stripe.com/event-destinations .
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import msgspec

from reconciler.core.observation import ms

DEPTH_MAX: Final = 64
INTEGER_MAX: Final = 2**53
ID_LENGTH_MAX: Final = 255
# Year 2100: a later time is a mistake, and far later ones have no datetime.
_CREATED_MAX_S: Final = 4_102_444_800


class MalformedBody(ValueError):  # noqa: N818 - it names what the body is
    """The body is no event; `reason` is a word for the log, and never repeats what the body held."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"not an event of Stripe's: {reason}")
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeEvent:
    """One event with the bytes that were signed. `related` is (kind, id) of the object of a thin event."""

    id: str
    type: str
    api_version: str | None
    created_ms: int
    livemode: bool
    account: str | None
    object: dict[str, Any] = field(default_factory=dict)
    body: bytes
    thin: bool = False
    related: tuple[str, str] | None = None


def read_event(body: bytes) -> StripeEvent:
    """Read a snapshot event or a thin one. Raises MalformedBody for everything else."""
    tree = _decode(body)
    if not isinstance(tree, dict):
        raise MalformedBody("not_an_object")
    _require_plain(tree, DEPTH_MAX)
    match tree.get("object"):
        case "event":
            return _snapshot(tree, body)
        case "v2.core.event":
            return _thin(tree, body)
        case _:
            raise MalformedBody("not_an_event")


def sanitise(text: str) -> str:
    """Text that every database takes: NUL and lone surrogates become U+FFFD."""
    return "".join("\ufffd" if c == "\x00" or "\ud800" <= c <= "\udfff" else c for c in text)


def _decode(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, ValueError):
        raise MalformedBody("not_json") from None


def _require_plain(value: Any, depth: int) -> None:
    """Refuse nesting, numbers and text that no event of Stripe's holds and some database chokes on."""
    if depth <= 0:
        raise MalformedBody("too_deep")
    if isinstance(value, str):
        if "\x00" in value:
            raise MalformedBody("nul_in_text")
    elif isinstance(value, dict):
        for key, inner in value.items():
            _require_plain(key, depth - 1)
            _require_plain(inner, depth - 1)
    elif isinstance(value, list):
        for inner in value:
            _require_plain(inner, depth - 1)
    elif isinstance(value, int) and not -INTEGER_MAX <= value <= INTEGER_MAX:
        raise MalformedBody("integer_out_of_range")


def _snapshot(tree: dict[str, Any], body: bytes) -> StripeEvent:
    data = tree.get("data")
    about = data.get("object") if isinstance(data, dict) else None
    created = tree.get("created")
    if not isinstance(about, dict):
        raise MalformedBody("no_data_object")
    if type(created) is not int or not 0 < created < _CREATED_MAX_S:
        raise MalformedBody("bad_created")
    return StripeEvent(
        id=_word(tree, "id"),
        type=_word(tree, "type"),
        api_version=_optional(tree, "api_version"),
        created_ms=created * 1000,
        livemode=_livemode(tree),
        account=_optional(tree, "account"),
        object=about,
        body=body,
    )


def _thin(tree: dict[str, Any], body: bytes) -> StripeEvent:
    related = tree.get("related_object")
    return StripeEvent(
        id=_word(tree, "id"),
        type=_word(tree, "type"),
        api_version=None,
        created_ms=_moment_ms(tree.get("created")),
        livemode=_livemode(tree),
        account=_optional(tree, "context"),
        body=body,
        thin=True,
        related=(_word(related, "type"), _word(related, "id"))
        if isinstance(related, dict)
        else None,
    )


def _word(tree: dict[str, Any], name: str) -> str:
    value = tree.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= ID_LENGTH_MAX:
        raise MalformedBody(f"bad_{name}")
    if not value.isascii() or not value.isprintable() or " " in value:
        raise MalformedBody(f"bad_{name}")
    return value


def _optional(tree: dict[str, Any], name: str) -> str | None:
    return _word(tree, name) if tree.get(name) is not None else None


def _livemode(tree: dict[str, Any]) -> bool:
    value = tree.get("livemode")
    if not isinstance(value, bool):
        raise MalformedBody("bad_livemode")
    return value


def _moment_ms(value: Any) -> int:
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise MalformedBody("bad_created") from None
    if moment.tzinfo is None or not 0 < moment.timestamp() < _CREATED_MAX_S:
        raise MalformedBody("bad_created")
    return ms(moment)
