"""Which fields does an object of Stripe's hold, and are they what they must be?

Nothing is guessed. A field that is missing, or not of its type, raises `Unclear`, and the object is read again: a shape
that we don't know must not become money. Only text that decides nothing, such as an e-mail, is left out instead.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeAlias

from reconciler.core.money import is_currency
from reconciler.stripe_api import envelope

Json: TypeAlias = Mapping[str, Any]

EMAIL_MAX_CHARS = 254


class Unclear(ValueError):  # noqa: N818 - it names what the object is, not our mistake
    """A field is missing or not of its type. The message names the field and nothing that it holds."""


def name(obj: Json, key: str) -> str:
    """Return an id or one of Stripe's words."""
    value = obj.get(key)
    if not envelope.is_name(value):
        raise Unclear(f"{key} is not a word")
    return str(value)


def amount_minor(obj: Json, key: str) -> int:
    """Return an amount that can't be negative."""
    value = signed_minor(obj, key)
    if value < 0:
        raise Unclear(f"{key} is negative")
    return value


def signed_minor(obj: Json, key: str) -> int:
    """Return an amount; a bool is not one."""
    value = obj.get(key)
    if type(value) is not int or abs(value) > envelope.INTEGER_MAX:
        raise Unclear(f"{key} is not an amount")
    return value


def time_ms(obj: Json, key: str) -> int:
    """Return a moment, which Stripe gives in whole seconds, in milliseconds."""
    at_ms = envelope.created_ms(obj.get(key))
    if at_ms is None:
        raise Unclear(f"{key} is not a time")
    return at_ms


def currency(obj: Json, key: str) -> str:
    """Return a currency in lower case."""
    value = obj.get(key)
    if not isinstance(value, str) or not value.isascii() or not is_currency(value.lower()):
        raise Unclear(f"{key} is not a currency")
    return value.lower()


def flag(obj: Json, key: str) -> bool:
    """Return a boolean."""
    value = obj.get(key)
    if not isinstance(value, bool):
        raise Unclear(f"{key} is not a boolean")
    return value


def link(obj: Json, key: str) -> str | None:
    """Return the id of another object, which may stand there expanded; None where none is named."""
    value = obj.get(key)
    if value is None:
        return None
    return name(value, "id") if isinstance(value, dict) else name(obj, key)


def stated_link(obj: Json, key: str) -> str | None:
    """Return the same where only an explicit null means that there is none."""
    if key not in obj:
        raise Unclear(f"{key} is missing")
    return link(obj, key)


def part(obj: Json, key: str) -> Json | None:
    """Return the object that stands under a key; None where it is null, missing or only named by its id."""
    value = obj.get(key)
    if value is not None and not isinstance(value, dict | str):
        raise Unclear(f"{key} is not an object")
    return value if isinstance(value, dict) else None


def members(obj: Json, key: str) -> list[Json]:
    """Return the objects of a plain list or of one of Stripe's list objects; missing and null are an empty list."""
    value = obj.get(key)
    found = value.get("data") if isinstance(value, dict) else value
    if found is None and value is None:
        return []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise Unclear(f"{key} is not a list of objects")
    return found


def metadata(obj: Json) -> Json:
    """Return the metadata, which is always there, if only as null."""
    value = obj.get("metadata")
    if "metadata" not in obj or not isinstance(value, dict | None):
        raise Unclear("metadata is not an object")
    return value or {}


def text(obj: Json, key: str) -> str:
    """Return free text that decides nothing; "" where there is none."""
    value = obj.get(key)
    return envelope.sanitise(value) if isinstance(value, str) else ""


def emails(*candidates: str) -> frozenset[str]:
    """Return e-mail addresses in the one form in which they are compared."""
    trimmed = {each.strip().lower() for each in candidates}
    return frozenset(each for each in trimmed if 0 < len(each) <= EMAIL_MAX_CHARS)


def decimal_text(obj: Json, key: str) -> str:
    """Return a rate as plain decimal digits, never in exponent form; "" where there is none."""
    value = obj.get(key)
    if value is None:
        return ""
    if type(value) not in {int, float} or not Decimal(repr(value)).is_finite():
        raise Unclear(f"{key} is not a number")
    return format(Decimal(repr(value)).normalize(), "f")


def filled(child: Json, **links: str | None) -> Json:
    """Return an embedded object with what it leaves out about the object around it."""
    return {**child, **{k: v for k, v in links.items() if v and child.get(k) is None}}
