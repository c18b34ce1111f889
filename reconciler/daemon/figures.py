"""What does the daemon tell of itself and of its database when Prometheus asks?

Most of it stands in the database. That one may be slow or away: whoever asks waits a moment at most, and then hears the rest.
"""

import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

import structlog

from reconciler import metrics
from reconciler.core.exceptions import ExceptionKind
from reconciler.core.lateness import Told
from reconciler.core.observation import Source
from reconciler.db import deliveries, lateness, payments, queries
from reconciler.db.events import EventState
from reconciler.db.session import Database, StatementFailed, StorageUnavailable, Tx

log = structlog.get_logger(__name__)

# However often somebody asks, the database is asked no more often than that.
FRESH_S: Final = 5.0
# Prometheus itself gives up after 10 s.
PATIENCE_S: Final = 2.0
# The moment of a decision is taken before its transaction waits for its turn: younger ones may not be there yet. Longer than the
# outbox waits with a summary: what comes later than that is never counted, and nobody waits for a count.
SETTLED: Final = timedelta(minutes=1)
_WAITING: Final = (EventState.DEFERRED, EventState.FAILED, EventState.DEAD, EventState.QUARANTINED)
_AWAY: Final[metrics.Values] = MappingProxyType({metrics.DATABASE_UP: {(): 0.0}})


class Figures:
    """What was last read, for as long as it is fresh. Safe to use from several threads."""

    def __init__(
        self,
        db: Database,
        leads: Callable[[], bool],
        now: Callable[[], datetime],
        *,
        counts_from: datetime | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._db = db
        self._leads = leads
        self._now = now
        self._counts_from = counts_from
        self._monotonic = monotonic
        self._told_until = now() - SETTLED
        self._lock = threading.Lock()
        self._reading: threading.Thread | None = None
        self._read_s = float("-inf")
        self._values = _AWAY
        metrics.payments_expected(each.value for each in Source)

    def read(self) -> metrics.Values:
        """All gauges; those of a database that does not answer are missing. Never raises."""
        return {**self._of_database(), metrics.DAEMON_LEADS: {(): float(self._leads())}}

    def _of_database(self) -> metrics.Values:
        with self._lock:
            reading = self._reading
            if reading is None or (not reading.is_alive() and self._is_old()):
                reading = threading.Thread(target=self._refresh, name="figures", daemon=True)
                reading.start()
                self._reading = reading
        reading.join(PATIENCE_S)
        return _AWAY if reading.is_alive() else self._values

    def _is_old(self) -> bool:
        return self._monotonic() - self._read_s >= FRESH_S

    def _refresh(self) -> None:
        self._values = self._asked()
        self._read_s = self._monotonic()

    def _asked(self) -> metrics.Values:
        try:
            now = self._now()
            with self._db.reading() as tx:
                values = _read(tx, now)
                told = self._told(tx)
            self._count(told, now - SETTLED)
        except (StorageUnavailable, StatementFailed) as problem:
            log.warning("metrics.not_read", problem=str(problem))
            return _AWAY
        except Exception:
            log.exception("metrics.not_read")
            return _AWAY
        return values

    def _told(self, tx: Tx) -> Sequence[Told]:
        """The payments that became known since the last time; one that stands by leaves them to the leader."""
        if not self._leads():
            return ()
        return lateness.told_since(tx, self._told_until, counts_from=self._counts_from).payments

    def _count(self, told: Sequence[Told], until: datetime) -> None:
        """Count each payment once; one that became known a moment ago is counted next time."""
        for each in told:
            if each.known_at <= until:
                metrics.payment_told(each.source.value, each.late_s)
        self._told_until = max(self._told_until, until)


def _read(tx: Tx, now: datetime) -> metrics.Values:
    swept = queries.swept(tx)
    events = queries.events_by_state(tx, [each.value for each in _WAITING])
    fetches, fetch_asked_at = queries.fetch_backlog(tx)
    _, look_asked_at = queries.looks_awaited(tx)
    late_since = [each.due_at for each in payments.due_checks(tx, now, limit=1)]
    # A look that was asked for is no look before Stripe was read.
    late_since += [look_asked_at] if look_asked_at is not None else []
    exceptions = queries.open_exception_counts(tx, now=now)
    messages, message_made_at = deliveries.backlog(tx)
    return {
        metrics.DATABASE_UP: {(): 1.0},
        metrics.SWEEP_LAG: {
            (name,): (now - each.covered_until).total_seconds()
            for name, each in swept.items()
            if each.covered_until is not None
        },
        metrics.SWEEP_DONE: {(name,): each.began_at.timestamp() for name, each in swept.items()},
        metrics.CURSOR_LAG: {
            (each["name"],): (now - each["position"]).total_seconds()
            for each in queries.cursors(tx)
        },
        metrics.EVENTS_WAITING: {(each.value,): events.get(each.value, 0) for each in _WAITING},
        metrics.FETCHES_WAITING: {(): fetches},
        metrics.FETCH_AGE: {(): _since(fetch_asked_at, now)},
        metrics.CHECK_OVERDUE: {(): _since(min(late_since, default=None), now)},
        metrics.EXCEPTIONS_OPEN: {
            (each.value,): exceptions.get(each.value, 0) for each in ExceptionKind
        },
        metrics.PUSH_WAITING: {(): messages},
        metrics.PUSH_AGE: {(): _since(message_made_at, now)},
    }


def _since(moment: datetime | None, now: datetime) -> float:
    return (now - moment).total_seconds() if moment is not None else 0.0
