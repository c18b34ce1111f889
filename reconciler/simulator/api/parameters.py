"""What does the query of a request ask for?

The words and limits are those of https://docs.stripe.com/api/pagination; the wording of errors follows Stripe's.
"""

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from types import MappingProxyType
from typing import Final, TypeAlias

from reconciler.simulator.api.resources import EVENT, Resource
from reconciler.simulator.api.wire import Refusal
from reconciler.simulator.world import Json

Condition: TypeAlias = Callable[[Json], bool]

LIMIT_MAX: Final = 100
TYPES_MAX: Final = 20
CURSORS: Final = ("ending_before", "starting_after")

_DEFAULT_LIMIT: Final = 10
_NAME: Final = re.compile(r"(\w+)(?:\[(\w*)\])?", re.ASCII)
_PAGING: Final = frozenset({"limit", "expand", *CURSORS})
_MANY: Final = frozenset({"expand", "types"})
_TIMES: Final = frozenset({"arrival_date", "created"})
_BOUNDS: Final = MappingProxyType(
    {
        "": operator.eq,
        "gt": operator.gt,
        "gte": operator.ge,
        "lt": operator.lt,
        "lte": operator.le,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a list is asked for: an object is on it if every condition holds.

    `payout` is the payout whose balance transactions are wanted, if it is one payout's.
    """

    limit: int
    starting_after: str | None
    ending_before: str | None
    expand: Sequence[str]
    conditions: Sequence[Condition]
    payout: str | None = None


@dataclass(slots=True)
class _Read:
    """A query by the form of its names: `name`, `name[]` or `name[0]`, and `created` or `created[word]`."""

    single: dict[str, str] = field(default_factory=dict)
    many: dict[str, list[str]] = field(default_factory=dict)
    times: dict[tuple[str, str], str] = field(default_factory=dict)


def asked_of_list(query: Iterable[tuple[str, str]], resource: Resource) -> Asked:
    """Read the query of a list; raise Refusal for what Stripe would not understand either."""
    read = _read(query, resource.filters | _PAGING)
    _refuse_both(read.single, CURSORS)
    _refuse_both([*read.single, *read.many], ("type", "types"))
    filters = [name for name in read.single if name not in _PAGING]
    return Asked(
        limit=_limit(read.single.get("limit")),
        starting_after=read.single.get("starting_after"),
        ending_before=read.single.get("ending_before"),
        expand=tuple(read.many.get("expand", ())),
        payout=read.single.get("payout"),
        conditions=(
            *(_time(name, word, bound) for (name, word), bound in read.times.items()),
            *(_condition(resource, name, read.single[name]) for name in filters),
            *(_types(types) for types in [read.many.get("types")] if types is not None),
        ),
    )


def asked_of_one(query: Iterable[tuple[str, str]]) -> Sequence[str]:
    """Read the query for a single object: only what is to be expanded."""
    return tuple(_read(query, frozenset({"expand"})).many.get("expand", ()))


def _read(query: Iterable[tuple[str, str]], known: frozenset[str]) -> _Read:
    read = _Read()
    for name, value in query:
        shape = _NAME.fullmatch(name)
        base, key = shape.groups() if shape else ("", None)
        if base in _TIMES and base in known and (key or "") in _BOUNDS:
            read.times[base, key or ""] = value
        elif base in _MANY and base in known and key is not None and (not key or key.isdigit()):
            read.many.setdefault(base, []).append(value)
        elif base in known - _MANY - _TIMES and key is None:
            read.single[base] = value
        else:
            raise Refusal(
                f"Received unknown parameter: {name}", code="parameter_unknown", param=name
            )
    return read


def _refuse_both(given: Iterable[str], pair: tuple[str, str]) -> None:
    if set(pair) <= set(given):
        raise Refusal(
            f"You may only specify one of these parameters: {', '.join(pair)}.",
            code="parameters_exclusive",
            param=pair[0],
        )


def _integer(name: str, value: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,18}", value):
        raise Refusal(f"Invalid integer: {value}", code="parameter_invalid_integer", param=name)
    return int(value)


def _limit(given: str | None) -> int:
    limit = _DEFAULT_LIMIT if given is None else _integer("limit", given)
    if limit < 1:
        raise Refusal("This value must be greater than or equal to 1.", param="limit")
    if limit > LIMIT_MAX:
        raise Refusal(f"This value must be less than or equal to {LIMIT_MAX}.", param="limit")
    return limit


def _time(name: str, word: str, given: str) -> Condition:
    compare = _BOUNDS[word]
    bound = _integer(f"{name}[{word}]" if word else name, given)
    return lambda obj: bool(compare(obj[name], bound))


def _condition(resource: Resource, name: str, wanted: str) -> Condition:
    if resource is EVENT and name == "type":
        return lambda event: fnmatchcase(event["type"], wanted)
    if name == "delivery_success":
        is_delivered = _boolean(name, wanted)
        return lambda event: (event["pending_webhooks"] == 0) is is_delivered
    if name == "active":
        is_active = _boolean(name, wanted)
        return lambda link: link.get("active", True) is is_active
    return lambda obj: obj.get(name) == wanted


def _boolean(name: str, value: str) -> bool:
    if value not in {"true", "false"}:
        raise Refusal(f"Invalid boolean: {value}", param=name)
    return value == "true"


def _types(wanted: Sequence[str]) -> Condition:
    if len(wanted) > TYPES_MAX:
        raise Refusal(f"You may only specify up to {TYPES_MAX} types.", param="types")
    return lambda event: any(fnmatchcase(event["type"], each) for each in wanted)
