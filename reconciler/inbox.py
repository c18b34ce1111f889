"""What happens to a Stripe event, whichever door it came through?

`accept` stores, applies and marks in one transaction: what got an answer is in the database, and what could not be stored
got none. An event that fails to apply is stored as `failed`, disturbs none of its neighbours, and is tried again with
back-off until it is `dead` and a person is asked. Errors are logged and never loop.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import structlog

from reconciler.apply import Policy, apply_payment_state
from reconciler.core.exceptions import ExceptionKind
from reconciler.core.observation import Observation, Source
from reconciler.core.schedule import retry_after_ms
from reconciler.db import alerts, migrate
from reconciler.db import events as rows
from reconciler.db import evidence as evidence_rows
from reconciler.db.batches import together_or_apart
from reconciler.db.events import EventRow, EventState, Mark
from reconciler.db.invoices import UnreadableInvoice
from reconciler.db.session import (
    Database,
    StatementFailed,
    StorageUnavailable,
    Tx,
)
from reconciler.stripe_api.envelope import MalformedBody, StripeEvent, read_event
from reconciler.stripe_api.translate import (
    Outcome,
    Translation,
    UnreadableObject,
    Vocabulary,
    translate,
)
from reconciler.stripe_api.translate.fields import Unclear

log = structlog.get_logger(__name__)

BATCH_MAX = 200


@dataclass(frozen=True, slots=True)
class _Item:
    """One event with what it says; `error` where it could not be understood, `attempts` so far."""

    id: str
    translation: Translation | None
    error: str | None = None
    attempts: int = 0

    @property
    def observations(self) -> tuple[Observation, ...]:
        return self.translation.observations if self.translation else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox:
    """The inbox of one account and mode."""

    db: Database
    livemode: bool = False
    policy: Policy = field(default_factory=Policy)
    vocabulary: Vocabulary = field(default_factory=Vocabulary)

    def accept(
        self,
        events: Sequence[StripeEvent],
        *,
        source: Source,
        now: datetime,
        besides: Callable[[Tx], None] | None = None,
    ) -> None:
        """Store and apply events; returns only after the commit.

        `besides` is done in the transaction of the last of them, or in one of its own where there are none. Raises
        StorageUnavailable unless all could be stored; the caller must not acknowledge anything then. Of more than BATCH_MAX
        events the first ones may be there.
        """
        starts = range(0, max(len(events), 1 if besides else 0), BATCH_MAX)
        for start in starts:
            batch = {each.id: each for each in events[start : start + BATCH_MAX]}
            ours = [event for event in batch.values() if self._is_ours(event)]
            strangers = [event for event in batch.values() if not self._is_ours(event)]
            try:
                with self.db.writing() as tx:
                    self._store(tx, ours, strangers, source=source, now=now)
                    if besides is not None and start == starts[-1]:
                        besides(tx)
            except StatementFailed as refused:
                # Not one event's fault: every one of those was given its own savepoint.
                raise StorageUnavailable(str(refused)) from None

    def retry(self, ids: Sequence[str], *, now: datetime) -> dict[str, EventState]:
        """Apply stored events again; returns what became of each."""
        for start in range(0, len(ids), BATCH_MAX):
            part = ids[start : start + BATCH_MAX]
            with self.db.writing() as tx:
                stored = rows.known(tx, part)
                found = rows.bodies(tx, part)
                items: dict[Source, list[_Item]] = {}
                for id_, (body, source) in sorted(found.items()):
                    if body and stored[id_].state is not EventState.QUARANTINED:
                        read = self._read(id_, body, stored[id_].attempts)
                        items.setdefault(source, []).append(read)
                # Who told it first stays who told it first, whoever tries again.
                for source, told in items.items():
                    self._apply(tx, told, source=source, now=now)
        with self.db.reading() as tx:
            return {id_: each.state for id_, each in rows.known(tx, ids).items()}

    def retry_due(self, *, now: datetime) -> int:
        """Apply events again that failed and whose next attempt is due; returns how many there were."""
        with self.db.reading() as tx:
            ids = rows.due(tx, now, limit=BATCH_MAX)
        self.retry(ids, now=now)
        return len(ids)

    def is_ready(self) -> bool:
        """Whether this process can store an event now."""
        try:
            return migrate.state(self.db) is migrate.SchemaState.CURRENT
        except (StorageUnavailable, StatementFailed):
            return False

    def record_webhook_health(
        self,
        *,
        good: int,
        bad: int,
        last_good_at: datetime | None,
        last_bad_at: datetime | None,
        last_bad_reason: str,
    ) -> None:
        """Add to the counts of deliveries, good and bad."""
        seen = {
            "good": good,
            "bad": bad,
            "last_good_at": last_good_at,
            "last_bad_at": last_bad_at,
            "last_bad_reason": last_bad_reason,
        }
        with self.db.writing() as tx:
            rows.add_health(tx, seen)

    def _is_ours(self, event: StripeEvent) -> bool:
        """Whether an event is of our mode and of our own account: a Connect event names its account."""
        return event.livemode == self.livemode and event.account is None

    def _read(self, id_: str, told: StripeEvent | bytes, attempts: int) -> _Item:
        try:
            event = read_event(told) if isinstance(told, bytes) else told
            return _Item(id_, translate(event, self.vocabulary), None, attempts)
        except Exception as error:  # noqa: BLE001 - whatever it is, the event must be kept
            return _Item(id_, None, _line(error), attempts)

    def _store(
        self,
        tx: Tx,
        ours: Sequence[StripeEvent],
        strangers: Sequence[StripeEvent],
        *,
        source: Source,
        now: datetime,
    ) -> None:
        known = rows.known(tx, [each.id for each in ours])
        rows.store(
            tx,
            [
                *(_row(each, EventState.FAILED) for each in ours),
                *(_row(each, EventState.QUARANTINED) for each in strangers),
            ],
            source=source,
            now=now,
        )
        _count_strangers(tx, strangers, now)
        # The duplicate check only saves work: applying an event again would change nothing. One that has failed
        # waits for its time, and one that is dead for a person, however often they are sent.
        new = rows.Known(EventState.FAILED, 0, None)
        fresh = []
        for event in ours:
            state, attempts, due_at = known.get(event.id, new)
            if state is EventState.FAILED and (due_at or now) <= now:
                fresh.append(self._read(event.id, event, attempts))
        self._apply(tx, fresh, source=source, now=now)

    def _apply(self, tx: Tx, items: Sequence[_Item], *, source: Source, now: datetime) -> None:
        """Apply a batch; if that fails, one by one, so that only the one that is wrong is marked."""
        readable = [each for each in items if each.error is None]
        marks = [_failed(each, each.error or "", now) for each in items if each.error is not None]

        def apply(part: Sequence[_Item]) -> Sequence[_Item]:
            self._apply_together(tx, part, source=source, now=now)
            return part

        def refused(item: _Item, error: Exception) -> None:
            marks.append(_failed(item, _line(error), now))
            log.error("event.failed", event_id=item.id, exc_info=error)

        applied = together_or_apart(tx, readable, apply, refused)
        marks += [_done(each) for part in applied for each in part]
        rows.mark(tx, marks)
        _ring(tx, marks, now)

    def _apply_together(
        self, tx: Tx, items: Sequence[_Item], *, source: Source, now: datetime
    ) -> None:
        evidence = [observation for each in items for observation in each.observations]
        if evidence:
            apply_payment_state(tx, evidence, source=source, now=now, policy=self.policy)
        wanted = [fetch for each in items if each.translation for fetch in each.translation.fetch]
        evidence_rows.ask(tx, wanted, "event", now)


def _row(event: StripeEvent, state: EventState) -> EventRow:
    about = event.object.get("id")
    if event.related is not None:
        about = event.related[1]
    return EventRow(
        id=event.id,
        livemode=event.livemode,
        type=event.type,
        api_version=event.api_version,
        object_id=about if isinstance(about, str) else None,
        created_ms=event.created_ms,
        body=event.body,
        state=state,
    )


_STATES = {
    Outcome.OBSERVED: EventState.APPLIED,
    Outcome.IGNORED: EventState.IGNORED,
    Outcome.DEFERRED: EventState.DEFERRED,
}


def _done(item: _Item) -> Mark:
    outcome = item.translation.outcome if item.translation else Outcome.IGNORED
    return Mark(id=item.id, state=_STATES[outcome], attempts=item.attempts)


def _failed(item: _Item, error: str, now: datetime) -> Mark:
    attempts = item.attempts + 1
    wait_ms = retry_after_ms(attempts)
    if wait_ms is None:
        return Mark(id=item.id, state=EventState.DEAD, attempts=attempts, error=error)
    return Mark(
        id=item.id,
        state=EventState.FAILED,
        attempts=attempts,
        next_attempt_at=now + timedelta(milliseconds=wait_ms),
        error=error,
    )


def _ring(tx: Tx, marks: Sequence[Mark], now: datetime) -> None:
    """Ask a person about events that are dead, and stop asking about those that came through after all."""
    kind = ExceptionKind.EVENT_DEAD
    for each in marks:
        if each.state is EventState.DEAD:
            error = each.error or ""
            if alerts.open_alert(tx, kind=kind, subject=each.id, fingerprint=error, now=now):
                log.error("event.died", event_id=each.id, error=error)
    gone_wrong = {EventState.FAILED, EventState.DEAD}
    alive = [each.id for each in marks if each.state not in gone_wrong and each.attempts]
    alerts.close_alerts(tx, kind=kind, subjects=alive, now=now)


def _count_strangers(tx: Tx, strangers: Sequence[StripeEvent], now: datetime) -> None:
    kind = ExceptionKind.WRONG_ACCOUNT_OR_MODE
    counted: dict[str, int] = {}
    for each in strangers:
        mode = "live" if each.livemode else "test"
        subject = f"{each.account or 'default'} {mode}"
        counted[subject] = counted.get(subject, 0) + 1
    for subject, count in sorted(counted.items()):
        if alerts.open_alert(
            tx, kind=kind, subject=subject, fingerprint=subject, now=now, count=count
        ):
            log.error("event.quarantined", subject=subject)


# What these say are words of ours. The standard library quotes what it was given.
_WORDED = (StatementFailed, MalformedBody, Unclear, UnreadableInvoice, UnreadableObject)


def _line(error: Exception) -> str:
    """One line for the row and the log: what went wrong, never what the event said."""
    words = str(error) if isinstance(error, _WORDED) else ""
    return f"{type(error).__name__}: {words}"[:300] if words else type(error).__name__
