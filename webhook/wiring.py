"""What is the webhook given when it is built?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

from reconciler.core.observation import Source
from reconciler.stripe_api.envelope import StripeEvent

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the moment of the call."""
    return datetime.now(UTC)


class Inbox(Protocol):
    """Where events are kept. Every method blocks, so the webhook calls them in threads."""

    def accept(self, events: Sequence[StripeEvent], *, source: Source, now: datetime) -> None:
        """Return once the events are committed; raise StorageUnavailable if they can't be stored."""

    def is_ready(self) -> bool:
        """Return whether an event could be stored now."""

    def record_webhook_health(
        self,
        *,
        good: int,
        bad: int,
        last_good_at: datetime | None,
        last_bad_at: datetime | None,
        last_bad_reason: str,
    ) -> None:
        """Add these counts to the stored ones; a None moment leaves the stored moment alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """The webhook's settings; during a rotation of the signing secret there are several `secrets`."""

    secrets: tuple[str, ...] = field(repr=False)
    max_body_bytes: int = 1024 * 1024
    body_timeout_s: float = 10.0
    tolerance_s: int = 300
    storage_timeout_s: float = 4.5
