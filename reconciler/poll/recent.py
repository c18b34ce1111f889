"""What exists at Stripe that has moved no money yet, and of which no event ever told?

PaymentIntents, Checkout Sessions and disputes by `created`. The window is cut into a fixed number of slices, whatever its
length, so that nearly every page is full; some threads walk them side by side, each with one page in memory, because one
after the other would wait for Stripe most of the time. A slice proves nothing alone: the cursor moves when all are done.
"""

import contextvars
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

import structlog

from reconciler.core.exceptions import ExceptionKind
from reconciler.core.observation import moment, ms
from reconciler.core.schedule import SECOND_MS, Window, slices
from reconciler.db import alerts, sweeps
from reconciler.poll.lists import take_page
from reconciler.poll.poller import Poller
from reconciler.poll.runs import Tally, line_of, recorded
from reconciler.stripe_api.pager import pages
from reconciler.stripe_api.problems import ProblemKind, StripeProblem

log = structlog.get_logger(__name__)

CURSOR: Final = "recent"
PATHS: Final = ("/v1/payment_intents", "/v1/checkout/sessions", "/v1/disputes")
SLICES: Final = 16
LANES: Final = 4
LAG_MS: Final = 10 * SECOND_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class RecentSweep:
    """One depth of the sweep: its name in `sweep_runs`, and how far it reaches back."""

    name: str
    reach_s: int


@dataclass
class _Pass:
    """One pass over all lists: what is left to walk, what was found, and what went wrong."""

    left: deque[tuple[str, Window]]
    tally: Tally
    lock: threading.Lock = field(default_factory=threading.Lock)
    forbidden: dict[str, StripeProblem] = field(default_factory=dict)
    failure: BaseException | None = None

    def next(self) -> tuple[str, Window] | None:
        """The next slice of a list that may be read; None when nothing is left, or all must end."""
        with self.lock:
            while self.left and self.failure is None:
                path, part = self.left.popleft()
                if path not in self.forbidden:
                    return path, part
            return None


def sweep_recent(poller: Poller, sweep: RecentSweep) -> None:
    """Take in all objects made in the window. Raises StripeProblem, StorageUnavailable, Stopped, LeaseLost.

    A list that the key may not read keeps none of the others from being read; the pass fails all the same.
    """
    with recorded(poller, sweep.name) as tally:
        window = _window(poller, sweep)
        _walk_all(poller, window, tally)
        tally.covered(window)
        with poller.db.writing() as tx:
            poller.fence(tx)
            sweeps.move(tx, CURSOR, moment(window.until_ms), poller.now())


def _window(poller: Poller, sweep: RecentSweep) -> Window:
    """From so far back, or from the cursor if the daemon was off for longer, until a moment ago at Stripe."""
    until_ms = (poller.gateway.date_ms() - LAG_MS) // SECOND_MS * SECOND_MS
    since_ms = until_ms - sweep.reach_s * SECOND_MS
    with poller.db.reading() as tx:
        at = sweeps.position(tx, CURSOR)
    begin_ms = poller.inbox.policy.rules.since_ms // SECOND_MS * SECOND_MS
    since_ms = max(begin_ms, min(since_ms, ms(at) if at else since_ms))
    return Window(since_ms, max(since_ms, until_ms))


def _walk_all(poller: Poller, window: Window, tally: Tally) -> None:
    length_s = (window.until_ms - window.since_ms) // SECOND_MS
    longest_ms = max(1, -(-length_s // SLICES)) * SECOND_MS
    parts = list(slices(window, longest_ms=longest_ms))
    walk = _Pass(deque((path, part) for path in PATHS for part in parts), tally)
    with ThreadPoolExecutor(LANES, thread_name_prefix="recent") as pool:
        # What is logged, and who hears a sign of life, is the job's on whose behalf they walk.
        for _ in range(LANES):
            pool.submit(contextvars.copy_context().run, _walk_lane, poller, walk)
    if walk.failure is not None:
        raise walk.failure
    _tell_of_rights(poller, walk)


def _walk_lane(poller: Poller, walk: _Pass) -> None:
    while (found := walk.next()) is not None:
        path, part = found
        try:
            _walk(poller, path, part, walk)
        except StripeProblem as problem:
            if problem.kind is not ProblemKind.FORBIDDEN:
                walk.failure = problem
                return
            walk.forbidden[path] = problem
        except BaseException as error:  # noqa: BLE001 - it is raised where the pass was begun
            walk.failure = error
            return


def _walk(poller: Poller, path: str, part: Window, walk: _Pass) -> None:
    created = {"gte": part.since_ms // SECOND_MS, "lt": part.until_ms // SECOND_MS}
    mine = Tally()
    for page in pages(poller.gateway, path, {"created": created}):
        take_page(poller, page, mine)
        if walk.failure is not None:
            break
    with walk.lock:
        walk.tally.objects += mine.objects
        walk.tally.found += mine.found


def _tell_of_rights(poller: Poller, walk: _Pass) -> None:
    """Call a person about lists that the key may not read, and no more about those that it may."""
    kind, now = ExceptionKind.READ_FORBIDDEN, poller.now()
    with poller.db.writing() as tx:
        for path, problem in sorted(walk.forbidden.items()):
            cause = problem.kind.value
            if alerts.open_alert(tx, kind=kind, subject=path, fingerprint=cause, now=now):
                log.error("list.forbidden", path=path, problem=line_of(problem))
        allowed = [path for path in PATHS if path not in walk.forbidden]
        alerts.close_alerts(tx, kind=kind, subjects=allowed, now=now)
    for _, problem in sorted(walk.forbidden.items()):
        raise problem
