"""What does Stripe really send? Every event of every story, in every shape, and a thin one for each kind of object."""

from dataclasses import asdict
from functools import cache
from typing import Any

from reconciler.simulator.clock import Clock
from reconciler.simulator.shapes import VERSIONS, rendered_event
from reconciler.simulator.stage import Stage
from reconciler.simulator.stories import STORIES
from reconciler.simulator.world import Json, World
from tests.stripe_api.shapes import thin_event

START_MS = 1_790_000_000_000
END_MS = START_MS + 400 * 86_400_000


@cache
def stories() -> World:
    """Play all stories to their end, once a process."""
    world = World(seed=7, clock=Clock(START_MS))
    stage = Stage(world)
    for story in STORIES.values():
        stage.add(story, START_MS)
    stage.play(END_MS)
    return world


@cache
def events() -> tuple[Json, ...]:
    """All events, told in each API version; a thin one beside each first of its type."""
    world = stories()
    told = [
        rendered_event(each, version, world) for each in world.happenings for version in VERSIONS
    ]
    firsts = {each["type"]: each for each in told}
    thin = [
        thin_event(f"v1.{type_}", (_kind(each), str(each["data"]["object"].get("id", "x"))))
        for type_, each in firsts.items()
    ]
    return (*told, *thin, thin_event("v2.core.account.updated", None))


def invoices() -> list[dict[str, Any]]:
    """The rows of the app's invoices that these stories pay."""
    return [asdict(each) for each in stories().invoices.values()]


def _kind(event: Json) -> str:
    return str(event["data"]["object"]["object"])
