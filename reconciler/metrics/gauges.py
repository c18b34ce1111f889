"""What can this program tell of itself when somebody asks?

Declared here, and read by the daemon from its database. What is said of labels in `counters` holds here too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias


@dataclass(frozen=True, slots=True)
class Gauge:
    """A figure that is read when somebody asks: its name, what it means, and the names of its labels."""

    name: str
    words: str
    labels: tuple[str, ...] = ()


DATABASE_UP: Final = Gauge(
    "reconciler_database_up",
    "1 if the database has just told what is read from it, else 0, and those figures are missing.",
)
DAEMON_LEADS: Final = Gauge(
    "reconciler_daemon_leads", "1 if this daemon does the sweeps, 0 if it stands by."
)
SWEEP_LAG: Final = Gauge(
    "reconciler_sweep_lag_seconds",
    "How far behind the present the sweep has last looked to its end.",
    ("sweep",),
)
SWEEP_DONE: Final = Gauge(
    "reconciler_sweep_last_done_timestamp_seconds",
    "When the last run of the sweep began that came to its end.",
    ("sweep",),
)
CURSOR_LAG: Final = Gauge(
    "reconciler_cursor_lag_seconds", "How far behind the present a cursor stands.", ("cursor",)
)
EVENTS_WAITING: Final = Gauge(
    "reconciler_events_waiting", "Stored events that are not applied, by state.", ("state",)
)
FETCHES_WAITING: Final = Gauge(
    "reconciler_fetches_waiting", "Objects that wait to be read by their id."
)
FETCH_AGE: Final = Gauge(
    "reconciler_fetch_oldest_age_seconds", "Since when the object waits that waits the longest."
)
CHECK_OVERDUE: Final = Gauge(
    "reconciler_check_oldest_overdue_seconds",
    "By how much the next look at a payment that is not final is late, for the latest one.",
)
EXCEPTIONS_OPEN: Final = Gauge(
    "reconciler_exceptions_open", "What needs a person now, by kind.", ("kind",)
)
PUSH_WAITING: Final = Gauge(
    "reconciler_push_waiting", "Messages that wait to be sent to push services."
)
PUSH_AGE: Final = Gauge(
    "reconciler_push_oldest_age_seconds", "Since when the message waits that waits the longest."
)

AT_SCRAPE: Final = (
    DATABASE_UP,
    DAEMON_LEADS,
    SWEEP_LAG,
    SWEEP_DONE,
    CURSOR_LAG,
    EVENTS_WAITING,
    FETCHES_WAITING,
    FETCH_AGE,
    CHECK_OVERDUE,
    EXCEPTIONS_OPEN,
    PUSH_WAITING,
    PUSH_AGE,
)

Values: TypeAlias = Mapping[Gauge, Mapping[tuple[str, ...], float]]
"""Gauges with their values; each value under the values of its labels, in their order."""
