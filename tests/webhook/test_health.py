"""Whether the probes tell the truth, and whether counts survive what storage does."""

import asyncio
import time
from datetime import UTC, datetime, timedelta

import pytest
from starlette.requests import Request
from starlette.testclient import TestClient

from tests.webhook.fake_inbox import FakeInbox
from tests.webhook.signing import SECRET
from webhook.app import WebhookSettings, create_app
from webhook.health import Health, Tally

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
LATER = NOON + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("inbox", "expected"),
    [
        (FakeInbox(), 200),
        (FakeInbox(is_away=True), 503),
        (FakeInbox(is_broken=True), 503),
        (FakeInbox(pause_s=2.2), 503),
    ],
    ids=["there", "away", "broken", "slow"],
)
def test_it_is_ready_only_if_an_event_could_be_stored(inbox: FakeInbox, expected: int) -> None:
    """/readyz asks storage and gives it two seconds; /healthz is well as long as the process answers."""
    with TestClient(create_app(inbox, WebhookSettings(secrets=(SECRET,)))) as client:
        ready, alive = client.get("/readyz"), client.get("/healthz")

    assert ready.status_code == expected
    assert (alive.status_code, alive.text) == (200, "ok")


def test_it_saves_the_counts_at_most_once_in_an_interval() -> None:
    """However many webhooks come in, the writes depend on the time alone."""
    inbox = FakeInbox()
    started_s = time.monotonic()

    async def count_for_a_while() -> None:
        health = Health(inbox, save_every_s=0.1)
        stopping = asyncio.Event()
        saving = asyncio.create_task(health.keep_saving(stopping))
        for _ in range(25):
            health.count_bad(NOON, "signature_mismatch")
            await asyncio.sleep(0.01)
        stopping.set()
        await saving

    asyncio.run(count_for_a_while())

    assert inbox.health.bad == 25
    # One save after each interval, one at the beginning and one at the end.
    assert 2 <= inbox.health_saves <= (time.monotonic() - started_s) / 0.1 + 2


def test_it_keeps_counts_that_could_not_be_saved() -> None:
    """Nothing is forgotten and nothing counted twice while storage is away."""
    inbox = FakeInbox(is_away=True)

    async def count_through_an_outage() -> None:
        health = Health(inbox)
        health.count_good(NOON)
        await health.save()
        health.count_bad(LATER, "signature_stale")
        await health.save()
        inbox.is_away = False
        await health.save()
        await health.save()

    asyncio.run(count_through_an_outage())

    assert inbox.health_saves == 1
    assert inbox.health == Tally(
        good=1, bad=1, last_good_at=NOON, last_bad_at=LATER, last_bad_reason="signature_stale"
    )


@pytest.mark.parametrize("is_away", [False, True])
def test_it_waits_for_the_word_of_a_write_that_hangs(is_away: bool) -> None:
    """A write that is given up may be stored all the same: its counts are kept only once it has failed."""
    inbox = FakeInbox(save_pause_s=0.3, is_away=is_away)

    async def count_while_a_write_hangs() -> None:
        health = Health(inbox, save_every_s=0.05, save_timeout_s=0.05)
        stopping = asyncio.Event()
        saving = asyncio.create_task(health.keep_saving(stopping))
        health.count_good(NOON)
        await asyncio.sleep(0.2)
        health.count_bad(LATER, "signature_stale")
        await asyncio.sleep(0.3)
        inbox.is_away, inbox.save_pause_s = False, 0.0
        stopping.set()
        await saving

    asyncio.run(count_while_a_write_hangs())

    assert (inbox.health.good, inbox.health.bad) == (1, 1)


def test_it_answers_probes_while_a_write_hangs() -> None:
    """Counts that wait for the database keep no probe waiting."""
    inbox = FakeInbox(save_pause_s=0.3)

    async def ask_while_a_write_hangs() -> tuple[int, int]:
        health = Health(inbox)
        health.count_good(NOON)
        saving = asyncio.create_task(health.save())
        await asyncio.sleep(0.05)
        answer = await health.answer_ready(Request({"type": "http"}))
        saves = inbox.health_saves
        await saving
        return answer.status_code, saves

    assert asyncio.run(ask_while_a_write_hangs()) == (200, 0)
