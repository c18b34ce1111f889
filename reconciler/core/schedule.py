"""When must something be looked at again? Pure arithmetic on times."""

from bisect import bisect_right
from typing import Final

SECOND_MS: Final = 1000
MINUTE_MS: Final = 60 * SECOND_MS
HOUR_MS: Final = 60 * MINUTE_MS
DAY_MS: Final = 24 * HOUR_MS

EVENT_ATTEMPTS_MAX: Final = 10

# Within the first hour a payment that is not final is read at these ages; then ever more rarely, but for ever.
_FIRST_HOUR_MS: Final = tuple(minutes * MINUTE_MS for minutes in (1, 2, 4, 8, 15, 30, 60))
_LATER: Final = ((DAY_MS, HOUR_MS), (35 * DAY_MS, DAY_MS), (400 * DAY_MS, 7 * DAY_MS))


def next_check_ms(*, created_ms: int, now_ms: int, in_flight: bool) -> int:
    """When a payment that is not final is read next; `in_flight` (money on the move) is never slower than daily."""
    age_ms = max(0, now_ms - created_ms)
    if age_ms < _FIRST_HOUR_MS[-1]:
        return created_ms + _FIRST_HOUR_MS[bisect_right(_FIRST_HOUR_MS, age_ms)]
    interval_ms = next((every for until, every in _LATER if age_ms < until), 30 * DAY_MS)
    return now_ms + (min(interval_ms, DAY_MS) if in_flight else interval_ms)


def retry_after_ms(attempts: int) -> int | None:
    """How long to wait after so many failed attempts; None once it is time to give up and call a person."""
    if attempts >= EVENT_ATTEMPTS_MAX:
        return None
    return min(HOUR_MS, 5 * SECOND_MS << 2 * max(0, attempts - 1))
