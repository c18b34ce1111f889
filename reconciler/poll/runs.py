"""How is it written down what a sweep did, however it ended?"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from reconciler import metrics
from reconciler.core.observation import moment
from reconciler.core.schedule import Window
from reconciler.db import sweeps
from reconciler.db.leases import LeaseLost
from reconciler.db.session import StatementFailed, StorageUnavailable
from reconciler.db.sweeps import Coverage, RunState
from reconciler.poll.poller import Poller
from reconciler.stripe_api.problems import Stopped, StripeProblem

log = structlog.get_logger(__name__)

_ENDS: Final = (RunState.DONE, RunState.CUT, RunState.FAILED)


@dataclass
class Tally:
    """What a run has looked at so far. `until_ms` moves with each slice that is complete; `note` is for a person.

    `left_alone` are objects that say nothing of ours, such as a Session that sets up a card.
    """

    since_ms: int | None = None
    until_ms: int | None = None
    objects: int = 0
    found: int = 0
    left_alone: int = 0
    note: str | None = None

    def covered(self, window: Window) -> None:
        """Add a stretch of time that has been looked at to its end."""
        self.since_ms = window.since_ms if self.since_ms is None else self.since_ms
        self.until_ms = window.until_ms

    def coverage(self) -> Coverage:
        """What the run's row says."""
        return Coverage(
            since=_moment(self.since_ms),
            until=_moment(self.until_ms),
            objects=self.objects,
            found=self.found,
        )


@contextmanager
def recorded(poller: Poller, sweep: str) -> Iterator[Tally]:
    """Keep the row of a run: begun, then done, cut or failed, with what it covered. Lets every exception pass."""
    with _counted(sweep), _written(poller, sweep) as tally:
        yield tally


@contextmanager
def _counted(sweep: str) -> Iterator[None]:
    """Count a run by its end; one whose row can't be written has failed too."""
    metrics.sweep_began(sweep, (each.value for each in _ENDS))
    began_s, state = time.monotonic(), RunState.FAILED
    try:
        yield
        state = RunState.DONE
    except (Stopped, LeaseLost):
        state = RunState.CUT
        raise
    finally:
        metrics.sweep_ended(sweep, state.value, time.monotonic() - began_s)


@contextmanager
def _written(poller: Poller, sweep: str) -> Iterator[Tally]:
    with poller.db.writing() as tx:
        run_id = sweeps.begin(tx, sweep, poller.now())
    tally = Tally()
    try:
        yield tally
    except (Stopped, LeaseLost):
        with suppress(StorageUnavailable, StatementFailed):
            _end(poller, run_id, RunState.CUT, tally, tally.note)
        raise
    except Exception as error:
        # The row is for people; that it can't be written must not hide why the sweep failed.
        with suppress(StorageUnavailable, StatementFailed):
            words = "; ".join(filter(None, (line_of(error), tally.note)))
            _end(poller, run_id, RunState.FAILED, tally, words)
        raise
    _end(poller, run_id, RunState.DONE, tally, tally.note)
    log.info("sweep.ended", sweep=sweep, objects=tally.objects, found=tally.found)


def line_of(error: Exception) -> str:
    """One line for a row or the log, without anything that Stripe or a payer wrote."""
    ours = isinstance(error, StripeProblem | StorageUnavailable | StatementFailed)
    return str(error)[:300] if ours else type(error).__name__


def _end(
    poller: Poller, run_id: int, state: RunState, tally: Tally, error: str | None = None
) -> None:
    with poller.db.writing() as tx:
        sweeps.end(tx, run_id, state, tally.coverage(), now=poller.now(), error=error)


def _moment(at_ms: int | None) -> datetime | None:
    return None if at_ms is None else moment(at_ms)
