"""What does the replica know that answers one request?

Stripe answers from replicas, and one of them may be some seconds behind.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from reconciler.simulator.api.keys import Key
from reconciler.simulator.api.resources import BY_KIND, EVENT, Resource
from reconciler.simulator.api.wire import NOT_FOUND, Refusal
from reconciler.simulator.shapes import refunds_of, rendered, rendered_event
from reconciler.simulator.world import NEWEST_VERSION, Happening, Json, World

RETENTION_MS: Final = 30 * 86_400_000


@dataclass(frozen=True, slots=True)
class Shelves:
    """The objects as one request sees them: with a key, in an API version, as of a moment or, if None, as of now."""

    world: World
    key: Key
    api_version: str
    at_ms: int | None = None

    def one(self, resource: Resource, id_: str, param: str = "id") -> Json:
        """An object by its id, as it is shown; raises Refusal if there is none."""
        found = self._event(id_) if resource is EVENT else self._object(id_)
        if found is None or found["object"] != resource.kind:
            raise missing(resource, id_, param)
        return self.shown(found)

    def all(self, resource: Resource) -> Sequence[Json]:
        """All objects of a kind, newest first, as they are kept now; events only as long as they are listed."""
        if resource is not EVENT:
            return self.world.rows(resource.kind)
        events = [each.event for each in reversed(self.world.happenings) if self._is_listed(each)]
        return sorted(events, key=lambda event: -event["created"])

    def known(self, objects: Sequence[Json]) -> Sequence[Json]:
        """Those of some objects that the replica has heard of, as it knows them."""
        if self.at_ms is None:
            return objects
        past = [
            each if each["object"] == EVENT.kind else self.world.as_of(each["id"], self.at_ms)
            for each in objects
        ]
        return [each for each in past if each is not None]

    def shown(self, obj: Json) -> Json:
        """An object as it is shown: in the shape of the version, an event in that of its own."""
        if obj["object"] == EVENT.kind:
            return self._shown_event(obj)
        resource = BY_KIND.get(obj["object"])
        unserved = resource.unserved if resource else frozenset()
        kept = {name: value for name, value in obj.items() if name not in unserved}
        return rendered(kept, self.api_version, self.world, self.at_ms)

    def expanded(self, id_: str) -> Json | None:
        """An object for the place of its id; raises Refusal if the key may not read it."""
        found = self._object(id_)
        if found is None:
            return None
        self.key.require(found["object"].replace(".", "_"), self.world.account_id)
        return self.shown(found)

    def refunds_of(self, charge_id: str) -> Json:
        """The list of a charge's refunds; raises Refusal if the key may not read them."""
        self.key.require("refund", self.world.account_id)
        return refunds_of(charge_id, self.world, self.at_ms)

    def _shown_event(self, event: Json) -> Json:
        if event["api_version"] == NEWEST_VERSION:
            return event
        happening = next(each for each in self.world.happenings if each.event is event)
        return rendered_event(happening, event["api_version"], self.world)

    def _object(self, id_: str) -> Json | None:
        """What the replica knows of an object; of one that it has not heard of yet, it asks the primary."""
        past = None if self.at_ms is None else self.world.as_of(id_, self.at_ms)
        return past or self.world.find(id_)

    def _event(self, id_: str) -> Json | None:
        events = (each.event for each in self.world.happenings if self._is_listed(each))
        return next((event for event in events if event["id"] == id_), None)

    def _is_listed(self, happening: Happening) -> bool:
        """Stripe lists an event a moment after it was made, and for 30 days."""
        now_ms = self.world.clock.now_ms()
        return happening.visible_ms <= now_ms and not is_aged_out(happening, now_ms)


def is_aged_out(happening: Happening, now_ms: int) -> bool:
    """Whether an event is too old to be read: https://docs.stripe.com/api/events"""
    return happening.at_ms < now_ms - RETENTION_MS


def missing(resource: Resource, id_: str, param: str, *, status: int = NOT_FOUND) -> Refusal:
    """The error for an id that names nothing."""
    word = resource.right
    return Refusal(f"No such {word}: '{id_}'", status=status, code="resource_missing", param=param)
