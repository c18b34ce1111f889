"""Does every moment belong to exactly one business day, whatever clocks have done?"""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.calendar import BadRange, DayRange, begin_ms, day_of, read_range
from reconciler.core.observation import moment, ms

NOON = ms(datetime(2026, 11, 25, 12, tzinfo=UTC))
HOUR_MS = 3_600_000
ZONES = st.sampled_from(sorted(available_timezones() - {"localtime"}))


@pytest.mark.parametrize(
    ("zone", "day", "begins", "hours"),
    [
        ("UTC", date(2026, 3, 1), "2026-03-01T00:00:00+00:00", 24),
        ("UTC", date(2024, 2, 29), "2024-02-29T00:00:00+00:00", 24),
        ("Europe/Paris", date(2026, 3, 29), "2026-03-28T23:00:00+00:00", 23),
        ("Europe/Paris", date(2026, 10, 25), "2026-10-24T22:00:00+00:00", 25),
        ("America/New_York", date(2026, 3, 8), "2026-03-08T05:00:00+00:00", 23),
        ("Asia/Kolkata", date(2026, 3, 1), "2026-02-28T18:30:00+00:00", 24),
        # Midnight did not exist: the clock leapt from 23:59:59 to 01:00.
        ("America/Sao_Paulo", date(2018, 11, 4), "2018-11-04T03:00:00+00:00", 23),
        # The clock was set back at midnight, so that the day before had 25 hours.
        ("America/Sao_Paulo", date(2018, 2, 17), "2018-02-17T02:00:00+00:00", 25),
        ("Australia/Lord_Howe", date(2026, 4, 5), "2026-04-04T13:00:00+00:00", 24.5),
        # Samoa crossed the date line, and never had that day.
        ("Pacific/Apia", date(2011, 12, 30), "2011-12-30T10:00:00+00:00", 0),
        ("Pacific/Apia", date(2011, 12, 31), "2011-12-30T10:00:00+00:00", 24),
    ],
)
def test_it_knows_when_a_day_begins_and_how_long_it_is(
    zone: str, day: date, begins: str, hours: float
) -> None:
    """Days begin at their first instant and last as long as the zone's clocks say."""
    one = DayRange(first=day, last=day, zone=ZoneInfo(zone))

    assert moment(one.window.since_ms) == datetime.fromisoformat(begins)
    assert (one.window.until_ms - one.window.since_ms) / HOUR_MS == hours


@settings(max_examples=300, deadline=None)
@given(ZONES, st.dates(date(1987, 1, 1), date(2027, 1, 1)), st.integers(0, 3 * 86_400_000))
def test_it_gives_every_moment_one_day(zone: str, day: date, after_ms: int) -> None:
    """The day of a moment is the one whose window holds it, in every zone there is."""
    place = ZoneInfo(zone)
    at_ms = begin_ms(day, place) + after_ms

    found = day_of(at_ms, place)

    begins, ends = DayRange(first=found, last=found, zone=place).window
    assert begins <= at_ms < ends


@settings(max_examples=50, deadline=None)
@given(ZONES, st.dates(date(1987, 1, 1), date(2026, 1, 1)))
def test_it_leaves_no_gap_between_days(zone: str, first: date) -> None:
    """The windows of the days of a range lie end to end, and are the window of the range."""
    asked = DayRange(first=first, last=first + timedelta(days=399), zone=ZoneInfo(zone))

    windows = [asked.window_of(day) for day in asked.days]

    assert len(windows) == 400
    assert (windows[0].since_ms, windows[-1].until_ms) == asked.window
    assert all(one.until_ms == other.since_ms for one, other in pairwise(windows))


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        ("2026-03-31", "2026-03-01", "--from 2026-03-31 is after --to 2026-03-01: swap them"),
        ("2026-11-25", "2026-11-26", "--to 2026-11-26 is not there yet: today is 2026-11-25"),
        ("2025-01-01", "2026-03-01", "425 days are more than 400"),
        ("2026-02-30", "2026-03-01", "--from: '2026-02-30' is no day; write it as 2026-03-01"),
        ("01.03.2026", "2026-03-31", "--from: '01.03.2026' is no day"),
        ("2026-03-01", "", "--to: '' is no day"),
        ("2026-03-01", "9" * 99, "--to: '9999"),
    ],
)
def test_it_refuses_what_is_no_range(first: str, last: str, words: str) -> None:
    """What can't be reconciled is refused with the reason and the mend, in one line."""
    with pytest.raises(BadRange) as refused:
        read_range(first, last, zone=ZoneInfo("UTC"), now_ms=NOON)

    assert words in str(refused.value)
    assert len(str(refused.value)) < 130


@pytest.mark.parametrize(
    ("zone", "today"), [("Pacific/Kiritimati", "2026-11-26"), ("UTC", "2026-11-25")]
)
def test_it_takes_today(zone: str, today: str) -> None:
    """The day that is not over yet may be asked for, and it is the day in the zone of the report."""
    asked = read_range("2026-11-01", today, zone=ZoneInfo(zone), now_ms=NOON)

    assert asked.last == date.fromisoformat(today)
