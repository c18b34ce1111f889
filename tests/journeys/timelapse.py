"""How does a daemon live through months within one test? Its own jobs, on a clock that leaps from one to the next.

The jobs of the daemon, the gateway with its budget, the Stripe library, the sockets and the database are the real ones.
Stripe's clock and ours are one, and move only when a test lets time pass, or when somebody waits.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, time, timedelta

from reconciler.daemon import Job, Timing, Watch, jobs_of
from reconciler.daemon.jobs import PROMPTLY_S
from reconciler.db import tables
from reconciler.db.session import Database
from reconciler.invoice_import import store
from reconciler.poll import Poller
from reconciler.simulator import till
from reconciler.simulator.api import Api, Key
from reconciler.simulator.clock import Clock
from reconciler.simulator.faults import Faults
from reconciler.simulator.server import SimulatedStripe
from reconciler.simulator.world import AppInvoice, World
from reconciler.stripe_api.gateway import Access, Gateway
from tests import truth
from tests.poll.account import KEY, VERSION, poller_of

START = datetime(2026, 5, 4, 9, tzinfo=UTC)
DAY_S = 86_400

# What happened just now is on Stripe's lists only a moment later: no story need wait for the next look.
LAG = timedelta(minutes=1)

# As rarely as a story of months allows: what is found does not depend on how often one looks.
UNHASTY = Timing(
    events_s=DAY_S // 2,
    deep_s=DAY_S,
    open_s=DAY_S // 4,
    money_s=DAY_S,
    recent_s=DAY_S,
    invoices_s=DAY_S // 2,
    night=time(2, 17),
)


class Leap(threading.Event):
    """A stop signal on which no time is spent: whoever waits for it lets the clock leap."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        """Let the time pass unless it is set; return whether it is."""
        if not self.is_set():
            self._clock.advance(int(1000 * (timeout or 0.0)))
        return self.is_set()


@dataclass
class Timelapse:
    """A simulated account, a database, and a daemon that is on only while `run` lets time pass."""

    database: Database
    world: World
    faults: Faults
    poller: Poller
    timing: Timing
    _api: Api
    _server: SimulatedStripe
    _due: dict[str, datetime] = field(default_factory=dict)
    _watches: dict[str, Watch] = field(default_factory=dict)

    def now(self) -> datetime:
        """The time, at Stripe and here."""
        return self.poller.now()

    def bill(self, number: int, amount: int, **fields: object) -> str:
        """Write an invoice of the app; returns its number, which is the name that payments carry."""
        invoice = AppInvoice(
            id=str(number),
            number=f"INV-{number}",
            currency="eur",
            amount_due=amount,
            **fields,  # type: ignore[arg-type]
        )
        self.world.put_invoice(invoice)
        return invoice.number

    def intent(self, number: str, amount: int) -> str:
        """Make a PaymentIntent that names an invoice; returns its id."""
        named = {"invoice_id": number}
        intent = till.make_intent(self.world, amount=amount, currency="eur", metadata=named)
        self.world.meant[intent] = number.removeprefix("INV-")
        return intent

    def off(self, span: timedelta) -> None:
        """Let time pass while no daemon runs."""
        self._due.clear()
        self._watches.clear()
        self.world.clock.advance(int(span.total_seconds() * 1000))

    def run(self, span: timedelta) -> None:
        """Let time pass with the daemon on: each job when it is due, one after the other."""
        jobs = {each.name: each for each in jobs_of(self.poller, self.timing, self.poller)}
        until = self.now() + span
        for name, job in jobs.items():
            self._due.setdefault(name, self._night(job) if job.at else self.now() + LAG)
            self._watches.setdefault(name, Watch(job, self.database))
        while self._due[name := min(self._due, key=lambda each: self._due[each])] <= until:
            self.world.clock.reach(int(self._due[name].timestamp() * 1000))
            self._watches[name].run()
            job = jobs[name]
            every = timedelta(seconds=self._every_s(job))
            self._due[name] = self._night(job) if job.at else self.now() + every
        self.world.clock.reach(int(until.timestamp() * 1000))

    def close_stripe(self) -> None:
        """Let nobody answer at Stripe's address."""
        self._server.__exit__(None, None, None)

    def open_stripe(self) -> None:
        """Let Stripe answer again, at the same address."""
        self._server = SimulatedStripe(self._api, port=self._server.port)
        self._server.__enter__()

    def alerts(self) -> set[tuple[str, str]]:
        """What people are asked to look at: kinds and subjects."""
        column = tables.exceptions.c
        with self.database.reading() as tx:
            rows = tx.execute(tables.exceptions.select().where(column.state == "open")).mappings()
            return {(row["kind"], row["subject"]) for row in rows}

    def problems(self) -> Sequence[str]:
        """What is not as it is in truth."""
        policy = self.poller.inbox.policy
        return truth.problems(self.database, self.world, policy, now=self.now())

    def _every_s(self, job: Job) -> int:
        # What the program looks after every few seconds need not be looked after that often here.
        every_s = job.every_s or DAY_S
        return self.timing.open_s if every_s == PROMPTLY_S else every_s

    def _night(self, job: Job) -> datetime:
        at = job.at or self.timing.night
        today = self.now().replace(hour=at.hour, minute=at.minute, second=0, microsecond=0)
        return today if today > self.now() else today + timedelta(days=1)


@contextmanager
def timelapse(
    database: Database,
    *,
    rights: frozenset[str] | None = None,
    timing: Timing = UNHASTY,
    read_timeout_s: float = 8.0,
) -> Iterator[Timelapse]:
    """Begin on the fourth of May 2026, with a key that may read everything or what `rights` names."""
    faults = Faults(5)
    clock = Clock(int(START.timestamp() * 1000))
    world = World(seed=5, clock=clock)
    api = Api(world, [Key(KEY, rights)], faults)
    server = SimulatedStripe(api)
    gateway = Gateway(
        Access(
            api_key=KEY,
            api_version=VERSION,
            base=server.base_url,
            read_timeout_s=read_timeout_s,
        ),
        stop=Leap(clock),
        monotonic=lambda: clock.now_ms() / 1000,
    )
    poller = poller_of(database, world, gateway, since_ms=clock.now_ms())

    def write(invoice: AppInvoice) -> None:
        row = {name: value for name, value in asdict(invoice).items() if value is not None}
        store(database, [row], now=poller.now(), policy=poller.inbox.policy, batch=1)

    world.on_invoice.append(write)
    months = Timelapse(database, world, faults, poller, timing, api, server)
    server.__enter__()
    try:
        yield months
    finally:
        months.close_stripe()
