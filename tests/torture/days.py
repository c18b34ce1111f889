"""Do business days part forty years of every zone, without a gap and without an overlap?"""

from datetime import date, timedelta
from random import Random
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from reconciler.core.calendar import begin_ms, day_of
from tests.torture.outcome import Outcome

FIRST: Final = date(2000, 1, 1)
YEARS: Final = 40
_ONE: Final = timedelta(days=1)
# Not names of places: what a machine itself, or nobody, has set.
_NO_PLACES: Final = frozenset({"localtime", "Factory"})


def play(seed: int, zones: int) -> Outcome:
    """Look at every day of forty years, in so many zones drawn from the seed; 0 is all of them."""
    names = sorted(available_timezones() - _NO_PLACES)
    if zones:
        names = sorted(Random(seed).sample(names, zones))  # noqa: S311 - no secret
    outcome = Outcome()
    for name in names:
        count, problems = _part(ZoneInfo(name))
        outcome.add({"zones": 1, "days": count})
        outcome.found(name, problems)
    return outcome


def _part(zone: ZoneInfo) -> tuple[int, list[str]]:
    """How many days there were, and which of them do not begin where the one before ended."""
    problems = []
    day, until = FIRST, FIRST.replace(year=FIRST.year + YEARS)
    begins, count = begin_ms(day, zone), 0
    while day < until:
        ends = begin_ms(day + _ONE, zone)
        if ends < begins:
            problems.append(f"{day} ends before it begins")
        elif ends > begins and {day_of(begins, zone), day_of(ends - 1, zone)} != {day}:
            problems.append(f"the first or last moment of {day} belongs to another day")
        day, begins, count = day + _ONE, ends, count + 1
    return count, problems
