"""Do failed events come back by themselves, and do they come to an end?"""

from datetime import datetime, timedelta

import pytest
from structlog.testing import capture_logs

from reconciler.core.observation import Source
from reconciler.core.schedule import EVENT_ATTEMPTS_MAX
from reconciler.db import queries
from reconciler.db.session import Database
from reconciler.inbox import Inbox
from reconciler.stripe_api.envelope import read_event
from tests.cli import bodies
from tests.databases import refusing
from tests.test_inbox import NOW

EVENT_ID = "evt_pi_1_succeeded"


def _row(database: Database) -> dict[str, object]:
    with database.reading() as tx:
        return queries.event(tx, EVENT_ID) or {}


@pytest.mark.parametrize("source", [Source.WEBHOOK, Source.POLL])
def test_it_applies_a_failed_event_when_its_time_comes(database: Database, source: Source) -> None:
    """A failed event is left alone until it is due, then applied once what was wrong is mended; it keeps its source."""
    inbox = Inbox(db=database)
    with refusing(database, "pi_1"), capture_logs():
        inbox.accept([read_event(bodies.event(bodies.intent()))], source=source, now=NOW)

    early = inbox.retry_due(now=NOW + timedelta(seconds=4))
    between = _row(database)["state"]
    due = inbox.retry_due(now=NOW + timedelta(seconds=5))

    row = _row(database)
    with database.reading() as tx:
        payment = queries.payment(tx, "pi_1") or {}
    assert (early, between, due) == (0, "failed", 1)
    assert (row["state"], row["source"], row["next_attempt_at"]) == ("applied", source.value, None)
    assert (payment["status"], payment["first_seen_source"]) == ("succeeded", source.value)
    assert inbox.retry_due(now=NOW + timedelta(days=1)) == 0


def test_it_waits_ever_longer_and_then_calls_a_person(database: Database) -> None:
    """Each attempt waits longer than the one before, up to an hour; the tenth is the last, and nothing is due any more."""
    inbox = Inbox(db=database)
    at, waits = NOW, []
    with refusing(database, "pi_1"), capture_logs():
        inbox.accept([read_event(bodies.event(bodies.intent()))], source=Source.WEBHOOK, now=at)
        while isinstance(due_at := _row(database)["next_attempt_at"], datetime):
            waits.append((due_at - at).total_seconds())
            at = due_at
            inbox.retry_due(now=at)

    row = _row(database)
    with database.reading() as tx:
        asked = [each["kind"] for each in queries.open_exceptions(tx, now=at)]
    assert waits == [5, 20, 80, 320, 1280, 3600, 3600, 3600, 3600]
    assert (row["state"], row["attempts"]) == ("dead", EVENT_ATTEMPTS_MAX)
    assert asked == ["event_dead"]
    assert inbox.retry_due(now=at + timedelta(days=30)) == 0
