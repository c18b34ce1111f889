"""How does the daemon begin, stay and end?"""

import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import Final

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from reconciler import signals, systemd
from reconciler.daemon.jobs import Job
from reconciler.daemon.leader import RENEW_S, Leader
from reconciler.daemon.watch import Watch
from reconciler.db import sweeps
from reconciler.db.session import Database

log = structlog.get_logger(__name__)

# A request that is under way when the daemon must end is abandoned after this: nothing is open in the database.
LEAVE_AFTER_S: Final = 2.0
# Nor is a database that is locked waited for longer than that: the lease runs out by itself.
RESIGN_WITHIN_S: Final = 4.0
_CTRL_C: Final = 130
_LOOK_S: Final = 1.0
_LEASE_JOB: Final = "lease"
_NIGHTS_JOB: Final = "nights"
_NIGHTS_S: Final = 3600
_A_NIGHT: Final = timedelta(hours=25)
# By so much a clock is set; by less it is only made slower.
_SET_BACK_S: Final = 1.0


def run(
    jobs: Sequence[Job],
    db: Database,
    stop: threading.Event,
    leader: Leader,
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> int:
    """Do the jobs until SIGTERM or until `stop` is set; returns the exit code: 0, or 130 after Ctrl-C."""
    asked: list[int] = []

    def end(number: int, _frame: FrameType | None) -> None:
        asked.append(number)
        stop.set()

    for each in signals.ending():
        signal.signal(each, end)
    # It tells of every job that begins, ends or is still at it; what a job has done, the job says.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    leader.tend()
    nights = Job(
        name=_NIGHTS_JOB,
        every_s=_NIGHTS_S,
        work=lambda: _make_up_for_nights(scheduler, jobs, db, now()),
    )
    lease = Job(name=_LEASE_JOB, every_s=RENEW_S, work=lambda: _tend(scheduler, leader, now))
    watches = {job.name: Watch(job, db, reign=leader.reign) for job in [*jobs, nights]}
    watches[_LEASE_JOB] = Watch(lease, db)
    scheduler = _scheduler([*jobs, nights, lease], watches, now())
    scheduler.start()
    log.info("daemon.started", jobs=len(jobs))
    systemd.notify(READY="1", STATUS=_status(leader))
    _stay(stop, scheduler, list(watches.values()), leader, now)
    systemd.notify(STOPPING="1")
    code = _CTRL_C if signal.SIGINT in asked[:1] else 0
    _leave(scheduler, leader, code)
    log.info("daemon.ended")
    return code


def _stay(
    stop: threading.Event,
    scheduler: BackgroundScheduler,
    watches: list[Watch],
    leader: Leader,
    now: Callable[[], datetime],
) -> None:
    """Wait for the end, and tell the service manager that all is alive for as long as it is."""
    within_s = systemd.watchdog_s()
    look_s = min(_LOOK_S, within_s / 3) if within_s else _LOOK_S
    ahead_s = _ahead_s(now)
    while not stop.wait(look_s):
        if scheduler.running and not any(each.hangs for each in watches):
            systemd.notify(WATCHDOG="1", STATUS=_status(leader))
        before_s, ahead_s = ahead_s, _ahead_s(now)
        if before_s - ahead_s > _SET_BACK_S:
            log.warning("clock.set_back", by_s=round(before_s - ahead_s))
            _hasten(scheduler, now())


def _ahead_s(now: Callable[[], datetime]) -> float:
    """How far the time of day is ahead of the clock that nobody sets: what stays the same unless somebody sets it."""
    return now().timestamp() - time.monotonic()


def _status(leader: Leader) -> str:
    return "leads" if leader.leads else "stands by: another daemon leads"


def _tend(scheduler: BackgroundScheduler, leader: Leader, now: Callable[[], datetime]) -> None:
    """Keep the lease; whoever gets it does at once what the daemon before may have left undone."""
    if leader.tend():
        _hasten(scheduler, now())


def _hasten(scheduler: BackgroundScheduler, now: datetime) -> None:
    """Do at once what is done every so often. The scheduler knows only when it would be due by the time of day."""
    for each in scheduler.get_jobs():
        if isinstance(each.trigger, IntervalTrigger):
            each.modify(next_run_time=now)


def _make_up_for_nights(
    scheduler: BackgroundScheduler, jobs: Sequence[Job], db: Database, now: datetime
) -> None:
    """Do at once what nobody has done to its end since its last time of the day, or ever."""
    with db.reading() as tx:
        began = sweeps.first_begun(tx)
        done = {job.name: sweeps.last_done(tx, job.name) for job in jobs if job.at is not None}
    for name, at in done.items():
        since = at or began
        if since is not None and now - since > _A_NIGHT:
            scheduler.modify_job(name, next_run_time=now)


def _scheduler(
    jobs: Sequence[Job], watches: dict[str, Watch], first: datetime
) -> BackgroundScheduler:
    scheduler = BackgroundScheduler(
        timezone=UTC,
        executors={"default": ThreadPoolExecutor(len(jobs))},
        # By default a job that is a second late is dropped in silence.
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )
    for job in jobs:
        work = watches[job.name].run
        if job.at is not None:
            scheduler.add_job(work, "cron", hour=job.at.hour, minute=job.at.minute, id=job.name)
        else:
            scheduler.add_job(
                work, "interval", seconds=job.every_s, next_run_time=first, id=job.name
            )
    return scheduler


def _leave(scheduler: BackgroundScheduler, leader: Leader, code: int) -> None:
    """Wait for what is running, but not for a server that does not answer."""
    ending = threading.Thread(target=scheduler.shutdown, daemon=True)
    ending.start()
    ending.join(LEAVE_AFTER_S)
    resigning = threading.Thread(target=leader.resign, daemon=True)
    resigning.start()
    resigning.join(RESIGN_WITHIN_S)
    if ending.is_alive() or resigning.is_alive():
        log.info("daemon.left", reason="a server had still to answer")
        sys.stdout.flush()
        sys.stderr.flush()
        # The interpreter would wait for the pool's threads; whatever they had open is rolled back.
        os._exit(code)
