"""Does one seeded history end in the truth, whatever was lost, late, doubled or out of order?

A history is a handful of stories on one clock. Stripe's webhooks come by the real signature check and inbox, or do not
come at all; the real gateway, sweep and fetches ask the simulated Stripe. In the end nothing may be left to do, every
invoice must be as the simulator knows it to be, and `verify --rebuild` must find nothing.
"""

import random
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import islice

from reconciler.apply import Policy
from reconciler.core.ledger import Rules
from reconciler.core.observation import Source
from reconciler.db import events
from reconciler.db.digest import digest
from reconciler.db.session import Database
from reconciler.inbox import Inbox
from reconciler.invoice_import import store
from reconciler.poll import (
    Depth,
    Poller,
    read_due,
    sweep_events,
    sweep_invoices,
    sweep_money,
    sweep_open,
)
from reconciler.simulator.api import Api, Key
from reconciler.simulator.clock import Clock
from reconciler.simulator.delivery import Deliveries
from reconciler.simulator.faults import Faults, Rates
from reconciler.simulator.shapes import VERSIONS
from reconciler.simulator.stage import Stage, cast
from reconciler.simulator.world import AppInvoice, World
from reconciler.stripe_api.envelope import read_event
from reconciler.stripe_api.gateway import Access, Gateway
from reconciler.stripe_api.problems import StripeProblem
from reconciler.stripe_api.signature import verify as verify_signature
from tests import truth
from tests.simulator.inprocess import InProcess, Unhurried

START_MS = 1_790_000_000_000
# A day of the stories is this long, so that a sweep over weeks of them is one over hours.
DAY_MS = 4 * 60_000
POLICY = Policy(rules=Rules(since_ms=START_MS))
SECRET = "whsec_histories_0123456789"
KEY = "rk_test_histories"
MINUTE_MS = 60_000
TICKS_MAX = 20
DEEP = Depth(name="events_deep", overlap_s=6 * 3600, lag_s=10)
SHALLOW = Depth(name="events", overlap_s=120, lag_s=10)
MONEY = Depth(name="money", overlap_s=2 * 3600, lag_s=10)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a history ended: the digest of its books, and what was not as it should be."""

    digest: str
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """What goes wrong in a history. `sweep_every_ms` None: nobody sweeps before the end.

    Events alone must be enough; who `reads_lists` looks at what else the daemon looks at, too.
    """

    rates: Rates
    sweep_every_ms: int | None
    reads_lists: bool = False
    thin_rate: float = 0.0
    api_version: str = VERSIONS[-1]
    seed: int = 0


def weather_of(seed: int) -> Weather:
    """Draw what goes wrong: from nothing at all to every webhook lost."""
    chance = random.Random(f"{seed} weather")  # noqa: S311 - no secret
    some = [chance.choice((0.0, 0.1, 0.4)) for _ in range(7)]
    return Weather(
        rates=Rates(
            lost=chance.choice((0.0, 0.1, 0.5, 1.0)),
            late=some[0],
            duplicated=some[1],
            reordered=some[2],
            twins=some[3] / 2,
            hidden=some[4],
            long_hidden=some[4] / 20,
            errors=some[5] / 8,
            rate_limits=some[5] / 8,
            stale_reads=some[6],
        ),
        sweep_every_ms=chance.choice((None, 20 * MINUTE_MS, 60 * MINUTE_MS)),
        thin_rate=chance.choice((0.0, 0.0, 0.3)),
        api_version=chance.choice(VERSIONS),
        reads_lists=chance.choice((False, False, True)),
        seed=seed,
    )


class History:
    """One history on an empty, migrated database."""

    def __init__(self, seed: int, db: Database, weather: Weather, *, stories: int = 3) -> None:
        chance = random.Random(f"{seed} history")  # noqa: S311 - no secret
        self.db = db
        self._faults = faults = Faults(weather.seed, weather.rates)
        self.world = World(seed=seed, clock=Clock(START_MS), hidden_for_ms=faults.hidden_for_ms)
        self.world.on_invoice.append(self._write)
        self.inbox = Inbox(db=db, policy=POLICY)
        self.poller = Poller(
            db=db,
            gateway=Gateway(
                Access(api_key=KEY, api_version=VERSIONS[-1], requests_per_s=1e9),
                stop=Unhurried(),
                transport=InProcess(Api(self.world, [Key(KEY)], faults)),
            ),
            inbox=self.inbox,
            now=self.now,
        )
        self.deliveries = Deliveries(
            self.world,
            faults,
            self._receive,
            secret=SECRET,
            api_version=weather.api_version,
            thin_rate=weather.thin_rate,
            our_now_s=lambda: self.now().timestamp(),
        )
        self.weather = weather
        self.stage = Stage(self.world, day_ms=DAY_MS)
        self.titles = []
        for story in islice(cast(chance, 60), stories):
            self.stage.add(story, START_MS + chance.randrange(30 * MINUTE_MS))
            self.titles.append(story.title)

    def now(self) -> datetime:
        """What the time is, at Stripe and here."""
        return datetime.fromtimestamp(self.world.clock.now_ms() / 1000, UTC)

    def play(self) -> Ending:
        """Tell it to its end, and compare."""
        with self.db.writing() as tx:
            events.settle_setting(tx, "mode", "test")
        next_sweep_ms = START_MS + (self.weather.sweep_every_ms or 10**12)
        while (at_ms := self._next_ms()) is not None:
            if next_sweep_ms < at_ms:
                self.world.clock.reach(next_sweep_ms)
                next_sweep_ms += self.weather.sweep_every_ms or 10**12
                self._sweep(SHALLOW)
                continue
            self.stage.play(at_ms)
            self.world.clock.reach(at_ms)
            self.deliveries.deliver(at_ms)
        self._finish()
        problems = tuple(truth.problems(self.db, self.world, POLICY, now=self.now()))
        with self.db.reading() as tx:
            return Ending(digest(tx), problems)

    def _next_ms(self) -> int | None:
        due = [
            each for each in (self.stage.next_ms(), self.deliveries.due_ms()) if each is not None
        ]
        return min(due, default=None)

    def _finish(self) -> None:
        """Let the daemon run on until it has nothing left to do."""
        self.world.clock.advance(10 * MINUTE_MS)
        self._sweep(DEEP)
        for _ in range(6):
            self.world.clock.advance(20_000)
            with suppress(StripeProblem):
                read_due(self.poller)
            self.inbox.retry_due(now=self.now())
        if self.weather.rates.stale_reads:
            self._look_again()

    def _look_again(self) -> None:
        """A replica that was a minute behind may have told the last word; of what is not final, the next look tells better."""
        self._faults.rates = Rates()
        self.world.clock.advance(10 * MINUTE_MS)
        sweep_open(self.poller)
        read_due(self.poller)

    def _sweep(self, sweep: Depth) -> None:
        """Sweep and read, as the daemon does: what Stripe did not answer is asked again at the next tick."""
        for job in self._jobs(sweep):
            for _ in range(TICKS_MAX):
                with suppress(StripeProblem):
                    job()
                    break
                self.world.clock.advance(5_000)

    def _jobs(self, sweep: Depth) -> list[Callable[[], object]]:
        # But for the one whose threads would meet the faults in another order each time.
        events = partial(sweep_events, self.poller, sweep)
        lists = [
            partial(sweep_money, self.poller, MONEY),
            partial(sweep_open, self.poller),
            partial(sweep_invoices, self.poller),
        ]
        more = lists if self.weather.reads_lists else []
        return [events, *more, partial(read_due, self.poller)]

    def _receive(self, body: bytes, headers: Mapping[str, str]) -> int:
        now = self.now()
        verify_signature(body, headers["Stripe-Signature"], [SECRET], now=now, tolerance_s=300)
        self.inbox.accept([read_event(body)], source=Source.WEBHOOK, now=now)
        return 200

    def _write(self, invoice: AppInvoice) -> None:
        row = {name: value for name, value in asdict(invoice).items() if value is not None}
        store(self.db, [row], now=self.now(), policy=POLICY, batch=1)
