"""What exists at Stripe that has moved no money yet, and of which no event ever told?

PaymentIntents, Checkout Sessions and disputes by `created`. The window is cut into a fixed number of slices, whatever its
length, so that nearly every page is full; some threads walk them side by side, each with one page in memory, because one
after the other would wait for Stripe most of the time. A slice proves nothing alone: a list's cursor moves when the list is
done.
"""

import contextvars
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from reconciler.core.doubts import FetchKind
from reconciler.core.observation import moment, ms
from reconciler.core.schedule import SECOND_MS, Window, slices
from reconciler.db import sweeps
from reconciler.poll import rights
from reconciler.poll.lists import take_page
from reconciler.poll.poller import Poller
from reconciler.poll.runs import Tally, recorded
from reconciler.stripe_api.pager import pages
from reconciler.stripe_api.problems import ProblemKind, StripeProblem

# Each list has a cursor: one that the key may not read must not make the others look back ever farther.
LISTS: Final = MappingProxyType(
    {
        "/v1/payment_intents": "recent_payment_intents",
        "/v1/checkout/sessions": "recent_sessions",
        "/v1/disputes": "recent_disputes",
    }
)
_KINDS: Final = MappingProxyType(
    {
        "/v1/payment_intents": FetchKind.PAYMENT_INTENT,
        "/v1/checkout/sessions": FetchKind.CHECKOUT_SESSION,
        "/v1/disputes": FetchKind.DISPUTE,
    }
)
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
    """One pass over all lists: what is left to walk, what was found, and what went wrong first."""

    tally: Tally
    left: deque[tuple[str, Window]] = field(default_factory=deque)
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

    @property
    def allowed(self) -> list[str]:
        """The lists that may be read, for all that is known."""
        return [path for path in LISTS if path not in self.forbidden]

    def fail(self, error: BaseException) -> None:
        """End the pass, for the reason that came first."""
        with self.lock:
            self.failure = self.failure or error


def sweep_recent(poller: Poller, sweep: RecentSweep) -> None:
    """Take in all objects made in the window. Raises StripeProblem, StorageUnavailable, Stopped, LeaseLost.

    A list that the key may not read keeps none of the others from being read; the pass fails all the same.
    """
    with recorded(poller, sweep.name) as tally:
        walk = _Pass(tally)
        until_ms = _until_ms(poller, walk)
        windows = _windows(poller, sweep, until_ms)
        walk.left.extend(_parts(windows))
        _walk_all(poller, walk)
        if walk.allowed:
            # What one list was read for, and another was not, is not covered.
            tally.covered(max(windows[path] for path in walk.allowed))
        _conclude(poller, walk, until_ms)
        for _, problem in sorted(walk.forbidden.items()):
            raise problem


def _until_ms(poller: Poller, walk: _Pass) -> int:
    """A moment ago at Stripe, by the first list that may be read; 0, and nothing is left to walk, if none may."""
    for path in LISTS:
        try:
            date_ms = poller.gateway.date_ms(path)
        except StripeProblem as problem:
            if problem.kind is not ProblemKind.FORBIDDEN:
                raise
            walk.forbidden[path] = problem
        else:
            return (date_ms - LAG_MS) // SECOND_MS * SECOND_MS
    return 0


def _windows(poller: Poller, sweep: RecentSweep, until_ms: int) -> dict[str, Window]:
    """Each list from so far back, or from its cursor if it was not read for longer, until a moment ago at Stripe."""
    begin_ms = poller.inbox.policy.rules.since_ms // SECOND_MS * SECOND_MS
    reach_ms = until_ms - sweep.reach_s * SECOND_MS
    windows = {}
    with poller.db.reading() as tx:
        for path, cursor in LISTS.items():
            at = sweeps.position(tx, cursor)
            since_ms = max(begin_ms, min(reach_ms, ms(at) if at else reach_ms))
            windows[path] = Window(since_ms, max(since_ms, until_ms))
    return windows


def _parts(windows: Mapping[str, Window]) -> Iterator[tuple[str, Window]]:
    for path, window in windows.items():
        length_s = (window.until_ms - window.since_ms) // SECOND_MS
        longest_ms = max(1, -(-length_s // SLICES)) * SECOND_MS
        yield from ((path, part) for part in slices(window, longest_ms=longest_ms))


def _walk_all(poller: Poller, walk: _Pass) -> None:
    with ThreadPoolExecutor(LANES, thread_name_prefix="recent") as pool:
        # What is logged, and who hears a sign of life, is the job's on whose behalf they walk.
        for _ in range(LANES):
            pool.submit(contextvars.copy_context().run, _walk_lane, poller, walk)
    if walk.failure is not None:
        raise walk.failure


def _walk_lane(poller: Poller, walk: _Pass) -> None:
    while (found := walk.next()) is not None:
        path, part = found
        try:
            _walk(poller, path, part, walk)
        except StripeProblem as problem:
            if problem.kind is not ProblemKind.FORBIDDEN:
                walk.fail(problem)
                return
            with walk.lock:
                walk.forbidden[path] = problem
        except BaseException as error:  # noqa: BLE001 - it is raised where the pass was begun
            walk.fail(error)
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


def _conclude(poller: Poller, walk: _Pass, until_ms: int) -> None:
    """Move the cursors of the lists that were read to their end, and call a person about the others."""
    now = poller.now()
    with poller.db.writing() as tx:
        poller.fence(tx)
        for path in walk.allowed:
            sweeps.move(tx, LISTS[path], moment(until_ms), now)
        rights.there(tx, [_KINDS[path].value for path in walk.allowed], now)
        for path, problem in sorted(walk.forbidden.items()):
            rights.missing(tx, _KINDS[path].value, problem, now)
