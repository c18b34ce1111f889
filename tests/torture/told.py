"""What is told of money while programs die: a month in hours, played to its end, and heard by whoever asks again."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from random import Random
from typing import Final

from reconciler.apply import Policy
from reconciler.core.observation import Source, moment
from reconciler.db import events, sweeps, tables
from reconciler.db.session import Database
from reconciler.inbox import Inbox
from reconciler.invoice_import import store
from reconciler.simulator.api import Api, Key
from reconciler.simulator.clock import Clock
from reconciler.simulator.delivery import thin
from reconciler.simulator.server import SimulatedStripe
from reconciler.simulator.shapes import rendered_event
from reconciler.simulator.stage import Stage, cast
from reconciler.simulator.world import NEWEST_VERSION, AppInvoice, Json, World
from reconciler.stripe_api.envelope import read_event
from tests.journeys.programs import KEY

HOUR_MS: Final = 3_600_000
# A day of the stories is two minutes: the longest of them, which lasts months, is over in hours.
_DAY_MS: Final = 2 * 60_000
_AGO_MS: Final = 8 * HOUR_MS
_MINUTE_MS: Final = 60_000


@dataclass
class Past:
    """An account in which everything has happened already, and where it answers."""

    world: World
    invoices: list[AppInvoice]
    start_ms: int
    base_url: str = ""
    told: list[Json] = field(default_factory=list)

    def prepare(self, db: Database, *, half_heard: bool = False) -> None:
        """Put the app's invoices into an empty database, and the cursors before the beginning.

        Half heard: some invoices are seen by nobody yet, and some payments known by their beginning or by a thin event only.
        """
        unseen = self.invoices[::3] if half_heard else []
        seen = [each for each in self.invoices if each not in unseen]
        begin_books(db, seen, moment(self.start_ms - _MINUTE_MS))
        if half_heard:
            with db.writing() as tx:
                tx.execute(tables.invoices.insert(), [_row(each) for each in unseen])
            _overhear(db, self.told)


@contextmanager
def past(seed: int, stories: int) -> Iterator[Past]:
    """Tell some stories to their ends, and serve the account until the end of the block."""
    start_ms = int(time.time() * 1000) // 1000 * 1000 - _AGO_MS
    world = World(seed=seed, clock=Clock(start_ms))
    invoices: dict[str, AppInvoice] = {}
    # The books of the app are as they are in the end, whoever hears what of the payments when.
    world.on_invoice.append(lambda each: invoices.__setitem__(each.id, each))
    stage = Stage(world, day_ms=_DAY_MS)
    chance = Random(f"{seed} torture")  # noqa: S311 - no secret
    for story in islice(cast(chance, 60), stories):
        stage.add(story, start_ms + chance.randrange(30 * _MINUTE_MS))
    while (at_ms := stage.next_ms()) is not None:
        stage.play(at_ms)
    if world.clock.now_ms() > time.time() * 1000 - 3 * _MINUTE_MS:
        raise RuntimeError("these stories last too long to be over")
    world.clock.reach(int(time.time() * 1000))
    world.clock.run(1.0)
    told = [rendered_event(each, NEWEST_VERSION, world) for each in world.happenings]
    with SimulatedStripe(Api(world, [Key(KEY)])) as server:
        yield Past(world, list(invoices.values()), start_ms, server.base_url, told)


def _overhear(db: Database, told: list[Json]) -> None:
    """Hear a part of what was told, as the webhook would."""
    made = [each for each in told if each["type"] == "payment_intent.created"]
    paid = [each for each in told if each["type"] == "payment_intent.succeeded"]
    heard = [*made[::3], *(_thin(each) for each in paid[::4])]
    events_ = [read_event(json.dumps(each).encode()) for each in heard]
    # So long ago that it is time to look at them again.
    then = datetime.now(UTC) - timedelta(hours=6)
    Inbox(db=db).accept(events_, source=Source.WEBHOOK, now=then)


def _thin(event: Json) -> Json:
    return thin(event, f"{event['id']}_thin", event["created"] * 1000)


def _row(invoice: AppInvoice) -> dict[str, object]:
    now = datetime.now(UTC)
    return {**asdict(invoice), "created_at": now, "updated_at": now}


def begin_books(db: Database, invoices: list[AppInvoice], since: datetime) -> None:
    """Write invoices into an empty database, of test mode, whose sweeps begin at a moment."""
    now = datetime.now(UTC)
    with db.writing() as tx:
        events.settle_setting(tx, "mode", "test")
        for cursor in ("events", "money"):
            sweeps.move(tx, cursor, since, now)
    rows = [
        {name: value for name, value in asdict(each).items() if value is not None}
        for each in invoices
    ]
    store(db, rows, now=now, policy=Policy(), batch=100)
