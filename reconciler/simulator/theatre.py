"""How does the simulated Stripe perform as a process of its own?

It serves its API, plays its stories on a fast clock, sends its webhooks, and tells whoever started it what goes on through a
pipe. In the end it says what the truth is about every invoice.
"""

import random
import threading
import time
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Final, TypeAlias

from reconciler.simulator.api import Api, Key
from reconciler.simulator.clock import Clock
from reconciler.simulator.delivery import Deliveries, post_to
from reconciler.simulator.faults import Faults, Mishap, Rates
from reconciler.simulator.server import SimulatedStripe
from reconciler.simulator.stage import Stage, cast
from reconciler.simulator.truth import Truth, truth_of
from reconciler.simulator.world import AppInvoice, Happening, World

_TICK_S: Final = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Programme:
    """What is played: how many payments, from which moment of Stripe's on, how fast, and what goes wrong.

    `day_ms` is how long a day of the stories lasts on Stripe's clock, `opening_ms` within which time of it all have begun.
    """

    seed: int
    payments: int
    start_ms: int
    speed: float
    day_ms: int
    opening_ms: int
    rates: Rates
    api_key: str = field(repr=False)
    webhook_secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Opened:
    """The API answers at this address; the stories wait to hear where the webhooks go."""

    base_url: str


@dataclass(frozen=True, slots=True)
class Begun:
    """The stories play: Stripe's clock showed `start_ms` when ours showed `ours_s`, and runs `speed` times as fast."""

    start_ms: int
    ours_s: float
    speed: float

    def stripe_ms(self, ours_s: float) -> int:
        """What Stripe's clock shows at a moment of ours."""
        return self.start_ms + int((ours_s - self.ours_s) * 1000 * self.speed)


@dataclass(frozen=True, slots=True)
class Billed:
    """The app has written or changed an invoice."""

    invoice: AppInvoice


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """Stripe has made an event; `invoice_id` is whom it is about, "" where nobody can tell, `mishaps` what befalls it."""

    event_id: str
    type: str
    created_ms: int
    invoice_id: str
    mishaps: frozenset[Mishap]


@dataclass(frozen=True, slots=True)
class Played:
    """Every story has been told, and every webhook sent that will ever be sent.

    `titles` names the story of each invoice; the last event was made at `last_event_ms`.
    """

    truth: Truth
    titles: dict[str, str]
    last_event_ms: int


Message: TypeAlias = Opened | Begun | Billed | Made | Played


def perform(channel: Connection, programme: Programme) -> None:
    """Play a programme: tell `Opened`, hear the webhook's address, tell what goes on, and serve until the pipe closes."""
    clock = Clock(programme.start_ms)
    faults = Faults(programme.seed, programme.rates)
    world = World(seed=programme.seed, clock=clock, hidden_for_ms=faults.hidden_for_ms)
    api = Api(world, [Key(programme.api_key)], faults)
    with SimulatedStripe(api) as stripe:
        channel.send(Opened(stripe.base_url))
        _play(channel, programme, world, faults, str(channel.recv()))
        while not _is_closed(channel):
            pass


def _play(
    channel: Connection, programme: Programme, world: World, faults: Faults, webhook_url: str
) -> None:
    deliveries = Deliveries(
        world, faults, post_to(webhook_url), secret=programme.webhook_secret, retries=3
    )
    _Reporter(channel, world, deliveries)
    stage = Stage(world, day_ms=programme.day_ms)
    chance = random.Random(f"{programme.seed} cast")  # noqa: S311 - no secret
    scenes = [
        (stage.add(story, programme.start_ms + chance.randrange(programme.opening_ms)), story.title)
        for story in cast(chance, programme.payments)
    ]
    channel.send(Begun(programme.start_ms, time.time(), programme.speed))
    world.clock.run(programme.speed)
    told_all = threading.Event()
    posting = threading.Thread(target=_post, args=(world.clock, deliveries, told_all), daemon=True)
    posting.start()
    while stage.next_ms() is not None:
        stage.play(world.clock.now_ms())
        time.sleep(_TICK_S)
    told_all.set()
    posting.join()
    titles = {invoice_id: title for scene, title in scenes for invoice_id in scene.invoices}
    channel.send(Played(truth_of(world), titles, world.happenings[-1].at_ms))


def _post(clock: Clock, deliveries: Deliveries, told_all: threading.Event) -> None:
    """Send what is due; once all is told, send the late rest at once, for nobody wants to wait for it."""
    while not told_all.wait(_TICK_S):
        deliveries.deliver(clock.now_ms())
    while (due_ms := deliveries.due_ms()) is not None:
        deliveries.deliver(due_ms)


class _Reporter:
    """Tells the other end of the pipe what the world does; from several threads, one at a time."""

    def __init__(self, channel: Connection, world: World, deliveries: Deliveries) -> None:
        self._channel, self._world, self._deliveries = channel, world, deliveries
        self._lock = threading.Lock()
        world.on_event.append(self._made)
        world.on_invoice.append(self._billed)

    def _made(self, happening: Happening) -> None:
        event = happening.event
        obj = event["data"]["object"]
        names = [obj["id"], obj.get("payment_intent")]
        owner = next((self._world.meant[each] for each in names if each in self._world.meant), "")
        made = Made(
            event_id=event["id"],
            type=event["type"],
            created_ms=event["created"] * 1000,
            invoice_id=owner,
            mishaps=self._deliveries.fate[event["id"]].mishaps,
        )
        self._send(made)

    def _billed(self, invoice: AppInvoice) -> None:
        self._send(Billed(invoice))

    def _send(self, message: Message) -> None:
        with self._lock:
            self._channel.send(message)


def _is_closed(channel: Connection) -> bool:
    """Whether the other end is gone; waits a little for that."""
    try:
        if channel.poll(1.0):
            channel.recv()
    except (EOFError, OSError):
        return True
    return False
