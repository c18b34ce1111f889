"""Programs are killed, servers stopped and connections cut while payments pour in: is everything there in the end, once?

Two webhooks, two daemons and a run of finance work on one database. Payments happen all the time; their events are sent until
they get a 200, but for some that are lost, and some that are sent twice. In the end the books must be as the simulated Stripe
knows them to be. What happens is drawn from the seed; in which order threads and processes meet is not, and differs each time.
"""

import http.client
import os
import queue
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

from reconciler.apply import Policy
from reconciler.simulator import till
from reconciler.simulator.api import Api, Key
from reconciler.simulator.clock import Clock
from reconciler.simulator.server import SimulatedStripe
from reconciler.simulator.shapes import rendered_event
from reconciler.simulator.world import NEWEST_VERSION, AppInvoice, Happening, Json, World
from tests import truth
from tests.journeys.programs import KEY, children
from tests.journeys.stories import Sender
from tests.torture import books
from tests.torture.ground import Ground, Unfit, Victim, wait_until, wait_until_ready
from tests.torture.outcome import Outcome
from tests.torture.told import begin_books

SENDERS: Final = 4
INVOICES: Final = 600
CALM_WITHIN_S: Final = 120.0
_LOST, _TWICE, _UNREAD, _HASTE = 0.1, 0.1, 0.03, 0.2
_WAITING_MAX: Final = 40
_PAUSE_S: Final = (0.01, 0.12)
# How many of the webhooks that are killed at work lose only the process that stores.
_WRITERS: Final = 0.3
# The documented exit code of a program that failed, and how long a start may take on a busy machine.
_REFUSED: Final = 3
_BEGINS_S: Final = 8.0

Blow = Callable[["Storm"], str]


@dataclass
class Storm:
    """One storm: who plays in it, and what has happened so far."""

    ground: Ground
    seed: int
    world: World
    cast: dict[str, Victim] = field(default_factory=dict)
    began_s: dict[str, float] = field(default_factory=dict)
    figures: Counter[str] = field(default_factory=Counter)
    acknowledged: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    waiting: "queue.Queue[Json]" = field(default_factory=queue.Queue)
    under_way: int = 0
    is_over: bool = False

    def __post_init__(self) -> None:
        """Draw everything from the seed."""
        self.chance = Random(f"{self.seed} storm")  # noqa: S311 - no secret
        self._luck = Random(f"{self.seed} luck")  # noqa: S311 - no secret
        self._lock = threading.Lock()
        self.world.on_event.append(self._made)

    # What happens at Stripe

    def _made(self, happening: Happening) -> None:
        fate = self._luck.random()
        if fate < _LOST:
            self.figures["webhooks lost on purpose"] += 1
            return
        event = rendered_event(happening, NEWEST_VERSION, self.world)
        for _ in range(2 if fate < _LOST + _TWICE else 1):
            self.waiting.put(event)

    def tell(self) -> None:
        """Let payments happen as fast as their events are taken; replay old ones when every invoice is paid."""
        chance = Random(f"{self.seed} tell")  # noqa: S311 - no secret
        left = list(self.world.invoices.values())
        while not self.is_over:
            if self.waiting.qsize() > _WAITING_MAX:
                time.sleep(0.005)
            elif left:
                self._pay(chance, left.pop())
            else:
                happening = chance.choice(self.world.happenings)
                self.waiting.put(rendered_event(happening, NEWEST_VERSION, self.world))

    def _pay(self, chance: Random, invoice: AppInvoice) -> None:
        named = {"invoice_id": invoice.number}
        amount = invoice.amount_due
        for part in (amount // 3, amount - amount // 3) if chance.random() < 0.3 else (amount,):
            id_ = till.make_intent(self.world, amount=part, currency="eur", metadata=named)
            self.world.meant[id_] = invoice.id
            if chance.random() < 0.2:
                till.fail(self.world, id_)
            till.succeed(self.world, id_)
            if chance.random() < 0.5:
                till.settle(self.world, id_)

    # What is sent

    def send(self, number: int) -> None:
        """Send what waits until it gets a 200, to whichever webhook is there."""
        luck = Random(f"{self.seed} sender {number}")  # noqa: S311 - no secret
        senders: dict[int, Sender] = {}
        while not (self.is_over and self.waiting.empty()):
            try:
                event = self.waiting.get(timeout=0.05)
            except queue.Empty:
                continue
            with self._lock:
                self.under_way += 1
            self._send(event, luck, senders)
            with self._lock:
                self.under_way -= 1
        for each in senders.values():
            each.close()

    def _send(self, event: Json, luck: Random, senders: dict[int, Sender]) -> None:
        server = self.cast[luck.choice(("webhook 1", "webhook 2"))]
        sender = senders.setdefault(server.port, Sender(server.port))
        try:
            status = sender.send(event)
        except (OSError, http.client.HTTPException):
            status = 0
            senders.pop(server.port).close()
        self.figures[f"answers {status or 'cut off'}"] += 1
        if status == http.client.OK and luck.random() >= _UNREAD:
            self.acknowledged.append(event["id"])
            return
        # What got no answer, or one that nobody heard, is sent again.
        self.waiting.put(event)
        if status != http.client.OK:
            time.sleep(0.02)

    # Who plays

    def begin(self) -> None:
        """Start everybody."""
        for role in ROLES:
            self.start(role)
        for role in ("webhook 1", "webhook 2"):
            wait_until_ready(self.cast[role])

    def start(self, role: str) -> None:
        """Start a program, in the place of one that is gone."""
        ground = self.ground
        self.began_s[role] = time.monotonic()
        if role == "finance":
            first = datetime.now(UTC).date() - timedelta(days=1)
            days = ("--from", f"{first}", "--to", f"{datetime.now(UTC).date()}")
            self.cast[role] = ground.start("reconcile", *days)
        elif role.startswith("daemon"):
            self.cast[role] = ground.daemon()
        else:
            self.cast[role] = ground.start("serve")

    def tend(self) -> None:
        """Let finance begin again when it has ended, and miss nobody else."""
        for role, victim in list(self.cast.items()):
            if victim.is_alive:
                continue
            code = victim.process.exitcode
            if code == _REFUSED and time.monotonic() - self.began_s[role] < _BEGINS_S:
                # Whoever begins while the database is away says so and ends; a service manager begins again, as we do.
                self.figures["starts refused"] += 1
            elif role != "finance":
                self.problems.append(f"{role} ended by itself with {code}: {victim.last_words()}")
            elif code not in {0, 1, 3}:
                self.problems.append(f"finance ended with {code}: {victim.last_words()}")
            else:
                self.figures["runs of finance"] += 1
            self.start(role)

    def calm(self) -> None:
        """Let all that waits be sent and all that was lost be found. Raises Unfit."""
        self.is_over = True
        self.tend()
        wait_until(
            lambda: self.waiting.empty() and not self.under_way,
            CALM_WITHIN_S,
            lambda: f"{self.waiting.qsize()} events are never acknowledged",
        )
        wait_until(
            lambda: not self._untrue(),
            CALM_WITHIN_S,
            lambda: f"it does not come to the truth: {self._untrue()[:5]}",
        )

    def _untrue(self) -> list[str]:
        return truth.problems(self.ground.db, self.world, Policy(), now=datetime.now(UTC))

    def end(self) -> None:
        """Ask everybody to end."""
        for role, victim in self.cast.items():
            code = victim.ended() if role == "finance" else victim.stop()
            if code not in ({0, 1, 3} if role == "finance" else {0}):
                self.problems.append(f"{role} ended with {code}: {victim.last_words()}")


ROLES: Final = ("webhook 1", "webhook 2", "daemon 1", "daemon 2", "finance")


def kill(storm: Storm) -> str:
    """Kill a program and start it again; a webhook mostly only once it is at work."""
    role = storm.chance.choice(("webhook 1", "webhook 1", "webhook 2", "webhook 2", *ROLES[2:]))
    victim = storm.cast[role]
    if role.startswith("webhook") and storm.chance.random() > _HASTE:
        wait_until_ready(victim)
        if storm.chance.random() < _WRITERS:
            return _kill_writer(storm, role)
    victim.kill()
    storm.start(role)
    return f"kill -9 of a {role.split()[0]}"


def _kill_writer(storm: Storm, role: str) -> str:
    """Kill only the process of a webhook that stores events: what is left of it must see that, and end."""
    victim = storm.cast[role]
    for pid in children(victim.pid):
        os.kill(pid, signal.SIGKILL)
    if victim.ended() != _REFUSED:
        storm.problems.append(
            f"{role} without its writer: {victim.process.exitcode} {victim.last_words()}"
        )
        victim.kill()
    storm.start(role)
    return "kill -9 of a webhook's writer"


def play(ground: Ground, seed: int, cycles: int, blow: Blow, *, by_way_of: str = "") -> Outcome:
    """Let it storm for so many blows, and look at the books; programs ask Stripe `by_way_of` another address if one is given."""
    with _storm(ground, seed, by_way_of) as storm:
        try:
            for _ in range(cycles):
                time.sleep(storm.chance.uniform(*_PAUSE_S))
                storm.figures[blow(storm)] += 1
                storm.figures["cycles"] += 1
                storm.tend()
            storm.calm()
            storm.end()
            storm.problems += books.broken(ground.db, storm.acknowledged)
        except Unfit as unfit:
            storm.problems.append(str(unfit))
            storm.problems += [
                f"{each} was acknowledged and is lost"
                for each in books.lost(ground.db, storm.acknowledged)
            ]
        storm.figures["acknowledged"] += len(storm.acknowledged)
        storm.figures["acknowledged events"] += len(set(storm.acknowledged))
        return Outcome(storm.figures, list(storm.problems))


@contextmanager
def _storm(ground: Ground, seed: int, by_way_of: str) -> Iterator[Storm]:
    ground.clear()
    world = World(seed=seed, clock=Clock(int(time.time() * 1000) - 1000))
    for n in range(INVOICES):
        invoice = AppInvoice(id=str(n), number=f"INV-{n}", currency="eur", amount_due=1000 + n)
        world.invoices[invoice.id] = invoice
    begin_books(ground.db, list(world.invoices.values()), datetime.now(UTC) - timedelta(minutes=5))
    world.clock.run(1.0)
    with SimulatedStripe(Api(world, [Key(KEY)])) as server:
        # Whatever was played on this ground before had a Stripe of its own.
        ground.base_url = by_way_of or server.base_url
        ground.stripe_port = server.port
        storm = Storm(ground, seed, world)
        storm.begin()
        threads = [threading.Thread(target=storm.tell, daemon=True)]
        threads += [
            threading.Thread(target=storm.send, args=(n,), daemon=True) for n in range(SENDERS)
        ]
        for each in threads:
            each.start()
        try:
            yield storm
        finally:
            storm.is_over = True
            ground.end_all()
            ground.base_url = ""
