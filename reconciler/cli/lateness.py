"""How do commands say who told us of payments, how late that was, and whether webhooks seem broken?"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from reconciler.cli.lines import Colour, Line, words_of
from reconciler.cli.output import safe
from reconciler.core.lateness import Figures, Lateness, Told, measure
from reconciler.core.observation import Source
from reconciler.db import lateness, queries
from reconciler.db.lateness import Heard
from reconciler.db.session import Tx

DAY: Final = timedelta(days=1)
# So long after its last word an endpoint is taken to be given up, unless a secret is still set for it.
_GIVEN_UP: Final = timedelta(days=30)
# The newest payments of as many days tell whether webhooks come; one alone may be an accident.
_RECENT_MAX: Final = 10
_RECENT_MIN: Final = 3
_RECENT_ROWS: Final = 2000
_TOLD_BY: Final = {
    Source.WEBHOOK: "a webhook",
    Source.POLL: "a sweep",
    Source.MANUAL: "a person",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """What is known of how Stripe's word reaches us: counted deliveries, events of the last day, payments."""

    health: Mapping[str, Any] | None
    by_webhook: int
    by_sweep: int
    last_day: Heard
    recent: Sequence[Told]
    has_secret: bool


def arrivals(tx: Tx, at: datetime, *, counts_from: datetime | None, has_secret: bool) -> Arrivals:
    """Read how Stripe's word has reached us."""
    came = queries.events_by_source(tx, at - DAY)
    newest = lateness.told_since(tx, at - _GIVEN_UP, counts_from=counts_from, rows_max=_RECENT_ROWS)
    return Arrivals(
        health=queries.health(tx),
        by_webhook=came.get("webhook", 0),
        by_sweep=came.get("poll", 0),
        last_day=lateness.told_since(tx, at - DAY, counts_from=counts_from),
        recent=newest.payments[-_RECENT_MAX:],
        has_secret=has_secret,
    )


def webhook_line(seen: Arrivals, at: datetime) -> Line:
    """Whether webhooks come; red where they are expected and seem broken."""
    is_expected = expects_webhooks(seen, at)
    swept = [each for each in seen.recent if each.is_only_swept]
    facts = {
        "expected": is_expected,
        "events_by_webhook": seen.by_webhook,
        "events_by_sweep": seen.by_sweep,
        "last_good_at": seen.health["last_good_at"] if seen.health else None,
        "last_bad_at": seen.health["last_bad_at"] if seen.health else None,
        "recent_payments": len(seen.recent),
        "recent_only_by_sweep": len(swept),
    }
    if not is_expected:
        words = "no webhooks: payments are found by sweeps"
        return Line(Colour.GOOD, "webhook", words, facts)
    colour, words = _verdict(seen, swept, at)
    return Line(colour, "webhook", f"{_deliveries(seen, at)}{words}", facts)


def expects_webhooks(seen: Arrivals, at: datetime) -> bool:
    """Whether somebody means webhooks to come; a daemon that works alone by design lacks nothing."""
    if seen.has_secret or seen.by_webhook:
        return True
    health = seen.health or {}
    knocked = [health.get(key) for key in ("last_good_at", "last_bad_at")]
    return any(moment is not None and at - moment < _GIVEN_UP for moment in knocked)


def _deliveries(seen: Arrivals, at: datetime) -> str:
    words = f"{seen.by_webhook} events of the last day came by webhook, {seen.by_sweep} by a sweep"
    if seen.health is None:
        return f"{words}; no delivery was ever counted"
    words += f"; last good one {_ago(seen.health['last_good_at'], at)}"
    if seen.health["bad"]:
        reason = safe(seen.health["last_bad_reason"])
        words += f", last bad one {_ago(seen.health['last_bad_at'], at)} ({reason})"
    return words


def _verdict(seen: Arrivals, swept: Sequence[Told], at: datetime) -> tuple[Colour, str]:
    """How webhooks stand, and the mend."""
    last_good_at = seen.health["last_good_at"] if seen.health else None
    # What Stripe sends again brings no event that a sweep has not brought, and is a good sign all the same.
    came = last_good_at is not None and at - last_good_at < DAY
    is_silent = bool(seen.by_sweep) and not seen.by_webhook and not came
    is_mostly_swept = len(swept) >= _RECENT_MIN and 2 * len(swept) > len(seen.recent)
    words = ""
    if is_mostly_swept:
        words = f"; {len(swept)} of the last {len(seen.recent)} payments were found only by a sweep"
        is_silent |= last_good_at is None or last_good_at < swept[-1].known_at
    if is_silent:
        return (
            Colour.RED,
            f"{words}: webhooks seem broken, `reconciler doctor` looks at the endpoint",
        )
    if is_mostly_swept:
        return (
            Colour.LOOK,
            f"{words}: does the endpoint get all event types? See `reconciler doctor`",
        )
    return Colour.LOOK if seen.by_sweep else Colour.GOOD, words


def payments_line(seen: Arrivals, at: datetime) -> Line:
    """Who told of the payments of the last day, and how late."""
    found = measure(seen.last_day.payments)
    span = at - seen.last_day.after
    facts = {
        "window_s": int(span.total_seconds()),
        "paid": found.overall.count,
        "first_told_by": {source.value: each.count for source, each in found.by_source.items()},
        "only_by_sweep": found.only_swept,
        "only_by_sweep_share": round(found.swept_share, 4),
        "late_s": _late(found.overall),
    }
    stretch = "24 h" if span == DAY else words_of(span)
    if not found.overall.count:
        return Line(Colour.GOOD, "payments", f"none was paid in the last {stretch}", facts)
    words = f"{found.overall.count} paid in the last {stretch}: {_tellers(found)}{_times(found)}"
    return Line(Colour.GOOD, "payments", words, facts)


def _late(figures: Figures) -> dict[str, float | None]:
    return {
        "p50": figures.p50_s,
        "p95": figures.p95_s,
        "p99": figures.p99_s,
        "max": figures.max_s,
    }


def _tellers(found: Lateness) -> str:
    count = {source: each.count for source, each in found.by_source.items()}
    shares = (
        (count[Source.WEBHOOK], "told by webhook"),
        (count[Source.POLL] - found.only_swept, "by a sweep before the webhook"),
        (found.only_swept, "found only by a sweep"),
        (count[Source.MANUAL], "by a person"),
    )
    total = found.overall.count
    return ", ".join(f"{_percent(n, total)} {words}" for n, words in shares if n)


def _percent(part: int, total: int) -> str:
    """A share in percent that is rounded neither to nothing nor to all."""
    if part == total:
        return "all"
    return f"{min(max(round(100 * part / total), 1), 99)} %"


def _times(found: Lateness) -> str:
    times = (found.overall.p50_s, found.overall.p95_s, found.overall.max_s)
    half, most, last = (
        None if each is None else words_of(timedelta(seconds=each)) for each in times
    )
    if last is None:
        return ""
    if half == last:
        return f"; known within {last}"
    return f"; half known within {half}, 95 % within {most}, the last after {last}"


def sentence(told: Told) -> str:
    """Who told first that a payment is paid, and how late."""
    words = f"{told.payment_id} was first told by {_TOLD_BY[told.source]}"
    if told.late_s is None:
        words += ", at a time of Stripe's that is not known yet"
    else:
        words += f", {words_of(timedelta(seconds=told.late_s))} after it was paid"
    return f"{words}; no webhook told of it." if told.is_only_swept else f"{words}."


def _ago(moment: datetime | None, at: datetime) -> str:
    return "never" if moment is None else f"{words_of(at - moment)} ago"
