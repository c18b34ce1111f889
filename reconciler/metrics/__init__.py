"""Which figures does this program give to Prometheus, and where?

A low layer: it imports nothing of ours. `counters` are counted where something happens, `gauges` are read when somebody
asks, `listener` answers whoever asks. Only here is the client library known.
"""

from reconciler.metrics.counters import (
    OF_DAEMON,
    OF_SERVE,
    Instruments,
    clock_compared,
    payment_told,
    payments_expected,
    push_answered,
    push_expected,
    stripe_asked,
    stripe_asked_again,
    sweep_began,
    sweep_ended,
    webhook_answered,
    webhooks_expected,
)
from reconciler.metrics.gauges import (
    AT_SCRAPE,
    CHECK_OVERDUE,
    CURSOR_LAG,
    DAEMON_LEADS,
    DATABASE_UP,
    EVENTS_WAITING,
    EXCEPTIONS_OPEN,
    FETCH_AGE,
    FETCHES_WAITING,
    PUSH_AGE,
    PUSH_WAITING,
    SWEEP_DONE,
    SWEEP_LAG,
    Gauge,
    Values,
)
from reconciler.metrics.listener import listening

__all__ = [
    "AT_SCRAPE",
    "CHECK_OVERDUE",
    "CURSOR_LAG",
    "DAEMON_LEADS",
    "DATABASE_UP",
    "EVENTS_WAITING",
    "EXCEPTIONS_OPEN",
    "FETCHES_WAITING",
    "FETCH_AGE",
    "OF_DAEMON",
    "OF_SERVE",
    "PUSH_AGE",
    "PUSH_WAITING",
    "SWEEP_DONE",
    "SWEEP_LAG",
    "Gauge",
    "Instruments",
    "Values",
    "clock_compared",
    "listening",
    "payment_told",
    "payments_expected",
    "push_answered",
    "push_expected",
    "stripe_asked",
    "stripe_asked_again",
    "sweep_began",
    "sweep_ended",
    "webhook_answered",
    "webhooks_expected",
]
