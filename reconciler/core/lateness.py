"""Who told us first that a payment was paid, and how late was that? Pure arithmetic on what the audit trail holds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from reconciler.core.observation import Source

# The types of event that show, in what they say or in the read that they ask for, that money has come
# (https://docs.stripe.com/api/events/types). That a payment was made or is on its way tells nothing of its end.
TELLS_OF_MONEY = frozenset(
    {
        "payment_intent.succeeded",
        "charge.succeeded",
        "charge.captured",
        "charge.updated",
        "charge.refunded",
        "checkout.session.completed",
        "checkout.session.async_payment_succeeded",
    }
)
# A thin event has the type of the other one with a version before it.
_THIN = "v1."
# The events of one payment are made within moments of each other, in no certain order. An event that is older tells of
# something else, such as the hold that was captured days later.
_MOMENTS = timedelta(seconds=5)
# A webhook's read is due at once. Where Stripe's time is not known, an event that had come long before has asked for no read.
_SHORTLY = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """An event about a payment that a webhook brought: when Stripe made it, and when it came in."""

    type: str
    created_at: datetime
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    """The moment at which we knew that a payment is paid: by which door, and when that was so in Stripe's time.

    `paid_at` is None where all that we have is the time of our own read.
    """

    payment_id: str
    source: Source
    known_at: datetime
    paid_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """Who told first that a payment is paid, and how long after Stripe's time; None where that is not known.

    `is_only_swept` says that a sweep told, and that no webhook has told since.
    """

    payment_id: str
    source: Source
    known_at: datetime
    late_s: float | None
    is_only_swept: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How many payments, and how late they were known: so many in a hundred of those with a time were not later."""

    count: int = 0
    p50_s: float | None = None
    p95_s: float | None = None
    p99_s: float | None = None
    max_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lateness:
    """Lateness as a number: of all payments, and of those that each source told first."""

    overall: Figures
    by_source: Mapping[Source, Figures]
    only_swept: int

    @property
    def swept_share(self) -> float:
        """The share of payments, from 0 to 1, that were found only by a sweep."""
        return self.only_swept / self.overall.count if self.overall.count else 0.0


def told(paid: Paid, deliveries: Iterable[Delivery]) -> Told:
    """Who told first of a payment, given the events about it that webhooks brought.

    A webhook may tell of a payment and leave it to the read that follows to decide: then it was the webhook that told. A
    person who had to step in has told it, whatever else had come.
    """
    received = [each.received_at for each in deliveries if _tells(each, paid)]
    source = paid.source
    if source is Source.POLL and any(at <= paid.known_at for at in received):
        source = Source.WEBHOOK
    return Told(
        payment_id=paid.payment_id,
        source=source,
        known_at=paid.known_at,
        late_s=_late_s(paid),
        is_only_swept=source is Source.POLL and not received,
    )


def _tells(delivery: Delivery, paid: Paid) -> bool:
    if delivery.type.removeprefix(_THIN) not in TELLS_OF_MONEY:
        return False
    if paid.paid_at is None:
        return delivery.received_at >= paid.known_at - _SHORTLY
    return delivery.created_at >= paid.paid_at - _MOMENTS


def _late_s(paid: Paid) -> float | None:
    """How late a payment was known; Stripe's clock may be ahead of ours, but nothing is known before it is so."""
    if paid.paid_at is None:
        return None
    return max(0.0, (paid.known_at - paid.paid_at).total_seconds())


def measure(payments: Iterable[Told]) -> Lateness:
    """Put payments in figures."""
    found = list(payments)
    return Lateness(
        overall=_figures(found),
        by_source={
            source: _figures(each for each in found if each.source is source) for source in Source
        },
        only_swept=sum(each.is_only_swept for each in found),
    )


def _figures(payments: Iterable[Told]) -> Figures:
    found = list(payments)
    late_s = sorted(each.late_s for each in found if each.late_s is not None)
    return Figures(
        count=len(found),
        p50_s=_percentile(late_s, 50),
        p95_s=_percentile(late_s, 95),
        p99_s=_percentile(late_s, 99),
        max_s=_percentile(late_s, 100),
    )


def _percentile(ascending: list[float], percent: int) -> float | None:
    """The least value that so many in a hundred do not exceed (nearest rank): one that was really had."""
    if not ascending:
        return None
    return ascending[-(-len(ascending) * percent // 100) - 1]
