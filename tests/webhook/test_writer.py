"""Is an inbox whose events another process stores the same as one at home, also when that process is gone?"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing import Pipe

import pytest

from reconciler.core.observation import Source
from reconciler.db.errors import StorageUnavailable
from reconciler.stripe_api.envelope import StripeEvent, read_event
from tests.webhook.fake_inbox import FakeInbox
from tests.webhook.signing import event_body
from webhook.writer import Apart, NotStored, obey

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def told(*ids: str) -> list[StripeEvent]:
    """Events."""
    return [read_event(event_body(each)) for each in ids]


@contextmanager
def apart(inbox: FakeInbox) -> Iterator[Apart]:
    """Give an inbox on the other side of a pipe; a thread stands for the other process."""
    ours, theirs = Pipe()
    there = threading.Thread(target=obey, args=(inbox, theirs))
    there.start()
    yield Apart(inbox, ours)
    ours.close()
    there.join(5)
    assert not there.is_alive()


def test_it_stores_what_it_is_told_as_it_is_told() -> None:
    """Events arrive whole, in their order, with the door that they came through and the moment."""
    inbox = FakeInbox()
    events = told("evt_1", "evt_2")

    with apart(inbox) as there:
        there.accept(events, source=Source.WEBHOOK, now=NOW)
        there.accept(told("evt_3"), source=Source.WEBHOOK, now=NOW)

    assert inbox.bodies[:2] == [each.body for each in events]
    assert inbox.ids == {"evt_1", "evt_2", "evt_3"}
    assert inbox.doors == {(Source.WEBHOOK, NOW)}


def test_it_tells_that_the_database_is_away_and_goes_on_when_it_is_back() -> None:
    """What the inbox says of a database that is away arrives in its own words, and the next try is a new one."""
    inbox = FakeInbox(is_away=True)

    with apart(inbox) as there:
        with pytest.raises(StorageUnavailable, match="SQLITE_BUSY"):
            there.accept(told("evt_1"), source=Source.WEBHOOK, now=NOW)
        inbox.is_away = False
        there.accept(told("evt_1"), source=Source.WEBHOOK, now=NOW)

    assert inbox.ids == {"evt_1"}


def test_it_outlives_an_inbox_that_breaks() -> None:
    """An error that nobody foresaw arrives by its name, with a note for the log of where it was, and takes nobody down."""
    inbox = FakeInbox(is_broken=True)

    with apart(inbox) as there:
        with pytest.raises(NotStored) as failed:
            there.accept(told("evt_1"), source=Source.WEBHOOK, now=NOW)
        inbox.is_broken = False
        there.accept(told("evt_2"), source=Source.WEBHOOK, now=NOW)

    assert str(failed.value) == "RuntimeError"
    assert "fake_inbox.py" in failed.value.__notes__[0]
    assert inbox.ids == {"evt_2"}


def test_it_says_that_nothing_can_be_stored_when_the_other_process_is_gone() -> None:
    """Whether it ends before or after it was asked, the answer is the one for which Stripe sends again."""
    ours, theirs = Pipe()
    there = Apart(FakeInbox(), ours)
    gone = threading.Thread(target=lambda: (theirs.recv(), theirs.close()))
    gone.start()

    with pytest.raises(StorageUnavailable, match="has ended"):
        there.accept(told("evt_1"), source=Source.WEBHOOK, now=NOW)
    gone.join()
    with pytest.raises(StorageUnavailable, match="has ended"):
        there.accept(told("evt_2"), source=Source.WEBHOOK, now=NOW)


def test_it_asks_the_inbox_at_home_for_all_else() -> None:
    """Probes and counts wait for no event that is being stored."""
    inbox = FakeInbox()
    ours, theirs = Pipe()
    there = Apart(inbox, ours)

    there.record_webhook_health(
        good=3, bad=1, last_good_at=NOW, last_bad_at=None, last_bad_reason=""
    )

    assert there.is_ready()
    assert (inbox.health.good, inbox.health.bad) == (3, 1)
    theirs.close()
    ours.close()
