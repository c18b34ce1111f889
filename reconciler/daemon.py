"""When is each job done, and how does the daemon come to its end?

Nothing about payments is decided here. APScheduler only says when: intervals and one time of day in UTC, because a clock
that changes twice a year would skip or double a job. A job that is late runs once, never twice at a time, and one that
raises goes on at its next time; after three failures in a row a person is asked.
"""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from types import FrameType
from typing import Final

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from reconciler.core.exceptions import ExceptionKind
from reconciler.db import alerts, sweeps
from reconciler.db.session import Database, StatementFailed, StorageUnavailable
from reconciler.poll import EventsSweep, Poller, read_due, sweep_events
from reconciler.poll.runs import line_of
from reconciler.stripe_api.problems import Stopped, StripeProblem

log = structlog.get_logger(__name__)

FAILURES_MAX: Final = 3
# What waits for us and not for the clock is looked at that often.
PROMPTLY_S: Final = 5
NIGHT_OVERLAP_S: Final = 26 * 3600
RUNS_KEPT: Final = timedelta(days=35)
# A request that is under way when the daemon must end is abandoned after this: nothing is open in the database.
LEAVE_AFTER_S: Final = 2.0
_CTRL_C: Final = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Something to be done every so many seconds, or once a day at a time in UTC."""

    name: str
    work: Callable[[], object]
    every_s: int | None = None
    at: time | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How often each sweep of the events is done, and how far it reaches back; seconds."""

    events_s: int = 60
    lag_s: int = 10
    overlap_s: int = 120
    deep_s: int = 900
    deep_overlap_s: int = 3600
    night: time = time(2, 17)


def jobs_of(poller: Poller, timing: Timing) -> list[Job]:
    """All jobs of a daemon."""
    turn = threading.Lock()

    def events(name: str, overlap_s: int) -> Callable[[], None]:
        sweep = EventsSweep(name=name, overlap_s=overlap_s, lag_s=timing.lag_s)

        def work() -> None:
            # All depths move one cursor: after a long pause they would walk the same weeks side by side.
            with turn:
                sweep_events(poller, sweep)

        return work

    def night() -> None:
        events("events_night", NIGHT_OVERLAP_S)()
        with poller.db.writing() as tx:
            sweeps.forget(tx, poller.now() - RUNS_KEPT)

    return [
        Job(name="events", every_s=timing.events_s, work=events("events", timing.overlap_s)),
        Job(
            name="events_deep",
            every_s=timing.deep_s,
            work=events("events_deep", timing.deep_overlap_s),
        ),
        Job(name="events_night", at=timing.night, work=night),
        Job(name="fetches", every_s=PROMPTLY_S, work=lambda: read_due(poller)),
        Job(
            name="retries",
            every_s=PROMPTLY_S,
            work=lambda: poller.inbox.retry_due(now=poller.now()),
        ),
    ]


class Watch:
    """Runs a job and counts how often in a row it has failed."""

    def __init__(self, job: Job, db: Database) -> None:
        self._job = job
        self._db = db
        self._failures = 0
        # Of what was before the start, nothing is known but what the database says.
        self._is_alarmed = True

    def run(self) -> None:
        """Do the job once; never raises."""
        structlog.contextvars.bind_contextvars(job=self._job.name)
        try:
            self._job.work()
        except Stopped:
            return
        except (StripeProblem, StorageUnavailable) as error:
            log.warning("job.failed", problem=line_of(error))
            self._failed(error)
        except Exception as error:
            log.exception("job.failed")
            self._failed(error)
        else:
            self._went_well()

    def _failed(self, error: Exception) -> None:
        self._failures += 1
        if self._failures < FAILURES_MAX:
            return
        with suppress(StorageUnavailable, StatementFailed):
            kind, now = ExceptionKind.SWEEP_FAILING, datetime.now(UTC)
            with self._db.writing() as tx:
                is_new = alerts.open_alert(
                    tx, kind=kind, subject=self._job.name, fingerprint=_cause(error), now=now
                )
            self._is_alarmed = True
            if is_new:
                log.error("sweep.failing", failures=self._failures, problem=line_of(error))

    def _went_well(self) -> None:
        self._failures = 0
        if self._is_alarmed:
            with suppress(StorageUnavailable, StatementFailed):
                kind, now = ExceptionKind.SWEEP_FAILING, datetime.now(UTC)
                with self._db.writing() as tx:
                    alerts.close_alerts(tx, kind=kind, subjects=[self._job.name], now=now)
                self._is_alarmed = False


def _cause(error: Exception) -> str:
    """What stays the same while the same thing is wrong; the words hold the id of each request."""
    return error.kind.value if isinstance(error, StripeProblem) else type(error).__name__


def run(jobs: Sequence[Job], db: Database, stop: threading.Event) -> int:
    """Do the jobs until SIGTERM or until `stop` is set; returns the exit code: 0, or 130 after Ctrl-C."""
    asked: list[int] = []

    def end(number: int, _frame: FrameType | None) -> None:
        asked.append(number)
        stop.set()

    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, end)
    # It tells of every job that begins, ends or is still at it; what a job has done, the job says.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    scheduler = _scheduler(jobs, db)
    scheduler.start()
    log.info("daemon.started", jobs=len(jobs))
    stop.wait()
    code = _CTRL_C if signal.SIGINT in asked[:1] else 0
    _leave(scheduler, code)
    log.info("daemon.ended")
    return code


def _scheduler(jobs: Sequence[Job], db: Database) -> BackgroundScheduler:
    scheduler = BackgroundScheduler(
        timezone=UTC,
        executors={"default": ThreadPoolExecutor(len(jobs))},
        # By default a job that is a second late is dropped in silence.
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )
    for job in jobs:
        watch = Watch(job, db)
        if job.at is not None:
            scheduler.add_job(
                watch.run, "cron", hour=job.at.hour, minute=job.at.minute, id=job.name
            )
        else:
            first = datetime.now(UTC)
            scheduler.add_job(
                watch.run, "interval", seconds=job.every_s, next_run_time=first, id=job.name
            )
    return scheduler


def _leave(scheduler: BackgroundScheduler, code: int) -> None:
    """Wait for what is running, but not for a server that does not answer."""
    ending = threading.Thread(target=scheduler.shutdown, daemon=True)
    ending.start()
    ending.join(LEAVE_AFTER_S)
    if ending.is_alive():
        log.info("daemon.left", reason="a request was still under way")
        sys.stdout.flush()
        sys.stderr.flush()
        # The interpreter would wait for the pool's threads; whatever they had open is rolled back.
        os._exit(code)
