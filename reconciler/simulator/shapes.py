"""How did the same object look in an older API version?

The world keeps objects in the newest shape. 2022-11-15 put `latest_charge` in the place of a PaymentIntent's `charges` and
took the refunds out of a charge (https://docs.stripe.com/changelog/2022-11-15); 2025-03-31.basil took `invoice` from both
(https://docs.stripe.com/changelog/basil).
"""

from collections.abc import Sequence
from typing import Final

from reconciler.simulator.world import NEWEST_VERSION, Happening, Json, World

V2022: Final = "2022-11-15"
BASIL: Final = "2025-03-31.basil"
VERSIONS: Final = ("2019-05-16", V2022, BASIL, NEWEST_VERSION)

# Stripe embeds only the newest of a list.
_EMBEDDED_MAX: Final = 10


def rendered(obj: Json, api_version: str, world: World, at_ms: int | None = None) -> Json:
    """Return an object of the newest shape, unexpanded, in the shape of an API version.

    What older shapes embed is looked up in the world: as it is now, or as it was at a moment. The object itself is left
    as it is.
    """
    if api_version >= BASIL or obj["object"] not in {"payment_intent", "charge"}:
        return dict(obj)
    shown = obj | {"invoice": None}
    if api_version >= V2022:
        return shown
    if obj["object"] == "charge":
        return shown | {"refunds": refunds_of(obj["id"], world, at_ms)}
    shown.pop("latest_charge", None)
    charges = [rendered(each, api_version, world, at_ms) for each in _charges(obj, world, at_ms)]
    return shown | {"charges": embedded(charges, f"/v1/charges?payment_intent={obj['id']}")}


def rendered_event(happening: Happening, api_version: str, world: World) -> Json:
    """Return an event as it was made for an API version: its object keeps the state of the event's moment."""
    event = happening.event
    data = dict(event["data"])
    if "id" in data["object"]:
        data["object"] = rendered(data["object"], api_version, world, happening.at_ms)
    return event | {"api_version": api_version, "data": data}


def refunds_of(charge_id: str, world: World, at_ms: int | None = None) -> Json:
    """Return the list of a charge's refunds, newest first, as older charges and expanded ones carry it."""
    found = _those_of("refund", "charge", charge_id, world, at_ms)
    return embedded(found, f"/v1/charges/{charge_id}/refunds")


def embedded(objects: Sequence[Json], url: str) -> Json:
    """Return a list that stands within another object."""
    return {
        "object": "list",
        "data": list(objects[:_EMBEDDED_MAX]),
        "has_more": len(objects) > _EMBEDDED_MAX,
        "total_count": len(objects),
        "url": url,
    }


def _charges(intent: Json, world: World, at_ms: int | None) -> list[Json]:
    """The charges of an intent, from the one that it calls the latest: a snapshot knows of none that came after it."""
    latest = intent.get("latest_charge")
    if latest is None:
        return []
    found = _those_of("charge", "payment_intent", intent["id"], world, at_ms)
    ids = [each["id"] for each in found]
    return found[ids.index(latest) :] if latest in ids else found


def _those_of(kind: str, field: str, id_: str, world: World, at_ms: int | None) -> list[Json]:
    with world.lock:
        found = [each["id"] for each in world.rows(kind) if each.get(field) == id_]
        if at_ms is None:
            return [world.get(each) for each in found]
        past = [world.as_of(each, at_ms) for each in found]
    return [each for each in past if each is not None]
