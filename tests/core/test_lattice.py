"""Whether knowledge can be joined in any order, with any repetition, and never shrinks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.lattice import (
    Register,
    current,
    earliest_by_key,
    falls,
    grows,
    merge,
    merged,
    merged_by_key,
    register,
    rises,
)
from reconciler.core.observation import Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaf:
    """One field of every plain join."""

    words: frozenset[str] = grows()
    most: int = rises(0)
    latest: int | None = rises()
    first: int | None = falls()
    values: Register[str] = register()  # noqa: RUF009
    attempts: Mapping[str, int] = earliest_by_key()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """One field of every join of whole records."""

    leaf: Leaf = merged(Leaf)  # noqa: RUF009
    leaves: Mapping[str, Leaf] = merged_by_key()


numbers = st.integers(0, 5)
keys = st.sampled_from("ab")
spans = st.builds(lambda lo_ms, ms: Span(lo_ms, lo_ms + ms), numbers, numbers)
leaf_records = st.builds(
    Leaf,
    words=st.frozensets(keys),
    most=numbers,
    latest=st.none() | numbers,
    first=st.none() | numbers,
    values=st.dictionaries(keys, spans),
    attempts=st.dictionaries(keys, numbers),
)
trees = st.builds(Tree, leaf=leaf_records, leaves=st.dictionaries(keys, leaf_records))


@given(trees, trees)
def test_it_joins_two_in_either_order(a: Tree, b: Tree) -> None:
    """Merging is commutative: who spoke first leaves no trace."""
    assert merge(a, b) == merge(b, a)


@given(trees, trees, trees)
def test_it_joins_three_in_any_grouping(a: Tree, b: Tree, c: Tree) -> None:
    """Merging is associative: batches may be cut anywhere."""
    assert merge(merge(a, b), c) == merge(a, merge(b, c))


@given(trees, trees)
def test_it_hears_nothing_new_in_a_repetition(a: Tree, b: Tree) -> None:
    """Merging is idempotent, and what was joined absorbs both of its parts."""
    both = merge(a, b)

    assert merge(a, a) == a
    assert merge(both, a) == both
    assert merge(both, b) == both


@given(trees)
def test_it_learns_nothing_from_an_empty_record(a: Tree) -> None:
    """The empty record is the neutral element: "nothing known yet"."""
    assert merge(a, Tree()) == a
    assert merge(Tree(), a) == a


@pytest.mark.parametrize(
    ("field", "a", "b", "joined"),
    [
        pytest.param("words", {"x"}, {"y"}, {"x", "y"}, id="a set keeps both"),
        pytest.param("most", 3, 2, 3, id="the greatest stays"),
        pytest.param("latest", None, 0, 0, id="something is more than nothing, zero included"),
        pytest.param("first", 3, 2, 2, id="the least stays"),
        pytest.param("first", None, 4, 4, id="a least is known once one is"),
        pytest.param(
            "values",
            {"x": Span(1, 5)},
            {"x": Span(2, 3)},
            {"x": Span(2, 5)},
            id="a value of a register is bounded by the latest of both ends",
        ),
        pytest.param(
            "values",
            {"x": Span(1, 1)},
            {"y": Span(9, 9)},
            {"x": Span(1, 1), "y": Span(9, 9)},
            id="a register never forgets what was outdated",
        ),
        pytest.param("attempts", {"x": 5}, {"x": 3, "y": 9}, {"x": 3, "y": 9}, id="least by key"),
    ],
)
def test_it_joins_each_field_by_its_own_rule(field: str, a: Any, b: Any, joined: Any) -> None:
    """A field's default says how it is joined, and no field is joined in another way."""
    frozen = frozenset if field == "words" else type(a) if a is not None else int

    both = merge(Leaf(**{field: frozen(a) if a is not None else None}), Leaf(**{field: frozen(b)}))

    assert getattr(both, field) == joined


@given(trees, trees)
def test_it_leaves_what_it_was_given_untouched(a: Tree, b: Tree) -> None:
    """The maps inside a record are shared, so a join may never write into them."""
    before = (repr(a), repr(b))

    merge(a, b)

    assert (repr(a), repr(b)) == before


@pytest.mark.parametrize(
    ("values", "now"),
    [
        pytest.param({}, "", id="nothing seen, nothing current"),
        pytest.param({"x": Span(0, 9)}, "x", id="one value is the value"),
        pytest.param({"x": Span(0, 9), "y": Span(10, 19)}, "y", id="a later span wins"),
        pytest.param({"x": Span(0, 10), "y": Span(10, 19)}, "xy", id="a shared moment decides not"),
        pytest.param({"x": Span(0, 99), "y": Span(10, 19)}, "xy", id="an overlap decides nothing"),
        pytest.param({"x": Span(5, 5), "y": Span(5, 5)}, "xy", id="a tie decides nothing"),
        pytest.param(
            {"x": Span(0, 4), "y": Span(3, 9), "z": Span(5, 6)}, "yz", id="two of three overlap"
        ),
    ],
)
def test_it_calls_current_what_no_other_value_is_certainly_newer_than(
    values: Register[str], now: str
) -> None:
    """Nothing is ordered within a span; only a gap between two spans makes one value outdated."""
    assert current(values) == frozenset(now)


@given(st.dictionaries(st.sampled_from("abcd"), spans, min_size=1))
def test_it_always_calls_something_current(values: Register[str]) -> None:
    """A register that saw anything has at least one current value, by the plain definition."""
    by_definition = {
        value
        for value, span in values.items()
        if not any(other.lo_ms > span.hi_ms for other in values.values())
    }

    assert current(values) == by_definition
    assert current(values)
