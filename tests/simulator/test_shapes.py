"""Whether objects and events look as they did in the API version that is asked for."""

import pytest

from reconciler.simulator.clock import Clock
from reconciler.simulator.shapes import VERSIONS, rendered, rendered_event
from reconciler.simulator.world import World
from tests.stripe_api import shapes

T0_MS = shapes.T0_S * 1000
V2019, V2022, BASIL, ENDIVE = VERSIONS


@pytest.fixture
def world() -> World:
    """Give a world with a PaymentIntent, its failed and its good charge, and a refund of the good one."""
    world = World(seed=1, clock=Clock(T0_MS))
    failed = shapes.charge("ch_1", status="failed")
    good = shapes.charge("ch_2", created=shapes.T0_S + 60)
    world.save(failed)
    world.save(shapes.payment_intent(status="requires_payment_method", charges=[failed]))
    world.clock.advance(60_000)
    world.save(good)
    world.save(shapes.payment_intent(charges=[failed, good]))
    world.clock.advance(60_000)
    world.save(shapes.refund(charge="ch_2"))
    return world


@pytest.mark.parametrize(
    ("version", "id_", "has", "has_not"),
    [
        (V2019, "pi_1", {"charges", "invoice"}, {"latest_charge"}),
        (V2022, "pi_1", {"latest_charge", "invoice"}, {"charges"}),
        (BASIL, "pi_1", {"latest_charge"}, {"charges", "invoice"}),
        (ENDIVE, "pi_1", {"latest_charge"}, {"charges", "invoice"}),
        (V2019, "ch_2", {"refunds", "invoice"}, set()),
        (V2022, "ch_2", {"invoice"}, {"refunds"}),
        (BASIL, "ch_2", set(), {"refunds", "invoice"}),
        (ENDIVE, "ch_2", set(), {"refunds", "invoice"}),
        (V2019, "re_1", set(), {"invoice", "charges", "refunds"}),
    ],
)
def test_it_shows_the_fields_of_the_version(
    world: World, version: str, id_: str, has: set[str], has_not: set[str]
) -> None:
    """Each version has the fields that Stripe's changelog says, and the world's own object stays as it is."""
    obj = world.get(id_)

    shown = rendered(obj, version, world)

    assert has <= shown.keys()
    assert not has_not & shown.keys()
    assert obj == world.get(id_)


def test_it_embeds_charges_newest_first_and_their_refunds(world: World) -> None:
    """The oldest version's PaymentIntent carries all that its newest one has to be asked for."""
    charges = rendered(world.get("pi_1"), V2019, world)["charges"]

    assert [each["id"] for each in charges["data"]] == ["ch_2", "ch_1"]
    assert [each["id"] for each in charges["data"][0]["refunds"]["data"]] == ["re_1"]
    assert charges["data"][1]["refunds"]["data"] == []
    assert (charges["object"], charges["has_more"], charges["total_count"]) == ("list", False, 2)


def test_it_embeds_only_the_newest_ten() -> None:
    """A longer list says that it has more."""
    world = World(seed=1, clock=Clock(T0_MS))
    for n in range(11):
        world.save(shapes.refund(f"re_{n}", created=shapes.T0_S + n))

    refunds = rendered(shapes.charge(), V2019, world)["refunds"]

    assert [each["id"] for each in refunds["data"]] == [f"re_{n}" for n in range(10, 0, -1)]
    assert (refunds["has_more"], refunds["total_count"]) == (True, 11)


def test_it_knows_in_an_event_only_what_was_before_it() -> None:
    """An event of an older version embeds the charges and refunds as they were when it was made."""
    world = World(seed=1, clock=Clock(T0_MS))
    world.save(shapes.charge("ch_1", status="failed"))
    intent = world.save(shapes.payment_intent(charges=[shapes.charge("ch_1")]))
    world.emit("payment_intent.payment_failed", intent)
    world.clock.advance(1)
    world.save(shapes.charge("ch_1", status="failed", disputed=True))
    world.save(shapes.charge("ch_2", created=shapes.T0_S + 60))
    world.save(shapes.refund(charge="ch_1"))

    event = rendered_event(world.happenings[0], V2019, world)

    charges = event["data"]["object"]["charges"]["data"]
    assert event["api_version"] == V2019
    assert [(each["id"], each["disputed"]) for each in charges] == [("ch_1", False)]
    assert charges[0]["refunds"]["data"] == []
    assert world.happenings[0].event["api_version"] == ENDIVE


@pytest.mark.parametrize(("latest", "expected"), [(None, []), ("ch_1", ["ch_1"])])
def test_it_shows_no_charge_that_came_after_the_snapshot(
    world: World, latest: str | None, expected: list[str]
) -> None:
    """A snapshot of the same millisecond still knows of no charge after its latest one."""
    snapshot = shapes.payment_intent() | {"latest_charge": latest}

    charges = rendered(snapshot, V2019, world)["charges"]["data"]

    assert [each["id"] for each in charges] == expected
