"""How does the daemon begin, stay and end?"""

import logging
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import Final

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from reconciler import signals, systemd
from reconciler.daemon.jobs import Job
from reconciler.daemon.leader import RENEW_S, Leader
from reconciler.daemon.watch import Watch
from reconciler.db import sweeps
from reconciler.db.session import Database, StatementFailed, StorageUnavailable

log = structlog.get_logger(__name__)

# A request that is under way when the daemon must end is abandoned after this: nothing is open in the database.
LEAVE_AFTER_S: Final = 2.0
_CTRL_C: Final = 130
_LOOK_S: Final = 5.0
_LEASE_JOB: Final = "lease"
_A_NIGHT: Final = timedelta(hours=25)


def run(jobs: Sequence[Job], db: Database, stop: threading.Event, leader: Leader) -> int:
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
    lease = Job(name=_LEASE_JOB, every_s=RENEW_S, work=lambda: _tend(scheduler, jobs, leader, db))
    watches = {job.name: Watch(job, db, reign=leader.reign) for job in jobs}
    watches[_LEASE_JOB] = Watch(lease, db)
    scheduler = _scheduler([*jobs, lease], watches)
    scheduler.start()
    if leader.leads:
        _make_up_for_a_night(scheduler, jobs, db)
    log.info("daemon.started", jobs=len(jobs))
    systemd.notify(READY="1", STATUS=_status(leader))
    _stay(stop, scheduler, list(watches.values()), leader)
    systemd.notify(STOPPING="1")
    code = _CTRL_C if signal.SIGINT in asked[:1] else 0
    _leave(scheduler, leader, code)
    log.info("daemon.ended")
    return code


def _stay(
    stop: threading.Event, scheduler: BackgroundScheduler, watches: list[Watch], leader: Leader
) -> None:
    """Wait for the end, and tell the service manager that all is alive for as long as it is."""
    within_s = systemd.watchdog_s()
    look_s = min(_LOOK_S, within_s / 3) if within_s else _LOOK_S
    while not stop.wait(look_s):
        if scheduler.running and not any(each.hangs for each in watches):
            systemd.notify(WATCHDOG="1", STATUS=_status(leader))


def _status(leader: Leader) -> str:
    return "leads" if leader.leads else "stands by: another daemon leads"


def _tend(
    scheduler: BackgroundScheduler, jobs: Sequence[Job], leader: Leader, db: Database
) -> None:
    """Keep the lease; whoever gets it does at once what the daemon before may have left undone."""
    if leader.tend():
        for job in jobs:
            if job.at is None:
                scheduler.modify_job(job.name, next_run_time=datetime.now(UTC))
        _make_up_for_a_night(scheduler, jobs, db)


def _make_up_for_a_night(scheduler: BackgroundScheduler, jobs: Sequence[Job], db: Database) -> None:
    """Do at once what no daemon has done at its time of the day."""
    now = datetime.now(UTC)
    with suppress(StorageUnavailable, StatementFailed), db.reading() as tx:
        done = {job.name: sweeps.last_done(tx, job.name) for job in jobs if job.at is not None}
        for name, at in done.items():
            if at is not None and now - at > _A_NIGHT:
                scheduler.modify_job(name, next_run_time=now)


def _scheduler(jobs: Sequence[Job], watches: dict[str, Watch]) -> BackgroundScheduler:
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
            first = datetime.now(UTC)
            scheduler.add_job(
                work, "interval", seconds=job.every_s, next_run_time=first, id=job.name
            )
    return scheduler


def _leave(scheduler: BackgroundScheduler, leader: Leader, code: int) -> None:
    """Wait for what is running, but not for a server that does not answer."""
    ending = threading.Thread(target=scheduler.shutdown, daemon=True)
    ending.start()
    ending.join(LEAVE_AFTER_S)
    leader.resign()
    if ending.is_alive():
        log.info("daemon.left", reason="a request was still under way")
        sys.stdout.flush()
        sys.stderr.flush()
        # The interpreter would wait for the pool's threads; whatever they had open is rolled back.
        os._exit(code)
