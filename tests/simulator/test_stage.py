"""Do many stories play on one clock, in order, and always in the same way?"""

import json
import random

import pytest

from reconciler.simulator.scene import Story
from reconciler.simulator.stage import Stage, cast
from reconciler.simulator.stories import STORIES
from reconciler.simulator.world import World
from tests.simulator.app import END_MS, START_MS, new_world

MINUTE_MS = 60_000


def play_all(seed: int, *, day_ms: int = 86_400_000) -> World:
    """Play every story at once, in a mixed order."""
    world = new_world(seed)
    stage = Stage(world, day_ms=day_ms)
    for index, story in enumerate(cast(chance(seed), len(STORIES))):
        stage.add(story, START_MS + index * MINUTE_MS)
    stage.play(END_MS)
    assert stage.next_ms() is None
    return world


def chance(seed: int) -> random.Random:
    """A source of chance that always draws the same."""
    return random.Random(seed)  # noqa: S311 - a test needs no secrecy


def tale(world: World) -> str:
    """Everything that happened, as text."""
    return json.dumps([[each.at_ms, each.event] for each in world.happenings])


def test_it_tells_the_same_for_the_same_seed() -> None:
    """Two worlds of one seed make the same events, ids and moments included; another seed makes others."""
    assert tale(play_all(3)) == tale(play_all(3))
    assert tale(play_all(3)) != tale(play_all(4))


def test_it_lets_no_story_change_what_another_draws() -> None:
    """An invoice has the same amount, whoever else is on the stage at the same time."""
    card, link = STORIES["card_paid"], STORIES["link_paid"]
    alone, crowded = Stage(new_world()), Stage(new_world())

    first = alone.add(card, START_MS)
    again = crowded.add(card, START_MS)
    crowded.add(link, START_MS)
    alone.play(END_MS)
    crowded.play(END_MS)

    amounts = [
        stage.world.invoices[scene.invoices[0]].amount_due
        for stage, scene in ((alone, first), (crowded, again))
    ]
    assert amounts[0] == amounts[1]


def test_it_draws_anew_for_each_telling() -> None:
    """Two tellings of one story on one stage have amounts of their own."""
    stage = Stage(new_world())

    for _ in range(5):
        stage.add(STORIES["card_paid"], START_MS)
    stage.play(END_MS)

    assert len({each.amount_due for each in stage.world.invoices.values()}) == 5


def test_it_plays_in_the_order_of_time() -> None:
    """Steps of all stories come in time order, and the clock stands at each when it is taken."""
    world = play_all(5)

    moments = [each.at_ms for each in world.happenings]

    assert moments == sorted(moments)
    assert all(each.event["created"] == each.at_ms // 1000 for each in world.happenings)


def test_it_takes_only_what_is_due() -> None:
    """Playing until a moment takes the steps until then, and says when the next one is due."""
    world = new_world()
    stage = Stage(world)
    scene = stage.add(STORIES["card_paid"], START_MS + MINUTE_MS)

    assert stage.play(START_MS + MINUTE_MS - 1) == 0
    assert stage.next_ms() == START_MS + MINUTE_MS
    assert stage.play(START_MS + MINUTE_MS) == 1

    assert scene.invoices
    assert world.clock.now_ms() == START_MS + MINUTE_MS
    assert world.happenings == []


def test_it_takes_stories_that_are_due_together_in_the_order_of_adding() -> None:
    """Of two stories that begin in one moment, the first to be added has the first invoice."""
    stage = Stage(new_world())
    stories = [STORIES["yen_paid"], STORIES["dinar_paid"], STORIES["card_paid"]]

    scenes = [stage.add(each, START_MS) for each in stories]
    stage.play(START_MS)

    assert [scene.invoices for scene in scenes] == [["1001"], ["1002"], ["1003"]]


def test_it_can_shorten_its_days() -> None:
    """With days of a minute, a dispute that takes weeks is over within the hour."""
    world = play_all(6, day_ms=MINUTE_MS)

    last_ms = world.happenings[-1].at_ms

    assert last_ms - START_MS < (len(STORIES) + 60) * MINUTE_MS


@pytest.mark.parametrize(
    ("count", "at_least", "at_most"),
    [(1, 0, 1), (len(STORIES), 1, 1), (2 * len(STORIES) + 1, 2, 3)],
)
def test_it_casts_every_story_if_there_is_room(count: int, at_least: int, at_most: int) -> None:
    """Stories are chosen evenly, in an order that hangs on the seed alone."""
    chosen = cast(chance(1), count)

    times = [chosen.count(story) for story in STORIES.values()]

    assert len(chosen) == count
    assert (min(times), max(times)) == (at_least, at_most)
    assert chosen == cast(chance(1), count)


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_it_writes_the_invoice_before_stripe_speaks_of_it(story: Story) -> None:
    """The app's invoice is there before Stripe's first event."""
    world = new_world()
    invoices_at_event: list[int] = []
    world.on_event.append(lambda _: invoices_at_event.append(len(world.invoices)))

    stage = Stage(world)
    stage.add(story, START_MS)
    stage.play(END_MS)

    assert invoices_at_event
    assert min(invoices_at_event) == len(world.invoices)
