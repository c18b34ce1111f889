"""What could no snapshot decide? Such objects are read again by their id, one by one.

A read that can't be had is never taken for an answer. The object is asked for again, ever more rarely; what even then
can't be read becomes a matter for a person, and the row goes: nothing here loops.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from reconciler.apply import apply_payment_state
from reconciler.core.exceptions import ExceptionKind
from reconciler.core.observation import Observation
from reconciler.core.schedule import retry_after_ms
from reconciler.db import alerts, events, evidence
from reconciler.db.events import EventState, Mark
from reconciler.db.evidence import Fetch
from reconciler.db.leases import LeaseLost
from reconciler.db.session import StorageUnavailable, Tx
from reconciler.poll import rights
from reconciler.poll.poller import Poller
from reconciler.poll.runs import line_of
from reconciler.poll.taking import SWEPT, Taking
from reconciler.stripe_api.problems import ProblemKind, Stopped, StripeProblem
from reconciler.stripe_api.reading import read_object
from reconciler.stripe_api.translate import UnreadableObject, observe_object

log = structlog.get_logger(__name__)

AT_ONCE: Final = 100
# So many in a row without an answer: it is Stripe that is away, not one object.
IN_VAIN_MAX: Final = 3
WAIT_MIN: Final = timedelta(seconds=6)
WAIT_MAX: Final = timedelta(hours=1)
# When Stripe is back, nothing waits for longer.
AWAY_MAX: Final = timedelta(minutes=5)
# Nobody is out of his mind for longer: what can't be read even then is about the objects, though they be all there are.
MOOD_MAX: Final = timedelta(days=3)
# A replica may not know an object yet that an event has just told of.
UNKNOWN_FOR: Final = timedelta(minutes=1)
# An answer that can't be used. It may be a proxy's or a moment's; ten of them in hours are about the object.
_ANSWERS: Final = frozenset({ProblemKind.REFUSED, ProblemKind.UNREADABLE})


def read_due(poller: Poller, taking: Taking = SWEPT) -> int:
    """Read what is due and apply it; returns how many objects were read. Raises the last problem if Stripe is away."""
    with poller.db.reading() as tx:
        due = evidence.due(tx, poller.now(), limit=AT_ONCE)
    return read_these(poller, due, taking)


def read_these(poller: Poller, due: Sequence[Fetch], taking: Taking) -> int:
    """Read some of what is due and apply it; the same else."""
    read = in_vain = 0
    failed: list[tuple[Fetch, Exception]] = []
    for fetch in due:
        problem = _problem_with(poller, fetch, taking)
        if problem is None:
            read, in_vain = read + 1, 0
            continue
        failed.append((fetch, problem))
        in_vain = in_vain + 1 if _is_no_answer(problem, is_sane=read > 0) else 0
        if in_vain == IN_VAIN_MAX:
            break
    is_away = in_vain == IN_VAIN_MAX
    for fetch, problem in failed:
        _put_off(poller, fetch, problem, counts=not is_away)
    if is_away:
        raise failed[-1][1]
    return read


def _problem_with(poller: Poller, fetch: Fetch, taking: Taking) -> Exception | None:
    """Read an object and apply it; returns what was in the way. Raises Stopped, LeaseLost and StorageUnavailable."""
    try:
        read_one(poller, fetch, taking)
    except (Stopped, LeaseLost, StorageUnavailable):
        raise
    except Exception as problem:
        if not isinstance(problem, StripeProblem | UnreadableObject):
            # Whatever one object does to us, the others must not wait for it.
            log.exception("object.not_applied", subject=_subject(fetch))
        return problem
    return None


def _kind_of(problem: Exception) -> ProblemKind:
    return problem.kind if isinstance(problem, StripeProblem) else ProblemKind.UNREADABLE


def _is_no_answer(problem: Exception, *, is_sane: bool) -> bool:
    """Whether Stripe may be away. While it has told nothing that can be used, what can't be is no word about its object."""
    kind = _kind_of(problem)
    return kind is ProblemKind.UNAVAILABLE or (kind in _ANSWERS and not is_sane)


def read_one(poller: Poller, fetch: Fetch, taking: Taking = SWEPT) -> None:
    """Read an object and apply it. Raises UnreadableObject if the answer asks for nothing but to be read again.

    Raises StripeProblem and Stopped too.
    """
    inbox, began = poller.inbox, poller.now()
    reading = read_object(poller.gateway, fetch.kind, fetch.object_id)
    observations, wanted = observe_object(
        reading.object,
        span=reading.span,
        evidence=reading.request_id,
        vocabulary=inbox.vocabulary,
        is_read=True,
    )
    itself = (fetch.kind.value, fetch.object_id)
    now = poller.now()
    with poller.db.writing() as tx:
        if observations:
            source, policy = taking.source, inbox.policy
            taking.decided(
                tx, apply_payment_state(tx, observations, source=source, now=now, policy=policy)
            )
        if itself not in wanted:
            _settle(tx, fetch, observations, began, now)
        evidence.ask(tx, wanted, "read", now)
    if itself in wanted:
        raise UnreadableObject("the object is not what Stripe documents")
    log.info("object.read", kind=fetch.kind.value, id=fetch.object_id, reason=fetch.reason)


def _settle(
    tx: Tx, fetch: Fetch, seen: Sequence[Observation], began: datetime, now: datetime
) -> None:
    """Mark what waited for the read; one that told nothing of ours, or not all that it could have, is answered too."""
    if fetch.object_id not in {each.projection.id for each in seen if evidence.answers(each)}:
        evidence.drop(tx, fetch)
    waiting = events.deferred_about(tx, [fetch.object_id])
    # An event that came in while we read may tell of something later than the answer does.
    told = [(id_, n) for id_, n, received_at in waiting if received_at <= began]
    events.mark(tx, [Mark(id=id_, state=EventState.APPLIED, attempts=n) for id_, n in told])
    if len(told) < len(waiting):
        evidence.ask(tx, [(fetch.kind.value, fetch.object_id)], "event", now)
    rights.there(tx, [fetch.kind.value, _subject(fetch)], now)


def _put_off(poller: Poller, fetch: Fetch, problem: Exception, *, counts: bool) -> None:
    """Ask again later, or give the object up and call a person; an answer `counts` if it is about the object."""
    now, kind = poller.now(), _kind_of(problem)
    age = now - fetch.asked_at
    is_answer = kind in _ANSWERS and (counts or age >= MOOD_MAX)
    attempts = fetch.attempts + is_answer
    wait = _patience(attempts) if is_answer else _wait(kind, age)
    words = str(problem) if isinstance(problem, UnreadableObject) else line_of(problem)
    with poller.db.writing() as tx:
        if wait is None:
            evidence.drop(tx, fetch)
            _call_a_person(tx, fetch, words, now)
            return
        evidence.postpone(tx, fetch, now + wait, attempts=attempts)
        if isinstance(problem, StripeProblem) and kind is ProblemKind.FORBIDDEN:
            rights.missing(tx, fetch.kind.value, problem, now)


def _patience(attempts: int) -> timedelta | None:
    """How long to wait after so many answers that can't be used, as with events; None: there will be no other."""
    wait_ms = retry_after_ms(attempts)
    return None if wait_ms is None else max(WAIT_MIN, timedelta(milliseconds=wait_ms))


def _wait(kind: ProblemKind, age: timedelta) -> timedelta | None:
    """How long to wait for what could not be had; None: it does not exist."""
    if kind is ProblemKind.NOT_FOUND and age >= UNKNOWN_FOR:
        return None
    longest = WAIT_MAX if kind is ProblemKind.FORBIDDEN else AWAY_MAX
    return min(longest, max(WAIT_MIN, age))


def _call_a_person(tx: Tx, fetch: Fetch, words: str, now: datetime) -> None:
    waiting = events.deferred_about(tx, [fetch.object_id])
    marks = [
        Mark(id=id_, state=EventState.DEAD, attempts=n + 1, error=words) for id_, n, _ in waiting
    ]
    events.mark(tx, marks)
    for each in marks:
        _alert(tx, ExceptionKind.EVENT_DEAD, each.id, words, now)
    if not marks:
        _alert(tx, ExceptionKind.READ_FORBIDDEN, _subject(fetch), words, now)


def _alert(tx: Tx, kind: ExceptionKind, subject: str, words: str, now: datetime) -> None:
    if alerts.open_alert(tx, kind=kind, subject=subject, fingerprint=words, now=now):
        log.error("object.unreadable", kind=kind.value, subject=subject, problem=words)


def _subject(fetch: Fetch) -> str:
    return f"{fetch.kind.value} {fetch.object_id}"
