"""Which objects stand on one page of a list?

Newest first, whichever way it is paged: https://docs.stripe.com/api/pagination
"""

from collections.abc import Sequence

from reconciler.simulator.api.expansion import Expansion
from reconciler.simulator.api.parameters import Asked
from reconciler.simulator.api.resources import EVENT, Resource
from reconciler.simulator.api.shelves import Shelves, is_aged_out, missing
from reconciler.simulator.api.wire import BAD_REQUEST, Refusal
from reconciler.simulator.world import Json


def page(resource: Resource, asked: Asked, shelves: Shelves) -> Json:
    """Return a page as Stripe's list object; raise Refusal for a cursor that names nothing, or nothing any more."""
    _refuse_by_hand(asked, shelves)
    rows = shelves.known(_beyond_cursor(resource, asked, shelves))
    wanted = [each for each in rows if all(holds(each) for holds in asked.conditions)]
    # Before a cursor stand the objects next to it, not the newest of all.
    cut = wanted[-asked.limit :] if asked.ending_before is not None else wanted[: asked.limit]
    return listed(resource, cut, asked, shelves, has_more=len(wanted) > asked.limit)


def listed(
    resource: Resource, objects: Sequence[Json], asked: Asked, shelves: Shelves, *, has_more: bool
) -> Json:
    """Return objects as a page, as they are shown and expanded."""
    body: Json = {
        "object": "list",
        "data": [shelves.shown(each) for each in objects],
        "has_more": has_more,
        "url": f"/v1/{resource.path}",
    }
    expand(resource, body, asked.expand, shelves)
    return body


def expand(resource: Resource, body: Json, paths: Sequence[str], shelves: Shelves) -> None:
    """Expand a page or an object in place; raise Refusal for an event, which stays as it was made."""
    if resource is EVENT and paths:
        raise Refusal(f"This property cannot be expanded ({paths[0]}).", param="expand")
    Expansion(shelves.expanded, shelves.refunds_of).expand(body, paths)


def cursor_of(asked: Asked) -> tuple[str, str] | None:
    """The parameter that holds a list's cursor, and the cursor."""
    if asked.starting_after is not None:
        return "starting_after", asked.starting_after
    if asked.ending_before is not None:
        return "ending_before", asked.ending_before
    return None


def _beyond_cursor(resource: Resource, asked: Asked, shelves: Shelves) -> Sequence[Json]:
    """The rows older or newer than the cursor, which need not meet the list's conditions itself."""
    rows = shelves.all(resource)
    cursor = cursor_of(asked)
    if cursor is None:
        return rows
    param, id_ = cursor
    place = next((i for i, row in enumerate(rows) if row["id"] == id_), None)
    if place is None:
        if resource is EVENT:
            _refuse_aged_out(id_, param, shelves)
        raise missing(resource, id_, param, status=BAD_REQUEST)
    return rows[place + 1 :] if param == "starting_after" else rows[:place]


def _refuse_by_hand(asked: Asked, shelves: Shelves) -> None:
    """Of a payout that somebody asked for, Stripe does not tell what is in it."""
    payout = shelves.world.find(asked.payout) if asked.payout else None
    if payout is not None and not payout.get("automatic", True):
        raise Refusal(
            "Balance transaction history can only be filtered on automatic transfers, not manual."
        )


def _refuse_aged_out(id_: str, param: str, shelves: Shelves) -> None:
    now_ms = shelves.world.clock.now_ms()
    for each in shelves.world.happenings:
        if each.event["id"] == id_ and is_aged_out(each, now_ms):
            raise aged_out(id_, param)


def aged_out(id_: str, param: str) -> Refusal:
    """The error for an event that was once on the list."""
    return Refusal(f"The event '{id_}' has aged out of our retention policy.", param=param)
