"""How does a month of a shop come to be over, of which this database has heard only what webhooks told?

The month is one of the past, so that programs may close it by our own clock. The app's invoices and the webhooks that were
not lost are taken in by the real inbox, many at a time: each of them alone, by the real endpoint, is what other journeys are
about. Stripe answers over a real socket.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from reconciler.apply import Policy
from reconciler.core.ledger import Rules
from reconciler.core.observation import Source
from reconciler.db import events
from reconciler.db.session import Database
from reconciler.inbox import Inbox
from reconciler.invoice_import import store
from reconciler.simulator.api import Api, Key
from reconciler.simulator.hearsay import (
    Difference,
    for_a_person,
    heard_of,
    renamed_unheard,
    unheard,
)
from reconciler.simulator.month import Month, Played, play
from reconciler.simulator.server import SimulatedStripe
from reconciler.simulator.world import DAY_MS
from reconciler.stripe_api.envelope import read_event
from tests import truth
from tests.journeys.programs import KEY
from tests.journeys.stories import SECRET

# In the night to the 30th of it, clocks go forward.
MARCH: Final = Month(first=date(2025, 3, 1), zone=ZoneInfo("Europe/Paris"))
SINCE: Final = "2025-02-01"
# Nobody closes a month at midnight: what was made in its last minute must have come to the lists.
_LATER_MS: Final = 2 * 3_600_000


@dataclass(frozen=True, slots=True)
class Shop:
    """A month that is over at Stripe, and the books here, which have heard of a part of it."""

    database: Database
    played: Played
    inbox: Inbox
    base_url: str
    place: tuple[str, str]
    _mail: list[bytes]

    def unheard(self) -> set[Difference]:
        """What webhooks did not tell, as the simulator knows it."""
        return set(unheard(self.played.world, heard_of(self.played.deliveries)))

    def for_a_person(self) -> set[Difference]:
        """What no reading mends, as the simulator knows it."""
        return set(for_a_person(self.played.world, heard_of(self.played.deliveries)))

    def invoice_problems(self) -> list[str]:
        """What of invoices and unmatched payments is not as in truth, but for when they were paid.

        Of that the best evidence may be lost, and so may be a name that somebody has overwritten since.
        """
        world = self.played.world
        renamed = frozenset(renamed_unheard(world, heard_of(self.played.deliveries)))
        nameless = {world.invoices[world.meant[each]].number for each in renamed}
        return [
            each
            for each in truth.differences(self.database, world, renamed=renamed)
            if "paid_at_ms" not in each and each.partition(":")[0] not in nameless
        ]

    def wait(self, *, days: int) -> None:
        """Let days pass in which no story goes on, and let come what webhooks are due."""
        now_ms = self.played.world.clock.advance(days * DAY_MS)
        self.played.deliveries.deliver(now_ms)
        self._open_mail()

    def _open_mail(self) -> None:
        told = [read_event(body) for body in self._mail]
        self._mail.clear()
        now = datetime.fromtimestamp(self.played.world.clock.now_ms() / 1000, UTC)
        self.inbox.accept(told, source=Source.WEBHOOK, now=now)

    def _bill(self) -> None:
        now = datetime.fromtimestamp(self.played.month.begin_ms / 1000, UTC)
        rows = [asdict(each) for each in self.played.world.invoices.values()]
        store(self.database, rows, now=now, policy=self.inbox.policy, batch=200)


@contextmanager
def shop(database: Database, place: tuple[str, str], month: Month = MARCH) -> Iterator[Shop]:
    """Play a month on an empty database, which is at this URL and schema, and keep Stripe open until the end of the block."""
    with database.writing() as tx:
        events.settle_setting(tx, "mode", "test")
        events.settle_setting(tx, "since", SINCE)
    since_ms = int(datetime.fromisoformat(SINCE).replace(tzinfo=UTC).timestamp()) * 1000
    inbox = Inbox(db=database, policy=Policy(rules=Rules(since_ms=since_ms)))
    mail: list[bytes] = []

    def post(body: bytes, _: object) -> int:
        mail.append(body)
        return 200

    played = play(month, post, secret=SECRET)
    played.world.clock.reach(month.end_ms + _LATER_MS)
    with SimulatedStripe(Api(played.world, [Key(KEY)])) as server:
        opened = Shop(database, played, inbox, server.base_url, place, mail)
        opened._bill()  # noqa: SLF001 - nobody else may do it twice
        opened._open_mail()  # noqa: SLF001
        yield opened
