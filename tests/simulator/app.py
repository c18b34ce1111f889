"""How does a world's tale reach a real database, as the app and the webhook would bring it?"""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from reconciler.apply import Policy, apply_payment_state
from reconciler.core.observation import InvoiceSeen, Observation, Source, Span
from reconciler.db import events, tables
from reconciler.db.session import Database
from reconciler.inbox import Inbox
from reconciler.simulator.clock import Clock
from reconciler.simulator.scene import Scene, Story
from reconciler.simulator.shapes import refunds_of
from reconciler.simulator.stage import Stage
from reconciler.simulator.world import AppInvoice, Happening, World
from reconciler.stripe_api.envelope import read_event
from reconciler.stripe_api.translate import Vocabulary, observe_object

START_MS = 1_790_000_000_000
END_MS = START_MS + 400 * 86_400_000


def new_world(seed: int = 7) -> World:
    """Begin a world at a fixed moment."""
    return World(seed=seed, clock=Clock(START_MS))


def told(story: Story, world: World | None = None) -> tuple[World, Scene]:
    """Play one story to its end, alone."""
    world = world or new_world()
    stage = Stage(world)
    scene = stage.add(story, START_MS)
    stage.play(END_MS)
    return world, scene


@dataclass
class App:
    """The app's database, which hears of everything at once and in order."""

    db: Database
    world: World

    def __post_init__(self) -> None:
        """Listen from now on."""
        with self.db.writing() as tx:
            events.settle_setting(tx, "mode", "test")
        self.inbox = Inbox(db=self.db)
        self.world.on_event.append(self._hear)
        self.world.on_invoice.append(self._write)

    def hear(self, body: bytes) -> None:
        """Take in an event by webhook."""
        self.inbox.accept([read_event(body)], source=Source.WEBHOOK, now=self._now())

    def row(self, table: str, column: str, value: str) -> dict[str, Any] | None:
        """The one row of a table in which a column has a value."""
        asked = tables.metadata.tables[table]
        with self.db.reading() as tx:
            found = tx.execute(select(asked).where(asked.c[column] == value)).mappings().first()
        return dict(found) if found else None

    def open_fetches(self) -> set[tuple[str, str, str]]:
        """What still has to be read again: kind, id and reason."""
        column = tables.fetches.c
        with self.db.reading() as tx:
            found = tx.execute(select(column.kind, column.object_id, column.reason)).all()
        return {(row.kind, row.object_id, row.reason) for row in found}

    def read_again(self) -> None:
        """Read everything that has to be read again from the world, once, a minute from now."""
        now_ms = self.world.clock.advance(60_000)
        seen: list[Observation] = []
        for _, object_id, _ in sorted(self.open_fetches()):
            obj = self.world.get(object_id)
            if obj["object"] == "charge":
                obj["refunds"] = refunds_of(object_id, self.world)
            found, _ = observe_object(
                obj,
                span=Span(now_ms - 5_000, now_ms),
                evidence=f"read {object_id}",
                vocabulary=Vocabulary(),
                is_read=True,
            )
            seen += found
        with self.db.writing() as tx:
            apply_payment_state(tx, seen, source=Source.POLL, now=self._now(), policy=Policy())

    def _hear(self, happening: Happening) -> None:
        self.hear(json.dumps(happening.event).encode())

    def _write(self, invoice: AppInvoice) -> None:
        now = self._now()
        row = asdict(invoice) | {"created_at": now, "updated_at": now}
        known = self.row("invoices", "id", invoice.id)
        with self.db.writing() as tx:
            table = tables.invoices
            if known is None:
                tx.execute(table.insert(), [row])
            else:
                del row["status"], row["created_at"]
                tx.execute(table.update().where(table.c.id == invoice.id).values(row))
            seen = [InvoiceSeen(invoice.id)]
            apply_payment_state(tx, seen, source=Source.MANUAL, now=now, policy=Policy())

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self.world.clock.now_ms() / 1000, UTC)
