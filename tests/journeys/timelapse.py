"""How does a daemon live through months within one test? Its own jobs, on a clock that leaps from one to the next.

The jobs of the daemon, the Stripe library and the database are the real ones. Stripe's clock and ours are one, and move only
when a test lets time pass; there are no sockets, because weeks are thousands of questions.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, time, timedelta

from reconciler.apply import Policy
from reconciler.core.ledger import Rules
from reconciler.core.observation import moment
from reconciler.daemon import Job, Timing, Watch, jobs_of
from reconciler.db.session import Database
from reconciler.inbox import Inbox
from reconciler.invoice_import import store
from reconciler.poll import Poller
from reconciler.simulator.api import Api, Key
from reconciler.simulator.clock import Clock
from reconciler.simulator.faults import Faults, Rates
from reconciler.simulator.world import AppInvoice, World
from reconciler.stripe_api.gateway import Access, Gateway
from tests import truth
from tests.simulator.inprocess import InProcess, Unhurried

KEY = "rk_test_0123456789"
VERSION = "2026-10-28.endive"
START = datetime(2026, 5, 4, 9, tzinfo=UTC)
DAY_S = 86_400

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


@dataclass
class Timelapse:
    """A simulated account, a database, and a daemon that is on only while `run` lets time pass."""

    database: Database
    world: World
    faults: Faults
    poller: Poller
    timing: Timing
    _due: dict[str, datetime] = field(default_factory=dict)
    _watches: dict[str, Watch] = field(default_factory=dict)

    def now(self) -> datetime:
        """The time, at Stripe and here."""
        return moment(self.world.clock.now_ms())

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

    def off(self, span: timedelta) -> None:
        """Let time pass while no daemon runs."""
        self._due.clear()
        self._watches.clear()
        self.world.clock.advance(int(span.total_seconds() * 1000))

    def run(self, span: timedelta) -> None:
        """Let time pass with the daemon on: each job when it is due, one after the other."""
        jobs = {each.name: each for each in jobs_of(self.poller, self.timing)}
        until = self.now() + span
        for name, job in jobs.items():
            self._due.setdefault(name, self.now() if job.at is None else self._night(job))
            self._watches.setdefault(name, Watch(job, self.database))
        while self._due[name := min(self._due, key=lambda each: self._due[each])] <= until:
            self.world.clock.reach(int(self._due[name].timestamp() * 1000))
            self._watches[name].run()
            job = jobs[name]
            every = timedelta(seconds=self._every_s(job))
            self._due[name] = self._night(job) if job.at else self.now() + every
        self.world.clock.reach(int(until.timestamp() * 1000))

    def problems(self) -> Sequence[str]:
        """What is not as it is in truth."""
        policy = self.poller.inbox.policy
        return truth.problems(self.database, self.world, policy, now=self.now())

    def _every_s(self, job: Job) -> int:
        # What the program looks after every few seconds need not be looked after that often here.
        return max(job.every_s or 0, DAY_S // 8)

    def _night(self, job: Job) -> datetime:
        at = job.at or self.timing.night
        today = self.now().replace(hour=at.hour, minute=at.minute, second=0, microsecond=0)
        return today if today > self.now() else today + timedelta(days=1)


def timelapse(
    database: Database,
    *,
    rights: frozenset[str] | None = None,
    rates: Rates | None = None,
    timing: Timing = UNHASTY,
) -> Timelapse:
    """Begin on the fourth of May 2026, with a key that may read everything or what `rights` names."""
    faults = Faults(5, rates)
    start_ms = int(START.timestamp() * 1000)
    world = World(seed=5, clock=Clock(start_ms), hidden_for_ms=faults.hidden_for_ms)
    policy = Policy(rules=Rules(since_ms=start_ms))
    poller = Poller(
        db=database,
        gateway=Gateway(
            Access(api_key=KEY, api_version=VERSION, requests_per_s=1e6),
            stop=Unhurried(),
            transport=InProcess(Api(world, [Key(KEY, rights)], faults)),
        ),
        inbox=Inbox(db=database, policy=policy),
        now=lambda: moment(world.clock.now_ms()),
    )

    def write(invoice: AppInvoice) -> None:
        row = {name: value for name, value in asdict(invoice).items() if value is not None}
        store(database, [row], now=poller.now(), policy=policy, batch=1)

    world.on_invoice.append(write)
    return Timelapse(database, world, faults, poller, timing)
