"""Do requests that wait together share one commit, and does one that fails leave its neighbours alone?"""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from reconciler.core.observation import Source
from reconciler.db.errors import StorageUnavailable
from reconciler.stripe_api.envelope import StripeEvent, read_event
from tests.webhook.fake_inbox import FakeInbox
from tests.webhook.signing import event_body
from webhook.intake import BATCH_MAX, Intake

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SOON_S = 5.0


class RefusedError(Exception):
    """What an inbox says that did not foresee an event."""


@dataclass
class HeldUp(FakeInbox):
    """An inbox that can be held up, that knows its batches, and that one event is too much for."""

    poison: str = ""
    begun: threading.Event = field(default_factory=threading.Event)
    held_up: threading.Event = field(default_factory=threading.Event)
    batches: list[list[str]] = field(default_factory=list)

    def accept(self, events: Sequence[StripeEvent], *, source: Source, now: datetime) -> None:
        """Keep a batch, or nothing of it."""
        self.batches.append([each.id for each in events])
        self.begun.set()
        self.held_up.wait(SOON_S)
        if any(each.id == self.poison for each in events):
            raise RefusedError
        super().accept(events, source=source, now=now)


def told(id_: str) -> StripeEvent:
    """An event."""
    return read_event(event_body(id_))


async def _one_then_many(inbox: HeldUp, names: Sequence[str]) -> list[BaseException | None]:
    """Let one event be written, and the others come meanwhile; returns what each got to know."""
    intake = Intake(inbox, lambda: NOW)
    asked = [asyncio.create_task(intake.accept(told("evt_first"), timeout_s=SOON_S))]
    await asyncio.to_thread(inbox.begun.wait, SOON_S)
    asked += [asyncio.create_task(intake.accept(told(each), timeout_s=SOON_S)) for each in names]
    await asyncio.sleep(0)
    inbox.held_up.set()
    found = await asyncio.gather(*asked, return_exceptions=True)
    await intake.close()
    return found


def test_it_writes_together_what_waits_together() -> None:
    """The first event is written alone and at once; those that come meanwhile are one batch, in their order."""
    inbox = HeldUp()
    names = [f"evt_{n}" for n in range(5)]

    found = asyncio.run(_one_then_many(inbox, names))

    assert found == [None] * 6
    assert inbox.batches == [["evt_first"], names]


def test_it_writes_at_most_so_many_together() -> None:
    """More than a batch holds waits for the next one, and none is forgotten."""
    inbox = HeldUp()
    names = [f"evt_{n}" for n in range(2 * BATCH_MAX + 1)]

    found = asyncio.run(_one_then_many(inbox, names))

    assert set(found) == {None}
    assert [len(each) for each in inbox.batches] == [1, BATCH_MAX, BATCH_MAX, 1]
    assert inbox.ids == {"evt_first", *names}


def test_it_lets_one_that_fails_fail_alone() -> None:
    """An event that the inbox chokes on gets its own error; its neighbours are stored, each by itself."""
    inbox = HeldUp(poison="evt_1")

    found = asyncio.run(_one_then_many(inbox, ["evt_0", "evt_1", "evt_2"]))

    assert [type(each) for each in found] == [type(None), type(None), RefusedError, type(None)]
    assert inbox.ids == {"evt_first", "evt_0", "evt_2"}


def test_it_tells_all_that_nothing_can_be_stored() -> None:
    """While the database is away each request of a batch hears so, and the batch is not tried piece by piece."""
    inbox = HeldUp(is_away=True)

    found = asyncio.run(_one_then_many(inbox, ["evt_0", "evt_1"]))

    assert [type(each) for each in found] == [StorageUnavailable] * 3
    assert inbox.batches == [["evt_first"], ["evt_0", "evt_1"]]


def test_it_does_not_write_what_nobody_waits_for() -> None:
    """A request that has given up before its turn leaves nothing behind; Stripe brings the event again."""
    inbox = HeldUp()

    async def give_up() -> None:
        intake = Intake(inbox, lambda: NOW)
        first = asyncio.create_task(intake.accept(told("evt_first"), timeout_s=SOON_S))
        await asyncio.to_thread(inbox.begun.wait, SOON_S)
        with pytest.raises(TimeoutError):
            await intake.accept(told("evt_late"), timeout_s=0.01)
        inbox.held_up.set()
        await first
        await intake.close()

    asyncio.run(give_up())

    assert inbox.batches == [["evt_first"]]
