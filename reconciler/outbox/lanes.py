"""How does one push service get what is due for it, whatever it does, without that another one waits?

A lane is one thread a push service. It claims a batch in one transaction, sends it outside of any by a few threads at once, and
writes down in another how that went. A lane that dies leaves claims that run out: its messages are sent again, under the same
topic and tag.
"""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeAlias

import structlog

from reconciler import metrics
from reconciler.db import subscriptions
from reconciler.db.deliveries import Due
from reconciler.db.session import Database, StatementFailed, StorageUnavailable
from reconciler.outbox.batches import SILENT_MAX, Batch, claim, settle
from reconciler.outbox.letters import Terms, letters
from reconciler.outbox.outcomes import Result, closed_for
from reconciler.outbox.repute import USERS_MIN, Repute
from reconciler.push.sending import Answer, Message, Sent, Subscription

log = structlog.get_logger(__name__)

Send: TypeAlias = Callable[[Subscription, Message, datetime], Sent]

AT_ONCE: Final = 8
# What is not begun by then is left for the next batch: the rest of the lease is for what is on its way, and for writing down.
SEND_WITHIN_S: Final = 40.0
# So that a lane that has much to send leaves its place to others that wait for one.
LANE_LASTS_S: Final = 60.0
_TRIES: Final = 4
_RETRY_S: Final = 2.0
_LOOK_S: Final = 0.1
# Whose a browser is was read at the claim. A batch that takes longer than that looks again, before each message.
_FRESH_S: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all lanes share. `goes_on` is false once nothing more may be begun."""

    db: Database
    send: Send
    terms: Terms
    now: Callable[[], datetime]
    goes_on: Callable[[], bool]
    stop: threading.Event
    repute: Repute = field(default_factory=Repute)
    # Whoever writes what grows with the messages has it (claims, their ends, deliveries), and nobody begins to send meanwhile:
    # everybody who writes waits for a transaction, which must not wait in turn for the processor behind two dozen senders.
    pen: threading.Lock = field(default_factory=threading.Lock)


def run_lane(host: str, around: Surroundings) -> datetime | None:
    """Send what is due for a push service until nothing is; returns until when to leave it alone, None: not at all.

    Raises StorageUnavailable or StatementFailed.
    """
    until_s = time.monotonic() + LANE_LASTS_S
    while around.goes_on() and time.monotonic() < until_s:
        with around.pen:
            batch = claim(around.db, around.terms, host, around.now())
        if batch is None:
            return None
        run = _Run(batch, around)
        run.to_its_end()
        results = list(run.results())
        around.repute.learn(around.db, host, around.now())
        at_fault = around.repute.refuses_us(host, results, is_probe=batch.is_probe)
        closed_until = _settled(around, batch, results, at_fault=at_fault)
        if closed_until is not None:
            return closed_until
    return None


def _settled(
    around: Surroundings, batch: Batch, results: list[Result], *, at_fault: bool
) -> datetime | None:
    """Write the results down; a database that is away for a moment must not make us send everything again."""

    def settled() -> datetime | None:
        with around.pen:
            return settle(around.db, around.terms, batch, results, around.now(), at_fault=at_fault)

    for _ in range(_TRIES - 1):
        try:
            return settled()
        except StorageUnavailable:
            around.stop.wait(_RETRY_S)
    return settled()


class _Run:
    """One batch on its way: who takes which message, and what came of it."""

    def __init__(self, batch: Batch, around: Surroundings) -> None:
        self._batch = batch
        self._around = around
        self._lock = threading.Lock()
        self._next = 0
        self._sent: dict[int, Sent | None] = {}
        self._claimed_s = time.monotonic()
        self._ends = False
        self._accepted = False
        self._refused: set[str] = set()
        self._silent = 0

    def to_its_end(self) -> None:
        """Send all of it, several at once, and come back when none is on its way any more, or when nothing goes on."""
        wanted = min(AT_ONCE, len(self._batch.dues))
        # Daemon threads: a push service that does not answer must not keep the program from ending.
        senders = [
            threading.Thread(target=self._work, name="push", daemon=True) for _ in range(wanted)
        ]
        for each in senders:
            each.start()
        for each in senders:
            while each.is_alive() and self._around.goes_on():
                each.join(_LOOK_S)
        # Whoever is still at it must not go on with what others may have claimed by then, should all go on again.
        with self._lock:
            self._ends = True

    def results(self) -> Iterator[Result]:
        """The batch; what was not sent has no answer, and of what is still on its way nothing is said: its claim runs out."""
        with self._lock:
            sent, begun = dict(self._sent), self._next
        for place, each in enumerate(self._batch.dues):
            if each.id in sent or place >= begun:
                yield Result(each, sent.get(each.id))

    def _work(self) -> None:
        while (due := self._taken()) is not None:
            sent = self._answered(due) if self._is_wanted(due) else None
            if sent is not None:
                metrics.push_answered(sent.answer.value)
            with self._lock:
                self._sent[due.id] = sent
                if sent is not None:
                    self._weigh(due, sent)

    def _age_s(self) -> float:
        return time.monotonic() - self._claimed_s

    def _is_wanted(self, due: Due) -> bool:
        """Whether the browser is still that user's, as far as it may have changed since the claim."""
        if self._age_s() < _FRESH_S:
            return True
        try:
            with self._around.db.reading() as tx:
                return subscriptions.is_there(tx, due.subscription_id)
        except (StorageUnavailable, StatementFailed):
            # Who can't be asked for is not sent to: what is left of the batch is for the next one.
            with self._lock:
                self._ends = True
            return False

    def _taken(self) -> Due | None:
        with self._around.pen:
            pass
        with self._lock:
            is_over = self._ends or self._age_s() >= SEND_WITHIN_S
            if is_over or self._next >= len(self._batch.dues) or not self._around.goes_on():
                return None
            due = self._batch.dues[self._next]
            self._next += 1
            return due

    def _weigh(self, due: Due, sent: Sent) -> None:
        """See whether the rest of the batch had better stay."""
        self._accepted |= sent.answer is Answer.ACCEPTED
        is_silent = sent.answer is Answer.LATER and sent.status is None
        self._silent = self._silent + 1 if is_silent else 0
        if sent.answer is Answer.REFUSED:
            self._refused.add(due.user_id)
        if len(self._refused) >= USERS_MIN and not self._accepted:
            self._ends = True
        if closed_for(sent) is not None or self._silent >= SILENT_MAX:
            self._ends = True

    def _answered(self, due: Due) -> Sent:
        """Send one message, and a shorter one if it was too large; never raises."""
        subscription = Subscription(due.endpoint or "", due.p256dh or "", due.auth or "")
        sent = Sent(Answer.TOO_LARGE, reason="it can't be made short enough")
        try:
            now = self._around.now()
            for tries, message in enumerate(letters(due, self._around.terms, now)):
                sent = self._around.send(subscription, message, now)
                if sent.answer is not Answer.TOO_LARGE or tries:
                    break
        except Exception as error:
            # One message that can't be made, or a fault of ours, must not end a lane.
            log.exception("message.not_sent", delivery=due.id, kind=due.kind)
            return Sent(Answer.LATER, reason=type(error).__name__)
        return sent
