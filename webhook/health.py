"""Does the process answer, can it store an event, and when did a good or a bad webhook last come in?"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from webhook.threads import BoundedThreads
from webhook.wiring import Inbox

_SAVE_EVERY_S = 10.0
# Longer than a writer waits for its turn: what takes longer than that hangs.
_SAVE_TIMEOUT_S = 9.0
_READY_TIMEOUT_S = 2.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Webhooks counted over some time, and the last ones of it."""

    good: int = 0
    bad: int = 0
    last_good_at: datetime | None = None
    last_bad_at: datetime | None = None
    last_bad_reason: str = ""

    def followed_by(self, later: "Tally") -> "Tally":
        """Return the tally of both times together."""
        return Tally(
            good=self.good + later.good,
            bad=self.bad + later.bad,
            last_good_at=later.last_good_at or self.last_good_at,
            last_bad_at=later.last_bad_at or self.last_bad_at,
            last_bad_reason=later.last_bad_reason or self.last_bad_reason,
        )


class Health:
    """Counts webhooks in memory and saves the counts now and then.

    A stranger can send bad webhooks as fast as the network allows; they must not become as many writes.
    Storage is asked in threads of our own, so that probes take no place from events, and wait for no counts.
    """

    def __init__(
        self,
        inbox: Inbox,
        *,
        save_every_s: float = _SAVE_EVERY_S,
        save_timeout_s: float = _SAVE_TIMEOUT_S,
    ) -> None:
        self._inbox = inbox
        self._save_every_s = save_every_s
        self._save_timeout_s = save_timeout_s
        self._probes = BoundedThreads(1, name="ready")
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="health")
        self._saving: asyncio.Task[None] | None = None
        self._unsaved = Tally()

    def count_good(self, now: datetime) -> None:
        """Count a webhook whose event is stored."""
        self._unsaved = self._unsaved.followed_by(Tally(good=1, last_good_at=now))

    def count_bad(self, now: datetime, reason: str) -> None:
        """Count a webhook that was refused."""
        seen = Tally(bad=1, last_bad_at=now, last_bad_reason=reason)
        self._unsaved = self._unsaved.followed_by(seen)

    async def keep_saving(self, stopping: asyncio.Event) -> None:
        """Save the counts again and again, and a last time after `stopping` is set."""
        while not stopping.is_set():
            await self.save()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._save_every_s):
                    await stopping.wait()
        # One that still hangs was waited for already, and nobody must end later for it.
        if self._saving is None or self._saving.done():
            await self.save()
        await asyncio.to_thread(self._writer.shutdown)
        await self._probes.close()

    async def save(self) -> None:
        """Store what was counted since the last time; what can't be stored is kept for the next time.

        A write that hangs is not waited for for ever. Only its end says whether its counts are stored, so nothing else is
        written before.
        """
        if not await self._has_ended() or self._unsaved == Tally():
            return
        unsaved, self._unsaved = self._unsaved, Tally()
        self._saving = asyncio.create_task(self._store(unsaved))
        if not await self._has_ended():
            log.warning("webhook_health.save_hangs", waited_s=self._save_timeout_s)

    async def _has_ended(self) -> bool:
        """Whether the last write is over, if need be in a moment."""
        if self._saving is None:
            return True
        ended, _ = await asyncio.wait([self._saving], timeout=self._save_timeout_s)
        return bool(ended)

    async def _store(self, unsaved: Tally) -> None:
        record = partial(
            self._inbox.record_webhook_health,
            good=unsaved.good,
            bad=unsaved.bad,
            last_good_at=unsaved.last_good_at,
            last_bad_at=unsaved.last_bad_at,
            last_bad_reason=unsaved.last_bad_reason,
        )
        try:
            await asyncio.get_running_loop().run_in_executor(self._writer, record)
        except Exception as error:  # noqa: BLE001 - counting must outlive whatever storage does
            self._unsaved = unsaved.followed_by(self._unsaved)
            log.warning("webhook_health.save_failed", error=type(error).__name__)

    async def answer_alive(self, _: Request) -> PlainTextResponse:
        """Answer /healthz: the process is there."""
        return PlainTextResponse("ok")

    async def answer_ready(self, _: Request) -> PlainTextResponse:
        """Answer /readyz: an event could be stored now."""
        if await self._is_ready():
            return PlainTextResponse("ok")
        return PlainTextResponse("not ready", status_code=503)

    async def _is_ready(self) -> bool:
        try:
            return await self._probes.run(self._inbox.is_ready, timeout_s=_READY_TIMEOUT_S)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, it is not ready
            log.warning("readiness.check_failed", error=type(error).__name__)
            return False
