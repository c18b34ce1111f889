"""What do tests of the sweeps begin with? A Stripe account in this process, and a poller that asks it."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from reconciler.apply import Policy
from reconciler.core.ledger import Rules
from reconciler.core.observation import Source, moment
from reconciler.db.session import Database
from reconciler.inbox import Inbox
from reconciler.poll import Poller
from reconciler.simulator.api import Api, Key
from reconciler.simulator.clock import Clock
from reconciler.simulator.faults import Faults
from reconciler.simulator.world import World
from reconciler.stripe_api.envelope import read_event
from reconciler.stripe_api.gateway import Access, Gateway
from tests.simulator.inprocess import InProcess, Unhurried
from tests.stripe_api import shapes

KEY = "rk_test_0123456789"
# A full hour, a while after the moment from which everything counts.
START_MS = 1_790_002_800_000
SINCE_MS = START_MS - 20 * 60_000
VERSION = "2026-10-28.endive"


def poller_of(database: Database, world: World, gateway: Gateway, *, since_ms: int) -> Poller:
    """Make a poller whose clock is Stripe's; everything counts that is not older than `since_ms`."""
    inbox = Inbox(db=database, policy=Policy(rules=Rules(since_ms=since_ms)))
    return Poller(
        db=database, gateway=gateway, inbox=inbox, now=lambda: moment(world.clock.now_ms())
    )


@dataclass
class Account:
    """A simulated account; our clock and Stripe's are one, and stand still until they are moved."""

    database: Database
    world: World = field(default_factory=lambda: World(seed=7, clock=Clock(START_MS)))
    faults: Faults = field(default_factory=Faults)
    stop: Unhurried = field(default_factory=Unhurried)
    since_ms: int = SINCE_MS
    before_asking: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        """Open the account with a key that may read everything."""
        self.client = InProcess(self.api(None))
        access = Access(api_key=KEY, api_version=VERSION, requests_per_s=1e6)
        gateway = Gateway(
            access, stop=self.stop, before_asking=self.before_asking, transport=self.client
        )
        self.poller = poller_of(self.database, self.world, gateway, since_ms=self.since_ms)

    def poller_with(self, inbox: Inbox) -> Poller:
        """Give a poller that differs from the account's in its inbox."""
        return replace(self.poller, inbox=inbox)

    def api(self, rights: frozenset[str] | None) -> Api:
        """Give the account's API to a key with these rights; None is all of them."""
        return Api(self.world, [Key(KEY, rights)], self.faults)

    def now(self) -> datetime:
        """Tell the time."""
        return self.poller.now()

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.world.clock.advance(int(seconds * 1000))

    def tell(self, *events: shapes.Json) -> None:
        """Let events come by webhook."""
        read = [read_event(shapes.body(each)) for each in events]
        self.poller.inbox.accept(read, source=Source.WEBHOOK, now=self.now())

    def ago(self, seconds: float) -> datetime:
        """Tell what time it was."""
        return self.now() - timedelta(seconds=seconds)
