"""Whether a list is read whole, each object once, and one that can't be is never taken for whole."""

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.stripe_api.envelope import read_listed_event
from reconciler.stripe_api.pager import Page, pages
from reconciler.stripe_api.problems import ProblemKind, Stopped, StripeProblem
from tests.stripe_api.answering import (
    DATE_MS,
    LOST,
    Answering,
    Asked,
    Bench,
    Said,
    bench,
    listed,
    said_json,
    shelf,
)
from tests.stripe_api.shapes import Json, charge, event

FILTERS = {"created": {"gte": 5, "lt": 9}, "types": ["charge.failed", "charge.pending"]}


def objects(count: int, start: int = 0) -> list[Json]:
    """Return small objects with ids."""
    return [{"id": f"evt_{n}", "n": n} for n in range(start, start + count)]


def read(asking: Bench, pages_max: int = 1000) -> tuple[list[Page], StripeProblem | None]:
    """Read a list as far as it goes: the pages, and the problem at which it ended, if it did."""
    found: list[Page] = []
    try:
        for page in pages(asking.gateway, "/v1/events", FILTERS, pages_max=pages_max):
            found.append(page)  # noqa: PERF402 - the pages before a problem count
    except StripeProblem as problem:
        return found, problem
    return found, None


def told(found: list[Page]) -> list[Any]:
    """Return what all the pages hold."""
    return [json.loads(raw) for page in found for raw in page.objects]


@pytest.mark.parametrize(
    ("count", "sizes"),
    [(0, [0]), (1, [1]), (100, [100]), (101, [100, 1]), (250, [100, 100, 50])],
)
def test_it_reads_a_list_to_its_end(count: int, sizes: list[int]) -> None:
    """Every object comes once, in Stripe's order, and only the last page says that it is the last."""
    asking = bench(shelf(objects(count)))

    found, problem = read(asking)

    assert problem is None
    assert told(found) == objects(count)
    assert [len(page.objects) for page in found] == sizes
    assert [page.is_last for page in found] == [False] * (len(sizes) - 1) + [True]


def test_it_keeps_its_filters_on_every_page() -> None:
    """A page asked for without them would bring what nobody wanted; pages are as big as Stripe allows."""
    asking = bench(shelf(objects(250)))

    read(asking)

    filters = {
        "created[gte]": ["5"],
        "created[lt]": ["9"],
        "types[0]": ["charge.failed"],
        "types[1]": ["charge.pending"],
        "limit": ["100"],
    }
    after = [{}, {"starting_after": ["evt_99"]}, {"starting_after": ["evt_199"]}]
    assert [each.query for each in asking.asked] == [filters | cursor for cursor in after]


def test_it_leaves_the_filters_of_its_caller_alone() -> None:
    """The same question can be asked again: no cursor is left behind in it."""
    before = json.dumps(FILTERS)

    read(bench(shelf(objects(250))))

    assert json.dumps(FILTERS) == before


def test_it_says_of_each_page_when_it_was_true() -> None:
    """A page has the span and the id of its own request."""
    asking = bench(shelf(objects(101)))

    found, _ = read(asking)

    assert [page.request_id for page in found] == ["req_1", "req_2"]
    assert {page.span for page in found} == {(DATE_MS - 5000, DATE_MS + 999)}


def test_it_asks_for_a_page_only_when_the_one_before_is_taken() -> None:
    """Whoever stores page after page holds one at a time."""
    asking = bench(shelf(objects(250)))

    next(pages(asking.gateway, "/v1/events", FILTERS))

    assert len(asking.asked) == 1


ENDLESS: dict[str, list[Said]] = {
    "an empty page that promises more": [listed(has_more=True)],
    "the same page again": [listed(*objects(2), has_more=True)],
    "an old page again": [
        listed(*objects(2), has_more=True),
        listed(*objects(2, 2), has_more=True),
        listed(*objects(2), has_more=True),
    ],
    "no object that a cursor could name": [listed({"n": 1}, 7, None, has_more=True)],
}


@pytest.mark.parametrize("answers", ENDLESS.values(), ids=ENDLESS.keys())
def test_it_ends_where_a_list_would_not(answers: list[Said]) -> None:
    """A page that brings nothing new and promises more is the end, and the list counts as not read."""
    asking = bench(answers)

    found, problem = read(asking)

    assert problem is not None
    assert problem.kind is ProblemKind.UNREADABLE
    assert len(asking.asked) <= len(answers) + 1
    assert not any(page.is_last for page in found)


def test_it_reads_no_more_pages_than_it_was_allowed() -> None:
    """A list that always brings something new ends at the limit, as not read."""

    def more_and_more(question: Asked) -> Said:
        [after] = question.query.get("starting_after", ["evt_0"])
        return listed(*objects(1, int(after[4:]) + 1), has_more=True)

    asking = bench(more_and_more)

    found, problem = read(asking, pages_max=3)

    assert problem is not None
    assert (len(asking.asked), len(found)) == (3, 3)
    assert not any(page.is_last for page in found)


def test_it_reads_a_list_that_ends_with_the_last_page_allowed() -> None:
    """The limit is the number of pages that may be read, not one less."""
    found, problem = read(bench(shelf(objects(250))), pages_max=3)

    assert (len(found), problem) == (3, None)


def test_it_passes_on_what_two_pages_have_only_once() -> None:
    """When the list moves between two requests, what was seen is dropped and what is new is kept."""
    asking = bench([listed(*objects(3), has_more=True), listed(*objects(3, 2))])

    found, _ = read(asking)

    assert told(found) == objects(5)


@pytest.mark.parametrize(
    "odd",
    [{}, {"n": 1}, {"id": None}, {"id": 7}, {"id": ""}, {"id": "a\x00b"}, [], "x", 7, None, True],
    ids=repr,
)
def test_it_passes_on_an_object_without_an_id(odd: Any) -> None:
    """Only whoever wanted the objects can judge one; it is never dropped and never a cursor."""
    asking = bench([listed(*objects(1), odd, has_more=True), listed(odd, *objects(1, 1))])

    found, problem = read(asking)

    assert problem is None
    assert told(found) == [*objects(1), odd, odd, *objects(1, 1)]
    assert asking.asked[1].query["starting_after"] == ["evt_0"]


@pytest.mark.parametrize("text", ["\ud800", "\udc00x", "\udc00\ud800"], ids=ascii)
def test_it_reads_a_page_with_a_lone_surrogate_in_it(text: str) -> None:
    """One customer's broken name costs only its own letter: every event of the page is read."""
    bad = event("charge.failed", charge(description=f"a{text}b"), id="evt_bad")
    asking = bench([listed(event("charge.failed", charge()), bad)])

    found, problem = read(asking)

    events = [read_listed_event(raw) for page in found for raw in page.objects]
    assert problem is None
    assert [each.id for each in events] == ["evt_1", "evt_bad"]
    clean = text.replace("\ud800", "\ufffd").replace("\udc00", "\ufffd")
    assert events[1].object["description"] == f"a{clean}b"


@pytest.mark.parametrize(
    "root",
    [
        {}, [], None, 7, {"object": "list"}, {"object": "list", "data": []},
        {"object": "list", "data": None, "has_more": False}, {"object": "list", "data": {}, "has_more": False},
        {"object": "list", "data": [], "has_more": None}, {"object": "list", "data": [], "has_more": "false"},
        {"object": "event", "data": [], "has_more": False}, {"object": 7, "data": [], "has_more": False},
        {"object": "list", "data": "x\ud800", "has_more": False},
    ],
    ids=ascii,
)  # fmt: skip
def test_it_takes_nothing_else_for_a_list(root: Any) -> None:
    """What is no list is never an empty one: there is a problem and no page, after one question."""
    asking = bench([said_json(root)])

    found, problem = read(asking)

    assert found == []
    assert problem is not None
    assert (problem.kind, len(asking.asked)) == (ProblemKind.UNREADABLE, 1)


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ([LOST], ProblemKind.UNAVAILABLE),
        ([Said(500)], ProblemKind.UNAVAILABLE),
        ([Said(403)], ProblemKind.FORBIDDEN),
        ([Said(200, b"<html>")], ProblemKind.UNREADABLE),
        ([Said(date=None)], ProblemKind.UNREADABLE),
    ],
)
def test_it_passes_on_why_there_is_no_page(answers: list[Said], kind: ProblemKind) -> None:
    """A list that breaks off in the middle gave what came before, and did not end."""
    found, problem = read(bench([listed(*objects(2), has_more=True), *answers]))

    assert [page.is_last for page in found] == [False]
    assert problem is not None
    assert problem.kind is kind


def test_it_tells_a_cursor_that_is_too_old_from_an_empty_list() -> None:
    """Stripe refuses a cursor that it no longer has, and that is what comes out."""

    def forgetful(question: Asked) -> Said:
        remembered: Answering = shelf([] if "starting_after" in question.query else objects(200))
        return remembered(question)

    asking = bench(forgetful)

    found, problem = read(asking)

    assert problem is not None
    assert (problem.kind, len(found)) == (ProblemKind.REFUSED, 1)


def test_it_stops_between_pages_when_it_must() -> None:
    """A long list does not hold up the end of the program."""
    asking = bench(shelf(objects(250)))
    walk = pages(asking.gateway, "/v1/events", FILTERS)

    next(walk)
    asking.stop.set()

    with pytest.raises(Stopped):
        next(walk)
    assert len(asking.asked) == 1


def test_it_tells_nobody_what_a_page_holds() -> None:
    """Names and addresses in the objects are seen neither in a page's repr nor in a problem."""
    person = {"id": "evt_1", "email": "jenny@canary.example"}

    [page], _ = read(bench([listed(person)]))
    _, problem = read(bench([said_json({"object": "list", "data": person, "has_more": False})]))

    assert "canary" not in repr(page) + repr(problem)


plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None))
trees = st.recursive(
    plain, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10
)
named = st.fixed_dictionaries({"id": st.sampled_from(["a", "b", "c"])}, optional={"x": trees})


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.lists(trees | named), st.booleans()), min_size=1, max_size=4))
def test_it_answers_any_list_with_pages_or_a_problem(answers: list[tuple[list[Any], bool]]) -> None:
    """However odd the objects, there are pages, a problem, and no third thing; and no id comes twice running."""
    asking = bench([listed(*data, has_more=has_more) for data, has_more in answers])

    found, problem = read(asking, pages_max=10)

    assert problem is not None or found[-1].is_last
    ids = [
        {each["id"] for each in told([page]) if isinstance(each, dict) and each.get("id") in {"a", "b", "c"}}
        for page in found
    ]  # fmt: skip
    assert not any(one & other for one, other in pairwise(ids))
