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
from reconciler.outbox import batches, fan_out
from reconciler.outbox.fan_out import spread, sum_up
from reconciler.outbox.lanes import Surroundings, run_lane
from reconciler.outbox.outcomes import WAIT_MAX
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
# A lane that writes to a database that hangs has the pen for longer. The tick must not hang with it.
_PEN_S: Final = 5.0
# Whoever did not look for so long can't know whether the clock was set back meanwhile.
_LOOKED_FOR: Final = timedelta(minutes=1)
_BROUGHT_AT_ONCE: Final = 200


class Outbox:
    """The notifications of one database. `tick` belongs to one thread; the lanes are threads of their own."""

    def __init__(self, around: Surroundings, *, is_set_up: bool = True) -> None:
        self._around = around
        self._is_set_up = is_set_up
        self._lanes: dict[str, threading.Thread] = {}
        self._closed_until: dict[str, datetime] = {}
        self._looked_at: datetime | None = None
        self._lock = threading.Lock()
        metrics.push_expected(each.value for each in Answer)

    def tick(self) -> None:
        """Look at what is new, and see to it that what is due is sent. Raises StorageUnavailable or StatementFailed."""
        around = self._around
        if not self._is_set_up:
            self._give_up()
            return
        self._look_at_clock()
        sum_up(around.db, around.terms, around.now())
        for _ in range(_ROUNDS_MAX):
            if not self._spread():
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

    def _spread(self) -> int:
        """Look at some of what is new; if a lane is writing for too long, the next tick does."""
        around = self._around
        if not around.pen.acquire(timeout=_PEN_S):
            return 0
        try:
            return spread(around.db, around.terms, around.now()) if around.goes_on() else 0
        finally:
            around.pen.release()

    def _give_up(self) -> None:
        """While nothing can be sent, what is new waits, and what is too old waits no more."""
        around = self._around
        age = timedelta(seconds=around.terms.max_age_s)
        for _ in range(_ROUNDS_MAX):
            if not around.goes_on():
                return
            now = around.now()
            fresh = fan_out.expire(around.db, now - age)
            made = batches.expire(around.db, now - age, now)
            if not fresh + made:
                return

    def _look_at_clock(self) -> None:
        """After a clock that was fast is set right, let nothing wait for the hour that it showed."""
        now, before = self._around.now(), self._looked_at
        if before is not None and timedelta(0) <= now - before <= _LOOKED_FOR:
            self._looked_at = now
            return
        if before is not None and now < before:
            with self._lock:
                self._closed_until.clear()
        for _ in range(_ROUNDS_MAX):
            if not self._brought_forward(now):
                break
        self._looked_at = now

    def _brought_forward(self, now: datetime) -> int:
        """Some of what waits for longer than anything does; what is claimed is on its way perhaps, so all get a lease's time."""
        around = self._around
        with around.db.reading() as tx:
            waits = deliveries.waits_beyond(tx, now + WAIT_MAX)
        if not waits or not around.goes_on():
            return 0
        with around.db.writing() as tx:
            return deliveries.bring_forward(
                tx, now + WAIT_MAX, now + batches.LEASE, limit=_BROUGHT_AT_ONCE
            )

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
