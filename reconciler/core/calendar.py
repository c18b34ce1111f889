"""Which business days does finance mean, and when does each begin?

A day is a day of the calendar in one zone, from its first instant until before the first instant of the next. So every moment
belongs to exactly one day, also where clocks change at midnight, and where a zone has skipped a whole day.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import Final

from reconciler.core.observation import ms
from reconciler.core.schedule import Window

DAYS_MAX: Final = 400
FIRST_DAY: Final = date(2010, 1, 1)
_ONE: Final = timedelta(days=1)


class BadRange(ValueError):  # noqa: N818 - it names what the range is
    """The days that were asked for can't be reconciled; the message says why and what mends it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayRange:
    """Business days from `first` to `last`, both included, of one zone."""

    first: date
    last: date
    zone: tzinfo

    @property
    def days(self) -> Iterator[date]:
        """Each day, in order."""
        day = self.first
        while day <= self.last:
            yield day
            day += _ONE

    @property
    def window(self) -> Window:
        """All its moments in milliseconds, half open."""
        return Window(begin_ms(self.first, self.zone), begin_ms(self.last + _ONE, self.zone))

    def window_of(self, day: date) -> Window:
        """The moments of one day; empty where the zone has skipped it."""
        return Window(begin_ms(day, self.zone), begin_ms(day + _ONE, self.zone))


def begin_ms(day: date, zone: tzinfo) -> int:
    """The first instant of a day in milliseconds since the epoch.

    Where midnight does not exist, it is the instant at which the clock leaps over it; where it comes twice, the first.
    """
    return ms(datetime.combine(day, time.min, zone))


def day_of(at_ms: int, zone: tzinfo) -> date:
    """The day to which a moment belongs."""
    # What the clock shows is that day, but for the minutes that a clock set back at midnight shows again.
    shown = datetime.fromtimestamp(at_ms / 1000, zone).date()
    return shown + _ONE if begin_ms(shown + _ONE, zone) <= at_ms else shown


def read_range(first: str, last: str, *, zone: tzinfo, now_ms: int) -> DayRange:
    """The range that a person has written. Raises BadRange with the mend."""
    asked = DayRange(first=_day("--from", first), last=_day("--to", last), zone=zone)
    today = day_of(now_ms, zone)
    if asked.first > asked.last:
        raise BadRange(f"--from {asked.first} is after --to {asked.last}: swap them")
    if asked.last > today:
        raise BadRange(f"--to {asked.last} is not there yet: today is {today} in {zone}")
    if asked.first < FIRST_DAY:
        raise BadRange(f"--from {asked.first}: Stripe was not there yet, before {FIRST_DAY}")
    length = (asked.last - asked.first).days + 1
    if length > DAYS_MAX:
        raise BadRange(
            f"{length} days are more than {DAYS_MAX}: reconcile them in parts, like a year at a time"
        )
    return asked


def _day(option: str, text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a day of the calendar, in no zone yet
    except ValueError:
        raise BadRange(f"{option}: {text[:40]!r} is no day; write it as 2026-03-01") from None
