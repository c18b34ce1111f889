"""Who makes deliveries of notifications, and who sends them?

`tick` never waits for a push service: it looks at what is new, and starts a lane for each push service that has something due and
no lane yet. Bounded on all sides: so many lanes, so many messages at once in each, so much looked at in one tick.
"""

import threading
import time
from datetime import datetime, timedelta
from typing import Final

import structlog

from reconciler import metrics
from reconciler.db import deliveries
from reconciler.db.session import StatementFailed, StorageUnavailable
from reconciler.outbox.fan_out import expire, spread, sum_up
from reconciler.outbox.lanes import Surroundings, run_lane
from reconciler.push.sending import Answer

log = structlog.get_logger(__name__)

TICK_S: Final = 2
LANES_MAX: Final = 16
# Of more hosts than that nobody asks at once: those that are left alone for a while are among them.
_HOSTS_MAX: Final = 200
_ROUNDS_MAX: Final = 40
# Webhooks write as well. Where programs share a file, whoever waits for it looks only now and then whether it is free, and would find
# it taken for as long as one transaction follows the other.
_BREATH_S: Final = 0.05
_FAILED_FOR: Final = timedelta(seconds=10)


class Outbox:
    """The notifications of one database. `tick` belongs to one thread; the lanes are threads of their own."""

    def __init__(self, around: Surroundings, *, is_set_up: bool = True) -> None:
        self._around = around
        self._is_set_up = is_set_up
        self._lanes: dict[str, threading.Thread] = {}
        self._closed_until: dict[str, datetime] = {}
        self._lock = threading.Lock()
        metrics.push_expected(each.value for each in Answer)

    def tick(self) -> None:
        """Look at what is new, and see to it that what is due is sent. Raises StorageUnavailable or StatementFailed."""
        around = self._around
        if not self._is_set_up:
            self._give_up()
            return
        sum_up(around.db, around.terms, around.now())
        for _ in range(_ROUNDS_MAX):
            with around.pen:
                goes_on = around.goes_on() and spread(around.db, around.terms, around.now())
            if not goes_on:
                break
            self._start_lanes()
            around.stop.wait(_BREATH_S)
        self._start_lanes()

    def rest(self, within_s: float) -> bool:
        """Wait until no lane is at work, so long at most; returns whether none is."""
        until_s = time.monotonic() + within_s
        for lane in self._running():
            lane.join(max(0.0, until_s - time.monotonic()))
        return not self._running()

    def _give_up(self) -> None:
        """While nothing can be sent, what is new waits, and what is too old waits no more."""
        around = self._around
        age = timedelta(seconds=around.terms.max_age_s)
        for _ in range(_ROUNDS_MAX):
            if not around.goes_on() or not expire(around.db, around.now() - age):
                return

    def _start_lanes(self) -> None:
        around, now = self._around, self._around.now()
        if not around.goes_on():
            return
        with around.db.reading() as tx:
            hosts = deliveries.hosts_due(tx, now, limit=_HOSTS_MAX)
        running = {each.name for each in self._running()}
        for host in hosts:
            if len(running) >= LANES_MAX:
                return
            if host not in running and not self._is_closed(host, now):
                running.add(host)
                self._start(host)

    def _start(self, host: str) -> None:
        lane = threading.Thread(target=self._run, args=(host,), name=host, daemon=True)
        with self._lock:
            self._lanes[host] = lane
        lane.start()

    def _run(self, host: str) -> None:
        closed_until = None
        try:
            closed_until = run_lane(host, self._around)
        except (StorageUnavailable, StatementFailed) as problem:
            log.warning("lane.failed", host=host, problem=str(problem))
            closed_until = self._around.now() + _FAILED_FOR
        except Exception:
            log.exception("lane.failed", host=host)
            closed_until = self._around.now() + _FAILED_FOR
        finally:
            with self._lock:
                self._lanes.pop(host, None)
                if closed_until is not None:
                    self._closed_until[host] = closed_until

    def _running(self) -> list[threading.Thread]:
        with self._lock:
            return [each for each in self._lanes.values() if each.is_alive()]

    def _is_closed(self, host: str, now: datetime) -> bool:
        with self._lock:
            until = self._closed_until.get(host)
            if until is not None and until <= now:
                del self._closed_until[host]
                return False
            return until is not None
