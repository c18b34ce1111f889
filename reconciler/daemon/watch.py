"""How does a job go on, whatever happens to it, and who notices when it does not?"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import UTC, datetime
from typing import Final

import structlog

from reconciler.core.exceptions import ExceptionKind
from reconciler.daemon.jobs import Job
from reconciler.daemon.pulse import heard_by
from reconciler.db import alerts
from reconciler.db.leases import LeaseLost
from reconciler.db.session import Database, StatementFailed, StorageUnavailable
from reconciler.poll.runs import line_of
from reconciler.stripe_api.problems import Stopped, StripeProblem

log = structlog.get_logger(__name__)

FAILURES_MAX: Final = 3
# A job that has neither ended nor asked Stripe anything for so many of its intervals, and a minute, hangs.
INTERVALS_MAX: Final = 3
SLACK_S: Final = 60


class Watch:
    """Runs a job, counts how often in a row it has failed, and remembers when it last gave a sign of life."""

    def __init__(
        self,
        job: Job,
        db: Database,
        *,
        reign: Callable[[], AbstractContextManager[bool]] = lambda: nullcontext(enter_result=True),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._job = job
        self._db = db
        self._reign = reign
        self._monotonic = monotonic
        self._alive_s = monotonic()
        self._runs = False
        self._failures = 0
        # Of what was before the start, nothing is known but what the database says.
        self._is_alarmed = True

    def run(self) -> None:
        """Do the job once, unless another daemon leads; never raises."""
        self._runs = True
        self._note()
        try:
            named = structlog.contextvars.bound_contextvars(job=self._job.name)
            with named, heard_by(self._note), self._reign() as leads:
                if leads:
                    self._attempt()
        finally:
            self._note()
            self._runs = False

    @property
    def hangs(self) -> bool:
        """Whether the job ought to have ended, or begun again, long ago.

        One that goes on asking Stripe is alive however long it takes: the first walk through thirty days takes its time.
        A job of the night hangs only while it runs.
        """
        every_s = self._job.every_s
        if every_s is None and not self._runs:
            return False
        return self._monotonic() - self._alive_s > INTERVALS_MAX * (every_s or 0) + SLACK_S

    def _note(self) -> None:
        self._alive_s = self._monotonic()

    def _attempt(self) -> None:
        try:
            self._job.work()
        except Stopped:
            return
        except LeaseLost:
            log.warning("job.fenced")
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
