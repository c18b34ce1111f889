"""Does a message reach the browser it is meant for, and is every answer of a push service understood?"""

import json
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime

import pytest

from reconciler.push.keys import new_key
from reconciler.push.sending import PAYLOAD_MAX_BYTES, Answer, Message, Sender, Subscription
from reconciler.simulator.browser import new_browser
from reconciler.simulator.push_service import PushService, answer, broken
from tests.push.hostile import ALLOWED
from tests.push.listening import HOST, KEY, NOW, SUBJECT, Listener, message, of, sender

APPLE = "web.push.apple.com"
GOOD = b"HTTP/1.1 201 Created\r\n"


@pytest.fixture
def service() -> Iterator[PushService]:
    """Give a push service that stands in for all."""
    with PushService() as service:
        yield service


def test_it_sends_what_only_this_browser_reads(service: PushService) -> None:
    """The text arrives as it was, with all that a push service needs, by a decoder that is not the sender's."""
    browser = service.new_subscription(HOST, server_key=KEY.public)
    text = '{"title":"Facture n° 7 payée — 1 234,50 €"}'.encode()
    said = Message(payload=text, ttl_s=3600, urgency="high", topic="a-_0" * 8)

    sent = sender(relay=service.base_url).send(of(browser), said, NOW)

    [arrival] = service.arrived
    assert (sent.answer, sent.status) == (Answer.ACCEPTED, 201)
    assert (arrival.browser, arrival.clear) == (browser, text)
    assert (arrival.ttl_s, arrival.urgency, arrival.topic) == (3600, "high", "a-_0" * 8)
    assert arrival.headers["content-type"] == "application/octet-stream"
    assert text not in str(arrival.headers).encode()


def test_it_makes_new_claims_for_each_push_service(service: PushService) -> None:
    """A token is good for one push service, for half a day, and says who answers for it."""
    sending = sender(relay=service.base_url)
    for host in (HOST, APPLE, HOST):
        browser = service.new_subscription(host, server_key=KEY.public)
        assert sending.send(of(browser), message(), NOW).answer is Answer.ACCEPTED

    claims = [each.claims for each in service.arrived]
    assert [each.audience for each in claims] == [f"https://{each}" for each in (HOST, APPLE, HOST)]
    assert {each.expires_s for each in claims} == {int((NOW + timedelta(hours=12)).timestamp())}
    assert {(each.subject, each.key) for each in claims} == {(SUBJECT, KEY.public)}


@pytest.mark.parametrize(
    ("status", "meant"),
    [
        *[(status, Answer.ACCEPTED) for status in (200, 201, 202, 204)],
        *[(status, Answer.GONE) for status in (404, 410)],
        (413, Answer.TOO_LARGE),
        *[(status, Answer.REFUSED) for status in (400, 401, 403)],
        *[(status, Answer.LATER) for status in (300, 304, 402, 405, 406, 408, 409, 415, 418, 429)],
        *[(status, Answer.LATER) for status in (500, 501, 502, 503, 504, 599, 999)],
    ],
)
def test_it_understands_every_status(service: PushService, status: int, meant: Answer) -> None:
    """Only 404 and 410 end a subscription, and only what is our fault stops us."""
    browser = service.new_subscription(HOST)
    service.play(browser, answer(status))

    sent = sender(relay=service.base_url).send(of(browser), message(), NOW)

    assert (sent.answer, sent.status) == (meant, status)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        ("999999999", 86_400),
        ("9" * 5000, None),
        ("-1", None),
        ("1.5", None),
        ("soon", None),
        ("", None),
        ("٣", None),
        (format_datetime(NOW + timedelta(seconds=90), usegmt=True), 90),
        (format_datetime(NOW - timedelta(days=1), usegmt=True), 0),
        (format_datetime(NOW + timedelta(days=400), usegmt=True), 86_400),
        ("Wed, 99 Nov 2026 99:99:99 GMT", None),
        ("Wed, 25 Nov 2026 12:00:00 -0000", None),
    ],
    ids=[
        "now", "seconds", "years", "endless", "negative", "fraction", "word", "nothing", "foreign digit",
        "date", "past", "far date", "no date", "no zone",
    ],
)  # fmt: skip
def test_it_waits_as_long_as_it_is_asked_to(
    service: PushService, said: str, seconds: int | None
) -> None:
    """Retry-After is seconds or a date; what is neither is no wish, and none lasts longer than a day."""
    browser = service.new_subscription(HOST)
    service.play(browser, answer(503, retry_after=said.encode().decode("latin-1")))

    sent = sender(relay=service.base_url).send(of(browser), message(), NOW)

    assert (sent.answer, sent.status) == (Answer.LATER, 503)
    assert (
        sent.retry_after_s is None
        if seconds is None
        else sent.retry_after_s in {seconds - 1, seconds}
    )


@pytest.mark.parametrize(
    "played",
    [
        broken(answer(503), stall_s=30),
        replace(answer(503), body=b"x" * 1000, drip_s=0.05),
    ],
    ids=["hang", "drip"],
)
def test_it_ends_within_its_time(service: PushService, played: object) -> None:
    """A push service that hangs or drips holds a lane for the total time at most."""
    browser = service.new_subscription(HOST)
    service.play(browser, played)  # type: ignore[arg-type]
    began_s = time.monotonic()

    sent = sender(relay=service.base_url, timeout_s=0.3).send(of(browser), message(), NOW)

    assert sent.answer is Answer.LATER
    # Each of them would go on for half a minute and longer.
    assert time.monotonic() - began_s < 10


def test_it_ends_within_its_time_when_the_head_drips() -> None:
    """An answer of which a byte comes every now and then, for a minute, is none when the total time is over."""
    with Listener(b"HTTP/1.1 201 Created\r\nA: " + b"x" * 20, drip_s=0.1) as listener:
        sending = sender(relay=f"http://127.0.0.1:{listener.port}", timeout_s=0.35)
        sent = sending.send(of(new_browser(HOST)), message(), NOW)

        assert (sent.answer, sent.reason) == (Answer.LATER, "no answer in time")


@pytest.mark.parametrize(("size", "connections"), [(63 * 1024, 1), (64 * 1024, 2)])
def test_it_reads_no_more_than_64_kib_of_an_answer(
    service: PushService, size: int, connections: int
) -> None:
    """What is larger than that, its head included, is left unread with its connection."""
    sending = sender(relay=service.base_url)
    browser = service.new_subscription(HOST)
    service.play(browser, replace(answer(201), body=b"x" * size))

    sent = [sending.send(of(browser), message(), NOW) for _ in range(2)]

    assert {each.answer for each in sent} == {Answer.ACCEPTED}
    assert service.connections == connections


@pytest.mark.parametrize(
    ("says", "status"),
    [
        (b"", None),
        (b"\0" * 100, None),
        (b"220 smtp.example ESMTP\r\n", None),
        (b"HTTP/1.1 abc\r\n\r\n", None),
        (b"HTTP/1.1 20", None),
        (GOOD + b"A: " + b"x" * 70_000, None),
        (GOOD + b"A: b\r\n" * 200 + b"\r\n", None),
        (GOOD + (b"A: " + b"x" * 1000 + b"\r\n") * 70 + b"\r\n", None),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 3000 + GOOD + b"Content-Length: 0\r\n\r\n", None),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 3, None),
        (GOOD + b"Content-Length: 100\r\n\r\ncut", 201),
        (GOOD + b"Content-Length: -5\r\n\r\n", 201),
        (GOOD + b"Content-Length: 99999999\r\n\r\n" + b"x" * 200_000, 201),
        (GOOD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", 201),
        (GOOD + b"\r\n", 201),
    ],
    ids=[
        "silence", "zeros", "smtp", "no number", "half a line", "long line", "many lines", "long head", "many continues", "only continues",
        "cut", "negative length", "huge", "bad chunk", "no length",
    ],
)  # fmt: skip
def test_it_takes_rubbish_for_no_answer(says: bytes, status: int | None) -> None:
    """A head that is none is no answer; after a good one, the rest costs the connection and nothing else."""
    with Listener(says) as listener:
        relay = f"http://127.0.0.1:{listener.port}"
        sending = sender(relay=relay, timeout_s=0.3)
        sent = [sending.send(of(new_browser(HOST)), message(), NOW) for _ in range(2)]

        assert [each.status for each in sent] == [status] * 2
        assert sent[0].answer is (Answer.ACCEPTED if status else Answer.LATER)
        assert listener.connections == 2


def test_it_says_when_nobody_is_there() -> None:
    """A refused connection is no word about the subscription."""
    with Listener() as listener:
        port = listener.port
    sent = sender(relay=f"http://127.0.0.1:{port}").send(of(new_browser(HOST)), message(), NOW)

    assert (sent.answer, sent.reason) == (Answer.LATER, "no connection")


@pytest.mark.parametrize("count", [PAYLOAD_MAX_BYTES, PAYLOAD_MAX_BYTES + 1])
def test_it_keeps_within_what_every_push_service_takes(service: PushService, count: int) -> None:
    """3,993 bytes of text are the 4,096 of a body; one more is not even sent."""
    browser = service.new_subscription(HOST)

    sent = sender(relay=service.base_url).send(of(browser), message(b"x" * count), NOW)

    fits = count == PAYLOAD_MAX_BYTES
    assert sent.answer is (Answer.ACCEPTED if fits else Answer.TOO_LARGE)
    assert service.connections == fits
    lengths = [int(each.headers["content-length"]) for each in service.arrived]
    assert lengths == ([4096] if fits else [])


@pytest.mark.parametrize(
    ("p256dh", "auth"),
    [("", ""), ("AAAA", "AAAA"), ("B" * 87, "A" * 22), ("é", "\0"), ("=" * 88, "=" * 24)],
)
def test_it_sends_nothing_to_a_browser_whose_keys_are_none(
    service: PushService, p256dh: str, auth: str
) -> None:
    """A malformed key is told apart from everything else, and nobody is asked."""
    browser = service.new_subscription(HOST)

    sent = sender(relay=service.base_url).send(
        Subscription(browser.endpoint, p256dh, auth), message(), NOW
    )

    assert (sent.answer, sent.status) == (Answer.BAD_KEY, None)
    assert service.arrived == []


@pytest.mark.parametrize(
    "change",
    [
        {"payload": b""},
        {"ttl_s": -1},
        {"urgency": "urgent"},
        {"urgency": "high\r\nX: 1"},
        {"topic": ""},
        {"topic": "a" * 33},
        {"topic": "a b"},
        {"topic": "a\r\nX: 1"},
    ],
)
def test_it_takes_no_message_that_push_services_refuse(change: dict[str, object]) -> None:
    """A message that can't be sent can't be made."""
    good: dict[str, object] = {"payload": b"x", "ttl_s": 0, "urgency": "low", "topic": "a"}

    with pytest.raises(ValueError, match=r"a message has|urgency is"):
        Message(**{**good, **change})  # type: ignore[arg-type]


@pytest.mark.parametrize("subject", ["", "ops@example.com", "mailto:", "http://example.com"])
def test_it_takes_no_subject_that_push_services_refuse(subject: str) -> None:
    """Whoever answers must be reachable; that is said before anything is sent."""
    with pytest.raises(ValueError, match="must name a mail address"):
        Sender(KEY, subject, ALLOWED)


def test_it_sends_side_by_side(service: PushService) -> None:
    """Many threads share a sender: each message arrives once, at its browser."""
    sending = sender(relay=service.base_url)
    browsers = [service.new_subscription(host) for host in (HOST, APPLE) for _ in range(50)]

    with ThreadPoolExecutor(16) as pool:
        sent = list(
            pool.map(
                lambda each: sending.send(of(each), message(each.path.encode()), NOW), browsers
            )
        )

    assert {each.answer for each in sent} == {Answer.ACCEPTED}
    arrived = sorted((each.browser.path, (each.clear or b"").decode()) for each in service.arrived)
    assert arrived == sorted((each.path, each.path) for each in browsers)


def test_it_keeps_its_connection(service: PushService) -> None:
    """One after the other, messages to one host go through one connection; a service that was away is connected to again."""
    sending = sender(relay=service.base_url)
    browser = service.new_subscription(HOST)
    for _ in range(5):
        sending.send(of(browser), message(), NOW)
    first = service.connections
    with PushService(port=0) as other:
        other.take(browser)
        moved = sender(relay=other.base_url)
        moved.send(of(browser), message(), NOW)

    assert first == 1
    assert moved.send(of(browser), message(), NOW).answer is Answer.LATER


def test_it_opens_another_connection_when_the_kept_one_has_ended(service: PushService) -> None:
    """A connection that the other side closed while it rested loses no message."""
    sending = sender(relay=service.base_url)
    browser = service.new_subscription(HOST)
    before = sending.send(of(browser), message(), NOW)
    service.cut_all()

    after = sending.send(of(browser), message(), NOW)

    assert (before.answer, after.answer) == (Answer.ACCEPTED, Answer.ACCEPTED)
    assert (len(service.arrived), service.connections) == (2, 2)


def test_it_tells_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    """Address, keys and text stand in no representation, reason or log line, whatever happens."""
    caplog.set_level(logging.DEBUG)
    browser = new_browser(HOST)
    key = new_key()
    private = format(key.private.private_numbers().private_value, "x")
    said = message(b"canary-text")
    told = [repr(of(browser)), repr(browser), repr(said), repr(key)]
    with Listener(b"HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n") as listener:
        for relay in (f"http://127.0.0.1:{listener.port}", "http://127.0.0.1:1"):
            sending = sender(key=key, relay=relay)
            told += [repr(sending.send(of(browser), said, NOW)), repr(sending)]
            told.append(
                repr(sending.send(replace(of(browser), endpoint="https://x/canary"), said, NOW))
            )

    everything = json.dumps(told) + caplog.text
    for secret in (browser.path, browser.auth, browser.p256dh, private, "canary"):
        assert secret not in everything
