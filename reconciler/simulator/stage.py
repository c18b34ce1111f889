"""In which order do many stories play at once on one clock?"""

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from reconciler.simulator.scene import Scene, Story
from reconciler.simulator.stories import STORIES
from reconciler.simulator.world import DAY_MS, World


@dataclass(frozen=True, slots=True, order=True)
class _Step:
    at_ms: int
    serial: int
    steps: Iterator[int] = field(compare=False)


@dataclass
class Stage:
    """Plays stories step by step; with the same seed, stories and times it always tells the same.

    `day_ms` is how long a day lasts for the stories and their world, so that a demo need not wait for a bank debit.
    """

    world: World
    day_ms: int = field(default=DAY_MS, kw_only=True)
    _due: list[_Step] = field(default_factory=list, init=False)
    _added: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """Give the world days as long as those of the stories."""
        self.world.day_ms = self.day_ms

    def add(self, story: Story, at_ms: int) -> Scene:
        """Let a story begin at a moment; returns the scene that it plays in."""
        own = random.Random(f"{self.world.seed} story {self._added}")  # noqa: S311 - no secret
        scene = Scene(world=self.world, random=own, day_ms=self.day_ms)
        heapq.heappush(self._due, _Step(at_ms, self._added, story.play(scene)))
        self._added += 1
        return scene

    def next_ms(self) -> int | None:
        """When the next step is due; None when every story is told."""
        return self._due[0].at_ms if self._due else None

    def play(self, until_ms: int) -> int:
        """Take every step that is due until a moment, that moment included; returns how many there were."""
        taken = 0
        while self._due and self._due[0].at_ms <= until_ms:
            step = heapq.heappop(self._due)
            self.world.clock.reach(step.at_ms)
            taken += 1
            pause_ms = next(step.steps, None)
            if pause_ms is not None:
                heapq.heappush(self._due, _Step(step.at_ms + pause_ms, step.serial, step.steps))
        return taken


def cast(chance: random.Random, count: int) -> list[Story]:
    """Choose so many stories in a mixed order; every one at least once if there is room for all."""
    known = list(STORIES.values())
    whole, rest = divmod(count, len(known))
    chosen = known * whole + chance.sample(known, rest)
    chance.shuffle(chosen)
    return chosen
