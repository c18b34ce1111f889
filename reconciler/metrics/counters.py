"""What does this program count while it works?

Whoever counts calls a function of this module. No label ever holds an id, or a word of Stripe's or of a payer: each has a
few values, all of them ours. https://prometheus.io/docs/practices/naming/
"""

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.registry import Collector

_WEBHOOKS: Final = Counter(
    "reconciler_webhooks",
    "Requests to the webhook, by what became of them.",
    ["outcome"],
    registry=None,
)
_WEBHOOK_DURATION: Final = Histogram(
    "reconciler_webhook_duration_seconds",
    "From the request's head to the answer.",
    registry=None,
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
_SWEEP_RUNS: Final = Counter(
    "reconciler_sweep_runs", "Runs of sweeps, by how they ended.", ["sweep", "state"], registry=None
)
_SWEEP_DURATION: Final = Histogram(
    "reconciler_sweep_duration_seconds",
    "How long runs of sweeps took, however they ended.",
    ["sweep"],
    registry=None,
    buckets=(0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600),
)
_STRIPE_REQUESTS: Final = Counter(
    "reconciler_stripe_requests",
    "Requests to Stripe, tries included, by the status of the answer; none: no connection.",
    ["path", "status"],
    registry=None,
)
_STRIPE_RETRIES: Final = Counter(
    "reconciler_stripe_retries",
    "Requests to Stripe that repeat one without an answer.",
    ["path"],
    registry=None,
)
_CLOCK_AHEAD: Final = Gauge(
    "reconciler_clock_ahead_seconds",
    "How far this machine's clock is ahead of Stripe's, by its last answer; 0 before the first one.",
    registry=None,
)

_PAYMENTS: Final = Counter(
    "reconciler_payments_first_told",
    "Payments that became known as paid, by who told it first.",
    ["source"],
    registry=None,
)
_PAYMENT_LATENESS: Final = Histogram(
    "reconciler_payment_lateness_seconds",
    "How long after Stripe's time a payment became known as paid, by who told it first.",
    ["source"],
    registry=None,
    buckets=(1, 2, 5, 10, 30, 60, 120, 300, 900, 3600, 21_600, 86_400),
)

_PUSH_ANSWERS: Final = Counter(
    "reconciler_push_answers",
    "Messages that were sent to push services, by what their answer means.",
    ["answer"],
    registry=None,
)

_PUSH_EXPIRED: Final = Counter(
    "reconciler_push_expired",
    "Notifications, and messages of them to browsers, that were dropped because their news was too old.",
    registry=None,
)

Instruments: TypeAlias = Sequence[Collector]

OF_SERVE: Final[Instruments] = (_WEBHOOKS, _WEBHOOK_DURATION)
OF_DAEMON: Final[Instruments] = (
    _SWEEP_RUNS,
    _SWEEP_DURATION,
    _STRIPE_REQUESTS,
    _STRIPE_RETRIES,
    _CLOCK_AHEAD,
    _PAYMENTS,
    _PAYMENT_LATENESS,
    _PUSH_ANSWERS,
    _PUSH_EXPIRED,
)


def webhooks_expected(outcomes: Iterable[str]) -> None:
    """Begin to count these outcomes at 0: a growth can only be seen from the second value on."""
    for outcome in outcomes:
        _WEBHOOKS.labels(outcome)


def webhook_answered(outcome: str, took_s: float) -> None:
    """Count a request to the webhook."""
    _WEBHOOKS.labels(outcome).inc()
    _WEBHOOK_DURATION.observe(took_s)


def sweep_began(sweep: str, states: Iterable[str]) -> None:
    """Begin to count the runs of a sweep at 0, in the states in which they may end."""
    for state in states:
        _SWEEP_RUNS.labels(sweep, state)


def sweep_ended(sweep: str, state: str, took_s: float) -> None:
    """Count a run of a sweep."""
    _SWEEP_RUNS.labels(sweep, state).inc()
    _SWEEP_DURATION.labels(sweep).observe(took_s)


def stripe_asked(path: str, status: str) -> None:
    """Count a request to Stripe; `path` has no id in it."""
    _STRIPE_REQUESTS.labels(path, status).inc()


def stripe_asked_again(path: str) -> None:
    """Count that a request is about to be repeated."""
    _STRIPE_RETRIES.labels(path).inc()


def clock_compared(ahead_s: float) -> None:
    """Tell how far our clock is ahead of Stripe's."""
    _CLOCK_AHEAD.set(ahead_s)


def payments_expected(sources: Iterable[str]) -> None:
    """Begin to count the payments that each of these tells first at 0."""
    for source in sources:
        _PAYMENTS.labels(source)
        _PAYMENT_LATENESS.labels(source)


def payment_told(source: str, late_s: float | None) -> None:
    """Count a payment by who told first that it is paid, and how late; None: nobody knows how late."""
    _PAYMENTS.labels(source).inc()
    if late_s is not None:
        _PAYMENT_LATENESS.labels(source).observe(late_s)


def push_expected(answers: Iterable[str]) -> None:
    """Begin to count the answers of push services at 0."""
    for answer in answers:
        _PUSH_ANSWERS.labels(answer)


def push_answered(answer: str) -> None:
    """Count a message by the answer of its push service."""
    _PUSH_ANSWERS.labels(answer).inc()


def push_expired(many: int) -> None:
    """Count news that was dropped because it was too old."""
    _PUSH_EXPIRED.inc(many)
