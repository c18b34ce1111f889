"""What does the answer of a push service mean for the delivery that was sent?"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from reconciler.core.schedule import resend_after_ms
from reconciler.db.deliveries import DeliveryState, Due, Mark
from reconciler.push.sending import Answer, Sent

# However long a push service wants to be left alone: so long at most.
RETRY_AFTER_MAX_S: Final = 3600
# What it says to one of our messages is not said of all: it gets a rest, and not as long as that message waits.
REST_MAX_S: Final = 60
# A push service that takes nothing of ours is asked again that often, with one message.
PROBE_EVERY: Final = timedelta(minutes=15)
# No message waits longer than that, whoever asks for it.
WAIT_MAX: Final = timedelta(seconds=RETRY_AFTER_MAX_S)
_TOO_MANY: Final = frozenset({429, 503})
_ENDS: Final = {
    Answer.ACCEPTED: DeliveryState.ACCEPTED,
    Answer.GONE: DeliveryState.GONE,
    Answer.TOO_LARGE: DeliveryState.FAILED,
    Answer.BAD_KEY: DeliveryState.FAILED,
    Answer.BAD_ENDPOINT: DeliveryState.FAILED,
}


@dataclass(frozen=True, slots=True)
class Result:
    """One delivery of a batch, and how it went; None: it was not sent in this batch."""

    due: Due
    sent: Sent | None


def mark_of(result: Result, now: datetime, expires_at: datetime, *, at_fault: bool) -> Mark:
    """What is written of a delivery. `at_fault`: the push service takes nothing of ours, so that no delivery is to blame."""
    due, sent = result.due, result.sent
    if sent is None:
        return Mark(id=due.id, state=DeliveryState.WAITING, attempts=due.attempts, due_at=now)
    if sent.answer is Answer.REFUSED and at_fault:
        # Behind the others: the next one to be tried is not again this one.
        return _said(due, sent, DeliveryState.WAITING, due.attempts, now + PROBE_EVERY)
    ended = _ENDS.get(sent.answer)
    attempts = due.attempts + 1
    if ended is not None:
        return _said(due, sent, ended, attempts, now)
    again_at = now + _wait(sent, attempts)
    if again_at >= expires_at:
        return _said(due, sent, DeliveryState.EXPIRED, attempts, now)
    return _said(due, sent, DeliveryState.WAITING, attempts, again_at)


def _said(due: Due, sent: Sent, state: DeliveryState, attempts: int, due_at: datetime) -> Mark:
    return Mark(
        id=due.id,
        state=state,
        attempts=attempts,
        due_at=due_at,
        status=sent.status,
        reason=sent.reason,
    )


def _wait(sent: Sent, attempts: int) -> timedelta:
    ours = timedelta(milliseconds=resend_after_ms(attempts))
    if sent.retry_after_s is None:
        return ours
    # Sooner than we would is never asked for, only allowed.
    return max(ours, timedelta(seconds=min(sent.retry_after_s, RETRY_AFTER_MAX_S)))


def closed_for(sent: Sent) -> timedelta | None:
    """How long a push service is left alone by all messages; None: it did not ask for it."""
    if sent.answer is not Answer.LATER or sent.status not in _TOO_MANY or not sent.retry_after_s:
        return None
    return timedelta(seconds=min(sent.retry_after_s, REST_MAX_S))
