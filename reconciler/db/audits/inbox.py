"""Which events were acknowledged and did not come through, and which facts rest on no event that was?"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import and_, case, exists, extract, or_

from reconciler.core.doubts import FetchKind
from reconciler.core.exceptions import ExceptionKind
from reconciler.db.audits import BEHIND, RETRY, Rule, missing, unknown
from reconciler.db.events import EventState
from reconciler.db.tables import exceptions, fetches, observations, stripe_events

_event, _fetch, _seen, _asked = stripe_events.c, fetches.c, observations.c, exceptions.c

_TELLING: Final = ("payment_intent.", "charge.", "refund.", "checkout.session.")


def rules(late: datetime | None, *, livemode: bool | None, is_whole: bool) -> Sequence[Rule]:
    """What must hold of stored events, in the mode of this installation where that is known.

    `is_whole` if all evidence came by the inbox or by a read.
    """
    return (
        *_states(),
        *_persons(),
        *(_signed(livemode) if is_whole else ()),
        *(_late(late) if late else ()),
    )


def _states() -> tuple[Rule, ...]:
    waits = _event.state == EventState.FAILED.value
    made_ms = extract("epoch", _event.created) * 1000
    told = exists().where(_seen.object_id == _event.object_id, _seen.lo_ms >= made_ms)
    waiting = exists().where(_fetch.object_id == _event.object_id)
    untold = and_(
        # A thin event tells nothing by itself, and what an `invoice` tells is told of its payment.
        _event.api_version.is_not(None),
        or_(*(_event.type.startswith(each) for each in _TELLING)),
        ~told.correlate_except(observations),
        ~waiting.correlate_except(fetches),
    )
    return (
        Rule(
            check="event_state",
            key=_event.id,
            wrong=unknown(_event.state, EventState),
            subject="{id}",
            what="its state is unknown: {state}",
        ),
        Rule(
            check="event_never_retried",
            key=_event.id,
            wrong=and_(waits, _event.next_attempt_at.is_(None)),
            subject="{id}",
            what="it has failed, and nobody will try it again",
            mend=RETRY,
        ),
        Rule(
            check="event_not_applied",
            key=_event.id,
            wrong=and_(_event.state == EventState.APPLIED.value, untold),
            subject="{id}",
            what="it is marked applied, and nothing that it told of {object_id} was kept",
            mend=RETRY,
        ),
        Rule(
            check="fetch_kind",
            key=_fetch.object_id,
            wrong=unknown(_fetch.kind, FetchKind),
            subject="{object_id}",
            what="it waits to be read as a {kind}, which nothing can read",
        ),
    )


def _persons() -> tuple[Rule, ...]:
    """A person is asked about what can't go on by itself, and about nothing else."""
    dead = ExceptionKind.EVENT_DEAD.value
    rung = exists().where(
        _asked.kind == dead, _asked.subject == _event.id, _asked.state != "cleared"
    )
    came_through = exists().where(
        _event.id == _asked.subject,
        _event.state.in_([EventState.APPLIED.value, EventState.IGNORED.value]),
    )
    mode = case((_event.livemode, " live"), else_=" test")
    counted = exists().where(
        _asked.kind == ExceptionKind.WRONG_ACCOUNT_OR_MODE.value,
        _asked.subject.endswith(mode),
    )
    return (
        Rule(
            check="event_dead",
            key=_event.id,
            wrong=and_(_event.state == EventState.DEAD.value, ~rung.correlate_except(exceptions)),
            subject="{id}",
            what="exception event_dead should be open",
            mend=RETRY,
        ),
        Rule(
            check="event_alive",
            key=_asked.id,
            wrong=and_(
                _asked.kind == dead,
                _asked.state == "open",
                came_through.correlate_except(stripe_events),
            ),
            subject="{subject}",
            what="exception event_dead should be closed: the event came through",
            mend="`reconciler exceptions resolve {id}`",
        ),
        Rule(
            check="event_stranger",
            key=_event.id,
            wrong=and_(
                _event.state == EventState.QUARANTINED.value,
                ~counted.correlate_except(exceptions),
            ),
            subject="{id}",
            what="it is quarantined, and exception wrong_account_or_mode never said so",
        ),
    )


def _signed(livemode: bool | None) -> tuple[Rule, ...]:  # noqa: FBT001 - as it was stored
    """Facts rest on events that were taken in, or on reads."""
    stranger = exists().where(
        _event.id == _seen.evidence, _event.state == EventState.QUARANTINED.value
    )
    found = [
        Rule(
            check="observation_unsigned",
            key=_seen.object_id,
            wrong=and_(
                ~_seen.is_read,
                or_(
                    missing(_seen.evidence, _event.id),
                    stranger.correlate_except(stripe_events),
                ),
            ),
            subject="{object_id}",
            what="it rests on {evidence}, which is no event that was taken in",
        )
    ]
    if livemode is not None:
        found.append(
            Rule(
                check="event_mode",
                key=_event.id,
                wrong=and_(
                    _event.livemode.is_not(livemode), _event.state != EventState.QUARANTINED.value
                ),
                subject="{id}",
                what="it is of the other mode and not quarantined",
            )
        )
    return tuple(found)


def _late(late: datetime) -> tuple[Rule, ...]:
    """Only while Stripe answers, which is seen by sweeps that came to their end."""
    waits = exists().where(_fetch.object_id == _event.object_id).correlate_except(fetches)
    return (
        Rule(
            check="fetch_overdue",
            key=_fetch.object_id,
            wrong=_fetch.due_at < late,
            subject="{object_id}",
            what="it should have been read at {due_at}: {reason}",
            mend=BEHIND,
        ),
        Rule(
            check="event_overdue",
            key=_event.id,
            wrong=and_(_event.state == EventState.FAILED.value, _event.next_attempt_at < late),
            subject="{id}",
            what="it should have been tried again at {next_attempt_at}",
            mend=BEHIND,
        ),
        Rule(
            check="event_forgotten",
            key=_event.id,
            wrong=and_(
                _event.state == EventState.DEFERRED.value, _event.received_at < late, ~waits
            ),
            subject="{id}",
            what="it waits since {received_at} for a read of {object_id} that nobody will make",
            mend=BEHIND,
        ),
    )
