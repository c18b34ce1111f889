"""How can two pieces of knowledge be joined so that neither order nor repetition matters?

Each join below is commutative, associative and idempotent, and its result is never less than its arguments. A record of
such fields, joined field by field, inherits all four properties: it is a join semilattice. That is the whole reason why
webhooks may come twice, late and shuffled without harm; see `facts.py` for what each fact means.

A dataclass declares the join of a field with its default: `received_minor: int = rising()`.
"""

from collections.abc import Callable, Mapping
from dataclasses import field, fields
from functools import cache
from typing import Any, Final, TypeVar

from reconciler.core.observation import Span

F = TypeVar("F")
K = TypeVar("K")
Register = Mapping[K, Span]

_JOIN: Final = "join"


def _union(a: frozenset[Any], b: frozenset[Any]) -> frozenset[Any]:
    return a if b <= a else a | b


def _greatest(a: Any, b: Any) -> Any:
    if a is None or b is None:
        return b if a is None else a
    return max(a, b)


def _least(a: Any, b: Any) -> Any:
    if a is None or b is None:
        return b if a is None else a
    return min(a, b)


def _widest(a: Span, b: Span) -> Span:
    return Span(max(a.lo_ms, b.lo_ms), max(a.hi_ms, b.hi_ms))


def _by_key(
    join: Callable[[Any, Any], Any],
) -> Callable[[Mapping[Any, Any], Mapping[Any, Any]], Any]:
    def joined(a: Mapping[Any, Any], b: Mapping[Any, Any]) -> Mapping[Any, Any]:
        if not b or a == b:
            return a
        return {**a, **{key: join(a[key], b[key]) if key in a else b[key] for key in b}}

    return joined


def grows() -> frozenset[Any]:
    """Declare a set that only grows. One that should hold a single value and holds two is a contradiction, kept."""
    return field(default=frozenset(), metadata={_JOIN: _union})


def rises(default: Any = None) -> Any:
    """Declare a value of which the greatest counts; None is "nothing known yet"."""
    return field(default=default, metadata={_JOIN: _greatest})


def falls() -> Any:
    """Declare a value of which the least counts; None is "nothing known yet"."""
    return field(default=None, metadata={_JOIN: _least})


def register() -> Register[Any]:
    """Declare what oscillates: each value ever seen, with the latest bounds of when it was true; never pruned.

    Keeping only the undominated values looks simpler and depends on the order of arrival.
    """
    return field(default_factory=dict, metadata={_JOIN: _by_key(_widest)})


def earliest_by_key() -> Mapping[Any, Any]:
    """Declare a map whose keys only grow and whose values are the least seen of each."""
    return field(default_factory=dict, metadata={_JOIN: _by_key(_least)})


def merged_by_key() -> Mapping[Any, Any]:
    """Declare a map of facts, merged key by key."""
    return field(default_factory=dict, metadata={_JOIN: _by_key(merge)})


def merged(empty: Callable[[], F]) -> F:
    """Declare one nested record of facts."""
    return field(default_factory=empty, metadata={_JOIN: merge})


@cache
def _joins(kind: Any) -> tuple[tuple[str, Callable[[Any, Any], Any]], ...]:
    return tuple((each.name, each.metadata[_JOIN]) for each in fields(kind))


def merge(a: F, b: F) -> F:
    """Join two records of facts of one type, field by field."""
    if a == b:
        return a
    kind: Any = type(a)
    joined: F = kind(**{n: join(getattr(a, n), getattr(b, n)) for n, join in _joins(kind)})
    return joined


def current(values: Register[K]) -> frozenset[K]:
    """All values of a register that may be true now: those that no other value is certainly newer than.

    One value is the normal case; more than one means that the snapshots overlap and only another read can tell.
    """
    if not values:
        return frozenset()
    newest_lo_ms = max(span.lo_ms for span in values.values())
    return frozenset(value for value, span in values.items() if span.hi_ms >= newest_lo_ms)
