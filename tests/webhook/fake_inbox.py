"""An inbox in memory that behaves like the real one, and can be away, slow or broken when it is told to."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Lock

from reconciler.core.observation import Source
from reconciler.db.errors import StorageUnavailable
from reconciler.stripe_api.envelope import StripeEvent
from webhook.health import Tally


@dataclass
class FakeInbox:
    """Keeps the ids of events; with a `journal`, another process can read them, one a line."""

    journal: Path | None = None
    is_away: bool = False
    is_broken: bool = False
    pause_s: float = 0.0
    save_pause_s: float = 0.0
    ids: set[str] = field(default_factory=set)
    bodies: list[bytes] = field(default_factory=list)
    doors: set[tuple[Source, datetime]] = field(default_factory=set)
    health: Tally = field(default_factory=Tally)
    health_saves: int = 0
    at_once: int = 0
    most_at_once: int = 0
    lock: Lock = field(default_factory=Lock)

    def accept(self, events: Sequence[StripeEvent], *, source: Source, now: datetime) -> None:
        """Keep the events."""
        with self.lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            self._check()
            self._keep(events)
            self.doors.add((source, now))
        finally:
            with self.lock:
                self.at_once -= 1

    def is_ready(self) -> bool:
        """Return whether it is there."""
        time.sleep(self.pause_s)
        if self.is_broken:
            raise RuntimeError("the schema is gone")
        return not self.is_away

    def record_webhook_health(
        self,
        *,
        good: int,
        bad: int,
        last_good_at: datetime | None,
        last_bad_at: datetime | None,
        last_bad_reason: str,
    ) -> None:
        """Add to the counts, as the real one does."""
        time.sleep(self.save_pause_s)
        self._check()
        seen = Tally(
            good=good,
            bad=bad,
            last_good_at=last_good_at,
            last_bad_at=last_bad_at,
            last_bad_reason=last_bad_reason,
        )
        self.health = self.health.followed_by(seen)
        self.health_saves += 1

    def _check(self) -> None:
        time.sleep(self.pause_s)
        if self.is_away:
            raise StorageUnavailable("database is locked (SQLITE_BUSY)")
        if self.is_broken:
            raise RuntimeError("a secret detail of the inside")

    def _keep(self, events: Sequence[StripeEvent]) -> None:
        with self.lock:
            self.ids.update(event.id for event in events)
            self.bodies.extend(event.body for event in events)
            if self.journal is not None:
                with self.journal.open("a") as lines:
                    lines.writelines(f"{event.id}\n" for event in events)
