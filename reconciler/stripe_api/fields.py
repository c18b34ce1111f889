"""How is one field read out of a Stripe object, whatever API version wrote it, without guessing?

A field that is missing or has the wrong type raises `UnknownShape`; the object is then read again from the API instead.
"""

import re
from typing import Any, Final

from reconciler.core.money import is_currency
from reconciler.stripe_api.envelope import INTEGER_MAX, sanitise

Json = dict[str, Any]

_ID: Final = re.compile(r"[A-Za-z0-9_]{1,255}")
_TIME_MAX_S: Final = 4_102_444_800
EMAIL_LENGTH_MAX: Final = 254
TEXT_LENGTH_MAX: Final = 500


class UnknownShape(ValueError):  # noqa: N818 - it names what the object is
    """The object does not have the shape that we know; nothing may be concluded from it."""


def text(obj: Json, name: str) -> str:
    """A required short text."""
    value = obj.get(name)
    if not isinstance(value, str) or not value or len(value) > TEXT_LENGTH_MAX:
        raise UnknownShape(f"{name} is no text")
    return sanitise(value)


def optional_text(obj: Json, name: str) -> str:
    """A short text, or nothing."""
    return text(obj, name) if obj.get(name) else ""


def identity(obj: Json, name: str = "id") -> str:
    """A required id of Stripe's."""
    value = obj.get(name)
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise UnknownShape(f"{name} is no id")
    return value


def reference(obj: Json, name: str) -> str | None:
    """The id of another object, expanded or not; None where there is none."""
    value = obj.get(name)
    if value is None:
        return None
    return identity(value) if isinstance(value, dict) else identity(obj, name)


def integer(obj: Json, name: str, default: int | None = None) -> int:
    """A whole number; the default only where the field is absent or null."""
    value = obj.get(name)
    if value is None and default is not None:
        return default
    if type(value) is not int or not -INTEGER_MAX <= value <= INTEGER_MAX:
        raise UnknownShape(f"{name} is no whole number")
    return value


def amount(obj: Json, name: str, default: int | None = None) -> int:
    """An amount in minor units that can't be negative."""
    value = integer(obj, name, default)
    if value < 0:
        raise UnknownShape(f"{name} is negative")
    return value


def time_ms(obj: Json, name: str) -> int:
    """A time of Stripe's, whole seconds, in milliseconds."""
    value = integer(obj, name)
    if not 0 <= value < _TIME_MAX_S:
        raise UnknownShape(f"{name} is no time")
    return value * 1000


def currency(obj: Json, name: str = "currency") -> str:
    """A currency code, in lower case."""
    value = obj.get(name)
    code = value.lower() if isinstance(value, str) else ""
    if not is_currency(code):
        raise UnknownShape(f"{name} is no currency")
    return code


def inner(obj: Json, *path: str) -> Json:
    """A nested object; an empty one where any step is absent."""
    for name in path:
        found = obj.get(name)
        obj = found if isinstance(found, dict) else {}
    return obj


def listed(obj: Json, name: str) -> tuple[list[Json], bool]:
    """The objects of an embedded list, and whether the list is there and complete."""
    found = inner(obj, name)
    data = found.get("data")
    if not isinstance(data, list):
        return [], False
    objects = [each for each in data if isinstance(each, dict)]
    return objects, found.get("has_more") is False and len(objects) == len(data)


def emails(*values: object) -> frozenset[str]:
    """The e-mail addresses among the values, trimmed and in lower case."""
    found = (each.strip().lower() for each in values if isinstance(each, str))
    return frozenset(sanitise(e) for e in found if "@" in e and len(e) <= EMAIL_LENGTH_MAX)
