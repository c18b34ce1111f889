"""What does a whole month of a shop look like, with webhooks that never come?

All kinds of stories begin on every day of it and at every time of day, money goes to the bank, and what is not over with the
month goes on in the next one. With the same seed it is always the same month, whoever asks and however fast.
"""

import random
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from reconciler.simulator.clock import Clock
from reconciler.simulator.delivery import Deliveries, Send
from reconciler.simulator.faults import Faults, Rates
from reconciler.simulator.stage import Stage, cast
from reconciler.simulator.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """A month from its first instant in a zone until before the first of the next; `payments` stories begin in it.

    `lost` is the share of webhooks that never reach anybody, `banks` the currencies that are not converted.
    """

    first: date
    zone: tzinfo
    payments: int = 2000
    lost: float = 0.15
    seed: int = 1
    banks: frozenset[str] = frozenset({"usd"})

    @property
    def last(self) -> date:
        """The last day."""
        return (self.first + timedelta(days=31)).replace(day=1) - timedelta(days=1)

    @property
    def begin_ms(self) -> int:
        """Its first instant."""
        return _midnight_ms(self.first, self.zone)

    @property
    def end_ms(self) -> int:
        """The first instant after it."""
        return _midnight_ms(self.last + timedelta(days=1), self.zone)


@dataclass(frozen=True, slots=True)
class Played:
    """A month that is over, with its webhooks sent; what goes on in the next one is still on the stage."""

    month: Month
    world: World
    stage: Stage
    deliveries: Deliveries

    def go_on(self, until_ms: int) -> None:
        """Let the stories go on until a moment, and send what is due by then."""
        self.stage.play(until_ms)
        self.world.clock.reach(until_ms)
        self.deliveries.deliver(until_ms)


def play(month: Month, send: Send, *, secret: str) -> Played:
    """Play a month to its end; `send` gets each webhook that is not lost, as `Deliveries` has it."""
    faults = Faults(month.seed, Rates(lost=month.lost))
    world = World(seed=month.seed, clock=Clock(month.begin_ms), banks=month.banks)
    deliveries = Deliveries(world, faults, send, secret=secret)
    stage = Stage(world)
    chance = random.Random(f"{month.seed} month")  # noqa: S311 - no secret
    length_ms = month.end_ms - month.begin_ms
    for story in cast(chance, month.payments):
        stage.add(story, month.begin_ms + chance.randrange(length_ms))
    played = Played(month, world, stage, deliveries)
    played.go_on(month.end_ms - 1)
    return played


def _midnight_ms(day: date, zone: tzinfo) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * 1000
