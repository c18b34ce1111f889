"""What Stripe gets as an answer, and what reaches the inbox, the log and the counts."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest
import structlog
from httpx2 import Response
from starlette.testclient import TestClient
from structlog.typing import EventDict

from reconciler.core.observation import Source
from tests.webhook.fake_inbox import FakeInbox
from tests.webhook.signing import SECRET, event_body, sign
from webhook.app import STRIPE_PATH, WebhookSettings, create_app

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
REFUSAL = {"error": "not accepted"}
LATER = {"error": "try again later"}


@contextmanager
def webhook(inbox: FakeInbox, **settings: float) -> Iterator[TestClient]:
    """Yield a client of a webhook that runs with this inbox; the time stands still at NOW."""
    chosen = WebhookSettings(secrets=(SECRET,), **settings)  # type: ignore[arg-type]
    app = create_app(inbox, chosen, clock=lambda: NOW)
    with TestClient(app, follow_redirects=False) as client:
        yield client


def post(client: TestClient, body: bytes, signature: str | None = None) -> Response:
    """Send a body as Stripe does; signed well unless a signature is given."""
    header = sign(body, SECRET, NOW) if signature is None else signature
    return client.post(STRIPE_PATH, content=body, headers={"Stripe-Signature": header})


def lines(logs: list[EventDict], event: str = "webhook.received") -> list[EventDict]:
    """Return the log lines with this event name."""
    return [line for line in logs if line["event"] == event]


def test_it_stores_an_event_and_says_so() -> None:
    """A signed event reaches the inbox with its exact bytes, and only then is answered with 200."""
    inbox = FakeInbox()
    body = event_body("evt_42")

    with webhook(inbox) as client:
        response = post(client, body)

    assert (response.status_code, response.json()) == (200, {"received": True})
    assert inbox.ids == {"evt_42"}
    assert inbox.bodies == [body]
    assert inbox.doors == {(Source.WEBHOOK, NOW)}


def test_it_takes_the_same_event_any_number_of_times() -> None:
    """A duplicate is a good delivery too: Stripe must stop sending it."""
    inbox = FakeInbox()

    with webhook(inbox) as client:
        answers = {post(client, event_body()).status_code for _ in range(3)}

    assert answers == {200}
    assert inbox.ids == {"evt_1"}


@pytest.mark.parametrize(
    ("body", "signature"),
    [
        (event_body(), ""),
        (event_body(), "t=1,v1=0"),
        (event_body(), sign(event_body(), "whsec_another_endpoint", NOW)),
        (event_body(), sign(event_body(), SECRET, NOW - timedelta(seconds=301))),
        (event_body(), sign(event_body(), SECRET, NOW + timedelta(seconds=301))),
        (event_body() + b" ", sign(event_body(), SECRET, NOW)),
        (b"", None),
        (b"[]", None),
        (b"{}", None),
        (b"not json", None),
        (b"\xff", None),
    ],
)
def test_it_gives_one_answer_to_all_that_it_refuses(body: bytes, signature: str | None) -> None:
    """Whatever is wrong, the sender learns nothing from the answer, and nothing is stored."""
    inbox = FakeInbox()

    with webhook(inbox) as client:
        response = post(client, body, signature)

    assert (response.status_code, response.json()) == (400, REFUSAL)
    assert inbox.ids == set()


def test_it_refuses_a_request_with_two_signature_headers() -> None:
    """Which of two headers a proxy or a library looks at is not left to chance."""
    inbox = FakeInbox()
    good = ("Stripe-Signature", sign(event_body(), SECRET, NOW))

    with webhook(inbox) as client:
        response = client.post(STRIPE_PATH, content=event_body(), headers=[good, good])

    assert response.status_code == 400
    assert inbox.ids == set()


def test_it_verifies_before_it_parses() -> None:
    """An unsigned body that is no JSON is refused for its signature: nobody looked at the rest."""
    with structlog.testing.capture_logs() as logs, webhook(FakeInbox()) as client:
        post(client, b"not json", "t=1,v1=0")

    assert [line["reason"] for line in lines(logs)] == ["signature_mismatch"]


@pytest.mark.parametrize("secrets", [(), ("",), (SECRET, "  ")])
def test_it_is_not_built_with_secrets_that_protect_nothing(secrets: tuple[str, ...]) -> None:
    """A webhook without a real secret would accept anyone's events, so there is none."""
    with pytest.raises(ValueError, match="secret"):
        create_app(FakeInbox(), WebhookSettings(secrets=secrets))


def test_it_refuses_a_body_that_is_too_large() -> None:
    """The limit is a setting, and a body of exactly that size is still read."""
    body = event_body()

    with webhook(FakeInbox(), max_body_bytes=len(body)) as client:
        answers = [post(client, body).status_code, post(client, body + b" ").status_code]

    assert answers == [200, 413]


def test_it_asks_stripe_to_come_again_when_storage_is_away() -> None:
    """An event that could not be stored is never acknowledged, and is taken the next time."""
    inbox = FakeInbox(is_away=True)

    with webhook(inbox) as client:
        while_away = post(client, event_body())
        inbox.is_away = False
        afterwards = post(client, event_body())

    assert (while_away.status_code, while_away.json()) == (503, LATER)
    assert while_away.headers["retry-after"] == "10"
    assert afterwards.status_code == 200


def test_it_does_not_wait_for_slow_storage() -> None:
    """Stripe gets an answer within the time for storing, even if storing is not finished."""
    with webhook(FakeInbox(pause_s=1.0), storage_timeout_s=0.1) as client:
        started_s = time.monotonic()
        response = post(client, event_body())
        waited_s = time.monotonic() - started_s

    assert (response.status_code, response.json()) == (503, LATER)
    assert waited_s < 0.9


def test_it_keeps_the_place_of_a_call_that_it_no_longer_waits_for() -> None:
    """Storage that hangs holds one thread, however many requests come."""
    inbox = FakeInbox(pause_s=0.4)

    with webhook(inbox, storage_timeout_s=0.1) as client, ThreadPoolExecutor(6) as pool:
        jobs = [pool.submit(post, client, event_body(f"evt_{n}")) for n in range(6)]
        answers = {job.result().status_code for job in jobs}
        afterwards = post(client, event_body("evt_late")).status_code

    assert answers == {503}
    assert afterwards == 503
    assert inbox.most_at_once == 1


def test_it_serves_again_once_storage_is_quick_again() -> None:
    """The places that slow calls held are free after them."""
    inbox = FakeInbox(pause_s=0.2)

    with webhook(inbox, storage_timeout_s=0.1) as client:
        before = post(client, event_body("evt_1")).status_code
        inbox.pause_s = 0.0
        time.sleep(0.3)
        after = post(client, event_body("evt_2")).status_code

    assert (before, after) == (503, 200)


def test_it_hides_what_went_wrong_inside() -> None:
    """An error that nobody foresaw is 500 without its text for Stripe, and in our log with its traceback."""
    with structlog.testing.capture_logs() as logs, webhook(FakeInbox(is_broken=True)) as client:
        response = post(client, event_body())

    (failure,) = lines(logs, "webhook.failed")
    assert (response.status_code, response.json()) == (500, LATER)
    assert failure["exc_info"]
    assert [line["outcome"] for line in lines(logs)] == ["failed"]


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", STRIPE_PATH, 405),
        ("HEAD", STRIPE_PATH, 405),
        ("PUT", STRIPE_PATH, 405),
        ("DELETE", STRIPE_PATH, 405),
        ("OPTIONS", STRIPE_PATH, 405),
        ("POST", STRIPE_PATH + "/", 404),
        ("POST", "/api/webhooks", 404),
        ("POST", "/" + STRIPE_PATH, 404),
        ("POST", "/healthz", 405),
    ],
)
def test_it_never_redirects(method: str, path: str, expected: int) -> None:
    """Stripe counts a redirect as a failure, so a wrong method or path is plainly wrong."""
    inbox = FakeInbox()
    headers = {"Stripe-Signature": sign(b"", SECRET, NOW)}

    with webhook(inbox) as client:
        response = client.request(method, f"http://testserver{path}", headers=headers)

    assert response.status_code == expected
    assert inbox.ids == set()


def test_it_writes_one_line_for_a_request() -> None:
    """The line tells what became of which event, and holds nothing else of the request."""
    with structlog.testing.capture_logs() as logs, webhook(FakeInbox()) as client:
        post(client, event_body("evt_7"))

    (line,) = logs
    assert line.pop("duration_ms") >= 0
    assert line == {
        "event": "webhook.received",
        "log_level": "info",
        "outcome": "stored",
        "reason": "",
        "event_id": "evt_7",
        "event_type": "payment_intent.succeeded",
        "status": 200,
    }


@pytest.mark.parametrize(
    ("inbox", "outcome", "reason", "level"),
    [
        (FakeInbox(is_away=True), "not_stored", "storage_unavailable", "error"),
        (FakeInbox(pause_s=0.3), "not_stored", "storage_too_slow", "error"),
        (FakeInbox(), "stored", "", "info"),
    ],
)
def test_it_logs_at_the_level_of_whose_fault_it_is(
    inbox: FakeInbox, outcome: str, reason: str, level: str
) -> None:
    """What our side could not do is an error; what came in is not."""
    with (
        structlog.testing.capture_logs() as logs,
        webhook(inbox, storage_timeout_s=0.1) as client,
    ):
        post(client, event_body())

    (line,) = lines(logs)
    assert (line["outcome"], line["reason"], line["log_level"]) == (outcome, reason, level)


def test_it_counts_good_and_bad_webhooks_and_saves_them_at_the_end() -> None:
    """The counts reach the inbox in one write, with the last reason and both moments."""
    inbox = FakeInbox()

    with webhook(inbox) as client:
        for number in range(3):
            post(client, event_body(f"evt_{number}"))
        for _ in range(50):
            post(client, event_body(), "t=1,v1=0")
        post(client, b"", "")

    assert (inbox.health.good, inbox.health.bad) == (3, 51)
    assert (inbox.health.last_good_at, inbox.health.last_bad_at) == (NOW, NOW)
    assert inbox.health.last_bad_reason == "signature_missing"
    assert inbox.health_saves == 1


def test_it_does_not_blame_the_sender_for_our_faults() -> None:
    """A 503 is neither a good nor a bad webhook."""
    inbox = FakeInbox(is_away=True)

    with webhook(inbox) as client:
        post(client, event_body())
        inbox.is_away = False

    assert (inbox.health.good, inbox.health.bad, inbox.health_saves) == (0, 0, 0)


def test_it_keeps_its_secrets_out_of_its_settings_text() -> None:
    """Settings may end in a log or a traceback."""
    assert SECRET not in repr(WebhookSettings(secrets=(SECRET,)))
