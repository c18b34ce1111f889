"""What does a run do, from its first question to Stripe until its row says how it ended?

It can be cut off at any moment: what was done stays done, the finished slices are written down, and whoever runs it again
goes on with the rest. Nothing but a walk through all lists to their ends makes it complete.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

import structlog

from reconciler.core.calendar import DayRange, day_of
from reconciler.core.observation import ms
from reconciler.core.report import RunHead, RunState
from reconciler.core.schedule import SECOND_MS, Window
from reconciler.db import holds, runs
from reconciler.db.holds import RunEnded, RunLost
from reconciler.db.leases import LeaseLost
from reconciler.db.session import StatementFailed, StorageUnavailable, Tx
from reconciler.poll.poller import Poller
from reconciler.poll.runs import line_of
from reconciler.poll.taking import Taking
from reconciler.reconcile.balances import closing
from reconciler.reconcile.concluding import conclude, conclude_dry
from reconciler.reconcile.foreseeing import PAYMENTS_MAX, Foresight
from reconciler.reconcile.going import Run, RunCut
from reconciler.reconcile.hands import taking_of, through_the_door
from reconciler.reconcile.holding import held
from reconciler.reconcile.lanes import Walk, walk
from reconciler.reconcile.patience import patiently, reading, writing
from reconciler.reconcile.payouts import foresee_payouts, take_payouts
from reconciler.reconcile.progress import Meter, Progress
from reconciler.reconcile.rereading import (
    doubts,
    put_off,
    read_doubts,
    read_put_off,
    read_unfinished,
)
from reconciler.reconcile.slicing import read_slice
from reconciler.reconcile.statement import head_of, keep_totals
from reconciler.reconcile.stretches import LISTS, OBJECTS_MIN, Stretch, unread
from reconciler.reconcile.unread import Unread, lacks_right
from reconciler.stripe_api.problems import Stopped, StripeProblem

log = structlog.get_logger(__name__)

Told = Callable[[Progress], None]
# So long after a moment its lists are complete, on whatever replica.
LAG_MS: Final = 60 * SECOND_MS


_CUTTING: Final = (
    StripeProblem,
    StorageUnavailable,
    StatementFailed,
    Stopped,
    LeaseLost,
    RunCut,
    RunEnded,
    RunLost,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How many objects a slice has at least, and how many payments a dry run keeps in mind."""

    slice_objects: int = OBJECTS_MIN
    payments_in_mind: int = PAYMENTS_MAX


NORMAL: Final = Bounds()


def run(
    poller: Poller, run_id: int, *, told: Told | None = None, bounds: Bounds = NORMAL
) -> RunHead:
    """Run what was asked for, or go on with it, to its end: complete, or cut off with the reason.

    Where `told` is None there is a log line for each slice. Raises NoSuchRun if nobody asked for such a run, RunTaken if
    somebody else is at work on it, and StorageUnavailable or StatementFailed where not even its end can be written down.
    """
    head = head_of(poller.db, run_id)
    if head.state is RunState.COMPLETE:
        return head
    with held(poller, run_id) as token:
        _run_held(poller, run_id, token, told, bounds)
    return head_of(poller.db, run_id)


def _run_held(poller: Poller, run_id: int, token: int, told: Told | None, bounds: Bounds) -> None:
    # Whoever held it before may have brought it to its end just now.
    head, asked_before = head_of(poller.db, run_id), poller.gateway.requests
    if head.state is RunState.COMPLETE:
        return
    how = runs.End(state=RunState.CUT_OFF)
    try:
        balance = _carry_out(poller, head, token, told, bounds)
        how = runs.End(state=RunState.COMPLETE, closing=balance)
    except _CUTTING as problem:
        how = runs.End(state=RunState.CUT_OFF, error=_words(problem))
    finally:
        # Whatever else is raised is a fault of ours: the row must not look as if somebody were still at work.
        requests = poller.gateway.requests - asked_before
        _end(poller, run_id, token, replace(how, requests=requests))


def _carry_out(
    poller: Poller, head: RunHead, token: int, told: Told | None, bounds: Bounds
) -> dict[str, int] | None:
    """Do all of it, and keep its totals; returns the closing balance. Raises what cuts it off."""
    began = head.started_at or poller.now()
    days = DayRange(first=head.first_day, last=head.last_day, zone=ZoneInfo(head.zone))
    covered = _covered(poller, head, days)
    not_over = covered.until_ms < days.window.until_ms

    def begin(tx: Tx) -> None:
        holds.require(tx, head.id, token)
        if head.is_dry:
            runs.forget(tx, head.id)
        runs.begin(tx, head.id, covered, day_not_over=not_over, now=poller.now())

    writing(poller, begin)
    left = _left(poller, head.id, covered)
    foresight, taking = Foresight(poller, bounds.payments_in_mind), taking_of(head.id)
    going = Run(
        poller=poller,
        id=head.id,
        token=token,
        is_dry=head.is_dry,
        days=days,
        covered=covered,
        hand=foresight.hand if head.is_dry else through_the_door(poller, taking),
        meter=_meter(poller, told, left, covered),
        least=bounds.slice_objects,
        edges=tuple(days.window_of(day).since_ms for day in days.days),
    )
    unanswered, balance = Unread(), None
    if head.is_dry:
        _foresee(going, left, foresight, began, unanswered)
    else:
        _take_in(going, left, taking, began, unanswered)
    with unanswered.forgiven():
        balance = closing(poller, covered.until_ms)
    unanswered.told()
    patiently(poller.gateway, lambda: keep_totals(poller.db, head.id, balance))
    return balance


def _take_in(
    going: Run, left: list[Stretch], taking: Taking, began: datetime, unanswered: Unread
) -> None:
    gateway = going.poller.gateway
    try:
        _read_lists(going, left, unanswered)
        with unanswered.forgiven():
            read_unfinished(going)
        patiently(gateway, lambda: read_put_off(going, taking, began))
        with unanswered.forgiven():
            patiently(gateway, lambda: take_payouts(going.poller, going.covered, taking))
        patiently(gateway, lambda: read_doubts(going, taking, began))
        unanswered.objects(put_off(going))
    except (StripeProblem, RunCut):
        # What was put right until then is told all the same; that it can't be must not hide why the run ends.
        with suppress(StorageUnavailable, StatementFailed):
            conclude(going, began)
        raise
    conclude(going, began)


def _foresee(
    going: Run, left: list[Stretch], foresight: Foresight, began: datetime, unanswered: Unread
) -> None:
    _read_lists(going, left, unanswered)
    with unanswered.forgiven():
        read_unfinished(going)
    due = {(each.kind.value, each.object_id) for each in doubts(going, began)}
    foresight.read_all({*due, *put_off(going)})
    with unanswered.forgiven():
        foresee_payouts(going.poller, going.covered, foresight.hand.page)
    conclude_dry(going, foresight, began)
    unanswered.objects(foresight.unread)


def _read_lists(going: Run, left: list[Stretch], unanswered: Unread) -> None:
    def read(stretch: Stretch, walking: Walk) -> None:
        with unanswered.forgiven():
            read_slice(going, stretch, walking)

    walk(left, read)


def _covered(poller: Poller, head: RunHead, days: DayRange) -> Window:
    """The moments of the range that are over at Stripe; what a first part of the run has fixed stays."""
    if head.covered_from is not None and head.covered_until is not None:
        return Window(ms(head.covered_from), ms(head.covered_until))
    window, date_ms = days.window, _date_ms(poller)
    # A clock that is ahead asks for a day that is not there yet; a few seconds around midnight are no lie.
    if date_ms + LAG_MS < days.window_of(days.last).since_ms:
        raise RunCut(
            f"{days.last} has not begun at Stripe, where it is {day_of(date_ms, days.zone)}:"
            " put this machine's clock right, and ask again"
        )
    over_ms = (date_ms - LAG_MS) // SECOND_MS * SECOND_MS
    return Window(window.since_ms, max(window.since_ms, min(window.until_ms, over_ms)))


def _date_ms(poller: Poller) -> int:
    """What time it is at Stripe, by the first list that the key may read."""
    for listing in LISTS[:-1]:
        try:
            return poller.gateway.date_ms(listing.path)
        except StripeProblem as problem:
            if not lacks_right(problem):
                raise
    return poller.gateway.date_ms(LISTS[-1].path)


def _left(poller: Poller, run_id: int, covered: Window) -> list[Stretch]:
    """What no finished slice has covered."""
    done = reading(poller, lambda tx: runs.slices(tx, run_id))
    return [
        Stretch(listing, window)
        for listing in LISTS
        for window in unread(covered, [each.window for each in done if each.list == listing.name])
    ]


def _meter(poller: Poller, told: Told | None, left: list[Stretch], covered: Window) -> Meter:
    left_ms = {listing.name: 0 for listing in LISTS}
    for listing, window in left:
        left_ms[listing.name] += window.until_ms - window.since_ms
    begun = poller.gateway.requests
    total_ms = len(LISTS) * (covered.until_ms - covered.since_ms)
    return Meter(told, lambda: poller.gateway.requests - begun, left_ms, total_ms)


def _words(problem: Exception) -> str:
    if isinstance(problem, Stopped | LeaseLost):
        return runs.STOPPED
    if isinstance(problem, RunLost | RunEnded):
        return "somebody else goes on with it"
    return str(problem) if isinstance(problem, RunCut) else line_of(problem)


def _end(poller: Poller, run_id: int, token: int, how: runs.End) -> None:
    def end(tx: Tx) -> runs.End:
        holds.require(tx, run_id, token)
        objects = sum(each.at_stripe for each in runs.slices(tx, run_id))
        whole = replace(how, objects=objects)
        runs.end(tx, run_id, whole, poller.now())
        return whole

    try:
        ended = writing(poller, end)
    except (RunLost, RunEnded):
        log.warning("run.left", run=run_id, error=how.error)
        return
    except Stopped:
        # Whoever is told to end waits for nobody: then the row is told as cut off all the same.
        log.warning("run.end_not_written", run=run_id)
        raise StorageUnavailable("its end could not be written down") from None
    log.info(
        "run.ended", run=run_id, state=how.state.value, objects=ended.objects, error=how.error or ""
    )
