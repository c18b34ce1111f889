"""What does the daemon do, and how often?"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final

from reconciler.daemon.pulse import beat
from reconciler.db import deliveries, sightings, sweeps, touched
from reconciler.outbox import TICK_S, Outbox
from reconciler.outbox.batches import close_deserted
from reconciler.poll import (
    Depth,
    Poller,
    RecentSweep,
    Round,
    Walk,
    read_due,
    sweep_events,
    sweep_invoices,
    sweep_money,
    sweep_open,
    sweep_recent,
)
from reconciler.poll.runs import recorded
from reconciler.reconcile.queue import run_waiting

# What waits for us and not for the clock is looked at that often.
PROMPTLY_S: Final = 5
# A run of finance may wait that long.
RUNS_S: Final = 30
DAY_S: Final = 24 * 3600
NIGHT_OVERLAP_S: Final = 26 * 3600
# Runs, and what says nothing new: no list reaches back farther than that, unless it was not read for as long.
KEPT: Final = timedelta(days=36)
FORGET_AT_ONCE: Final = 5_000
_WAIT_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Something to be done every so many seconds, or once a day at a time in UTC."""

    name: str
    work: Callable[[], object]
    every_s: int | None = None
    at: time | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How often each sweep is done, and how far those of the events reach back; seconds."""

    events_s: int = 60
    lag_s: int = 10
    overlap_s: int = 120
    deep_s: int = 900
    deep_overlap_s: int = 3600
    open_s: int = 30
    money_s: int = 3600
    recent_s: int = 3600
    invoices_s: int = 60
    night: time = time(2, 17)


def jobs_of(
    poller: Poller, timing: Timing, manual: Poller, outbox: Outbox | None = None
) -> list[Job]:
    """All jobs of a daemon; the runs that people left to it go by `manual`, whose requests have a budget of their own.

    Without an outbox nobody looks at the notifications.
    """
    return [
        *([Job(name="push", every_s=TICK_S, work=outbox.tick)] if outbox is not None else ()),
        Job(name="runs", every_s=RUNS_S, work=lambda: run_waiting(manual)),
        *_of_events(poller, timing),
        *_of_lists(poller, timing),
        *_of_what_waits(poller, timing),
    ]


def _of_events(poller: Poller, timing: Timing) -> list[Job]:
    turn = threading.Lock()

    def events(name: str, overlap_s: int) -> Callable[[], None]:
        depth = Depth(name=name, overlap_s=overlap_s, lag_s=timing.lag_s)
        return _in_turn(turn, lambda: sweep_events(poller, depth))

    deep = events("events_deep", timing.deep_overlap_s)
    return [
        Job(name="events", every_s=timing.events_s, work=events("events", timing.overlap_s)),
        Job(name="events_deep", every_s=timing.deep_s, work=deep),
        Job(name="events_night", at=timing.night, work=events("events_night", NIGHT_OVERLAP_S)),
    ]


def _of_lists(poller: Poller, timing: Timing) -> list[Job]:
    turn, other_turn = threading.Lock(), threading.Lock()

    def money(name: str, overlap_s: int) -> Callable[[], None]:
        depth = Depth(name=name, overlap_s=overlap_s, lag_s=timing.lag_s)
        return _in_turn(turn, lambda: sweep_money(poller, depth))

    def recent(name: str, reach_s: int) -> Callable[[], None]:
        sweep = RecentSweep(name=name, reach_s=reach_s)
        return _in_turn(other_turn, lambda: sweep_recent(poller, sweep))

    return [
        Job(name="money", every_s=timing.money_s, work=money("money", 2 * DAY_S)),
        Job(name="money_night", at=timing.night, work=money("money_night", 8 * DAY_S)),
        Job(name="recent", every_s=timing.recent_s, work=recent("recent", 2 * DAY_S)),
        Job(name="recent_night", at=timing.night, work=recent("recent_night", 35 * DAY_S)),
    ]


def _in_turn(turn: threading.Lock, sweep: Callable[[], None]) -> Callable[[], None]:
    """Let sweeps that move the same cursors wait for each other: after a long pause they would walk the same weeks."""

    def work() -> None:
        while not turn.acquire(timeout=_WAIT_S):
            beat()
        try:
            sweep()
        finally:
            turn.release()

    return work


def _of_what_waits(poller: Poller, timing: Timing) -> list[Job]:
    walk, begun = Walk(), Round()
    return [
        Job(name="open", every_s=timing.open_s, work=lambda: sweep_open(poller, begun)),
        Job(name="invoices", every_s=timing.invoices_s, work=lambda: sweep_invoices(poller, walk)),
        Job(name="fetches", every_s=PROMPTLY_S, work=lambda: read_due(poller)),
        Job(
            name="retries",
            every_s=PROMPTLY_S,
            work=lambda: poller.inbox.retry_due(now=poller.now()),
        ),
        Job(name="forget", at=timing.night, work=lambda: _forget(poller)),
    ]


def _forget(poller: Poller) -> None:
    """Delete what nobody will ask for any more, and close what nothing would ever close."""
    before = poller.now() - KEPT
    with recorded(poller, "forget"):
        with poller.db.writing() as tx:
            sweeps.forget(tx, before)
        close_deserted(poller.db, poller.now())
        for forget in (sightings.forget, deliveries.forget, touched.forget):
            _forget_all(poller, forget, before)


def _forget_all(poller: Poller, forget: Callable[..., int], before: datetime) -> None:
    """Delete in many small transactions, so that nobody waits for long. Raises Stopped."""
    while True:
        beat()
        poller.gateway.wait(0)
        with poller.db.writing() as tx:
            if not forget(tx, before, limit=FORGET_AT_ONCE):
                return
