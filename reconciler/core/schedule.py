"""When must something be looked at again? Pure arithmetic on times."""

from bisect import bisect_right
from collections.abc import Iterator
from typing import Final, NamedTuple

SECOND_MS: Final = 1000
MINUTE_MS: Final = 60 * SECOND_MS
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS

EVENT_ATTEMPTS_MAX: Final = 10

# Stripe lists events for 30 days (https://docs.stripe.com/api/events/list); a minute is left for the way there.
EVENTS_KEPT_MS: Final = 30 * DAY_MS - MINUTE_MS


# Within the first hour a payment that is not final is read at these ages; then ever more rarely, but for ever.
_FIRST_HOUR_MS: Final = tuple(minutes * MINUTE_MS for minutes in (1, 2, 4, 8, 15, 30, 60))
_LATER: Final = ((DAY_MS, HOUR_MS), (35 * DAY_MS, DAY_MS), (400 * DAY_MS, 7 * DAY_MS))


def next_check_ms(*, created_ms: int, now_ms: int, in_flight: bool) -> int:
    """When a payment that is not final is read next; `in_flight` (money on the move) is never slower than daily."""
    age_ms = max(0, now_ms - created_ms)
    if age_ms < _FIRST_HOUR_MS[-1]:
        return created_ms + _FIRST_HOUR_MS[bisect_right(_FIRST_HOUR_MS, age_ms)]
    interval_ms = _interval_ms(age_ms)
    return now_ms + (min(interval_ms, DAY_MS) if in_flight else interval_ms)


def falls_due(created_ms: int, span: "Window") -> bool:
    """Whether one of the times at which something so old is looked at again lies in a stretch of time."""
    age_ms = max(0, span.until_ms - 1 - created_ms)
    if age_ms < _FIRST_HOUR_MS[-1]:
        passed = _FIRST_HOUR_MS[: bisect_right(_FIRST_HOUR_MS, age_ms)]
        last_ms = passed[-1] if passed else 0
    else:
        every_ms = _interval_ms(age_ms)
        last_ms = age_ms // every_ms * every_ms
    return created_ms + last_ms >= span.since_ms


def _interval_ms(age_ms: int) -> int:
    """How often something is looked at that is older than an hour."""
    return next((every for until, every in _LATER if age_ms < until), 30 * DAY_MS)


def retry_after_ms(attempts: int) -> int | None:
    """How long to wait after so many failed attempts; None once it is time to give up and call a person."""
    if attempts >= EVENT_ATTEMPTS_MAX:
        return None
    return min(HOUR_MS, 5 * SECOND_MS << 2 * max(0, attempts - 1))


def resend_after_ms(attempts: int) -> int:
    """How long a message waits after so many failed attempts to send it; how often it is tried its expiry bounds."""
    return min(HOUR_MS, 15 * SECOND_MS << min(16, max(0, attempts - 1)))


class Window(NamedTuple):
    """A stretch of Stripe's time in milliseconds: `since_ms` included, `until_ms` not."""

    since_ms: int
    until_ms: int


def window(*, position_ms: int, date_ms: int, overlap_ms: int, lag_ms: int) -> Window:
    """What a sweep behind a cursor must look at, in whole seconds: from before it until a moment ago at Stripe.

    A list is complete only a moment later (`lag_ms`), and some objects enter it behind the cursor (`overlap_ms`).
    """
    until_ms = date_ms - lag_ms
    since_ms = min(position_ms, until_ms) - overlap_ms
    return Window(_whole_s(since_ms), max(_whole_s(since_ms), _whole_s(until_ms)))


def events_window(*, position_ms: int, date_ms: int, overlap_ms: int, lag_ms: int) -> Window:
    """What a sweep of events must look at: what is older than Stripe keeps can't be asked for."""
    found = window(position_ms=position_ms, date_ms=date_ms, overlap_ms=overlap_ms, lag_ms=lag_ms)
    since_ms = max(found.since_ms, _whole_s(date_ms - EVENTS_KEPT_MS))
    return Window(since_ms, max(since_ms, found.until_ms))


def slices(window: Window, *, longest_ms: int = HOUR_MS) -> Iterator[Window]:
    """The window in slices, oldest first; none if it is empty."""
    since_ms = window.since_ms
    while since_ms < window.until_ms:
        until_ms = min(window.until_ms, since_ms + longest_ms)
        yield Window(since_ms, until_ms)
        since_ms = until_ms


def _whole_s(at_ms: int) -> int:
    return at_ms // SECOND_MS * SECOND_MS
