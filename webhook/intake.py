"""How do requests that wait at the same time share one commit?

A commit waits for the disk, and costs the same for one event as for fifty. One batch is written at a time, and what comes
meanwhile is the next: nobody waits for a batch to fill, and an event that comes alone is written alone.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final

from reconciler.core.observation import Source
from reconciler.db.errors import StorageUnavailable
from reconciler.stripe_api.envelope import StripeEvent
from webhook.wiring import Clock, Inbox

# So many payments are applied in some 20 ms: whoever comes next does not wait for longer than that.
BATCH_MAX: Final = 32
# Whoever waited has had an answer by then: what is still being written hangs, or nobody waits for it any more.
_CLOSES_WITHIN_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class _Waiting:
    """An event that is to be stored, and where its request looks for the outcome."""

    event: StripeEvent
    outcome: asyncio.Future[None]


class Intake:
    """Stores events in an inbox, those that wait together in one transaction; all calls come from one event loop."""

    def __init__(self, inbox: Inbox, clock: Clock) -> None:
        self._inbox = inbox
        self._clock = clock
        # One thread, as there is one writer at a time; one that hangs can't collect others.
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="inbox")
        self._waiting: deque[_Waiting] = deque()
        self._writing: asyncio.Task[None] | None = None

    async def accept(self, event: StripeEvent, *, timeout_s: float) -> None:
        """Return once the event is committed.

        Raises StorageUnavailable if it can't be stored, TimeoutError if it is not within `timeout_s` (it may be
        stored a moment later, unless its turn had not come), and what the inbox raises about this very event.
        """
        async with asyncio.timeout(timeout_s):
            waiting = _Waiting(event, asyncio.get_running_loop().create_future())
            self._waiting.append(waiting)
            if self._writing is None or self._writing.done():
                self._writing = asyncio.create_task(self._write())
            await waiting.outcome

    async def close(self) -> None:
        """Wait for what is being written, though not for ever; nothing can be stored afterwards."""
        if self._writing is not None:
            await asyncio.wait([self._writing], timeout=_CLOSES_WITHIN_S)
        self._thread.shutdown(wait=False)

    async def _write(self) -> None:
        while batch := self._next():
            error = await self._stored(batch)
            if error is None or isinstance(error, StorageUnavailable):
                _settle(batch, error)
                continue
            # One of them is more than the inbox bargained for; its neighbours have no part in that.
            for each in batch:
                if not each.outcome.done():
                    _settle([each], error if len(batch) == 1 else await self._stored([each]))

    def _next(self) -> list[_Waiting]:
        """The next batch, without those whose request waits no more."""
        batch: list[_Waiting] = []
        while self._waiting and len(batch) < BATCH_MAX:
            waiting = self._waiting.popleft()
            if not waiting.outcome.done():
                batch.append(waiting)
        return batch

    async def _stored(self, batch: Sequence[_Waiting]) -> Exception | None:
        """Store a batch in one transaction; returns why that was impossible."""
        events = [each.event for each in batch]
        accept = partial(self._inbox.accept, events, source=Source.WEBHOOK, now=self._clock())
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, accept)
        except Exception as error:  # noqa: BLE001 - whatever it is, each request gets to know it
            return error
        return None


def _settle(batch: Sequence[_Waiting], error: Exception | None) -> None:
    for each in batch:
        if each.outcome.done():
            continue  # Its request has gone; Stripe's next delivery is then a duplicate.
        if error is None:
            each.outcome.set_result(None)
        else:
            each.outcome.set_exception(error)
