"""Whether the list server of the benchmarks pages as Stripe does, and refuses what comes too soon."""

import json
from typing import Any

import pytest

from benchmarks.list_server import Allowance
from benchmarks.shelf import EVERY_S, NEWEST_S, Shelf

OLDEST_S = NEWEST_S - 249 * EVERY_S


def walked(shelf: Shelf, **query: str) -> list[dict[str, Any]]:
    """Read a list to its end, page by page."""
    found: list[dict[str, Any]] = []
    for _ in range(4):
        page = json.loads(shelf.page(query))
        found += page["data"]
        if not page["has_more"]:
            return found
        query["starting_after"] = found[-1]["id"]
    raise AssertionError("the list does not come to its end")


@pytest.mark.parametrize(
    ("since_s", "until_s"),
    [
        (0, NEWEST_S + 1),
        (OLDEST_S, NEWEST_S),
        (OLDEST_S + 1, NEWEST_S - EVERY_S + 1),
        (NEWEST_S, NEWEST_S + 100),
        (NEWEST_S + 1, NEWEST_S + 100),
        (0, OLDEST_S),
    ],
)
def test_it_lists_each_object_of_a_window_once(since_s: int, until_s: int) -> None:
    """Page after page gives what was created in the window, lower bound included and upper one not, newest first."""
    every = [NEWEST_S - place * EVERY_S for place in range(250)]

    found = walked(Shelf(count=250), **{"created[gte]": str(since_s), "created[lt]": str(until_s)})

    assert [each["created"] for each in found] == [at for at in every if since_s <= at < until_s]
    assert len({each["id"] for each in found}) == len(found)


def test_it_fills_its_pages() -> None:
    """A page has a hundred objects, or as many as were asked for, and says truly whether there are more."""
    shelf = Shelf(count=200)

    first = json.loads(shelf.page({"limit": "100"}))
    last = json.loads(shelf.page({"limit": "100", "starting_after": first["data"][-1]["id"]}))

    assert [(len(page["data"]), page["has_more"]) for page in (first, last)] == [
        (100, True),
        (100, False),
    ]


def test_it_has_some_that_were_never_paid() -> None:
    """Each fifth waits for a payment method; the others succeeded, each with a charge of its own."""
    found = walked(Shelf(count=10, unpaid_every=5))

    assert [at for at, each in enumerate(found) if each["status"] != "succeeded"] == [0, 5]
    charges = {each["latest_charge"] for each in found}
    assert (None in charges, len(charges)) == (True, 9)


def test_it_allows_no_more_than_it_was_told() -> None:
    """Of a hundred requests a second for four seconds it answers what a bucket of 25 that fills evenly lets through."""
    allowance = Allowance(25, now_s=0)

    answered = sum(allowance.permits(n / 100) for n in range(400))

    assert answered == 25 + 99
