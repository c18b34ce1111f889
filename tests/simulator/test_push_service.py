"""Does the played push service refuse what real ones refuse, and read only what was sealed for the browser?"""

import http.client
import json
import time
from collections.abc import Iterator
from typing import Any

import http_ece
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from reconciler.simulator.browser import Browser, Unreadable, new_browser, written
from reconciler.simulator.push_service import PushService, answer

HOST = "fcm.googleapis.com"
KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = written(KEY.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))


@pytest.fixture
def service() -> Iterator[PushService]:
    """Give a push service."""
    with PushService() as service:
        yield service


def _signed(
    claims: dict[str, Any], key: ec.EllipticCurvePrivateKey = KEY, alg: str = "ES256"
) -> str:
    parts = [written(json.dumps(each).encode()) for each in ({"alg": alg}, claims)]
    r, s = decode_dss_signature(key.sign(".".join(parts).encode(), ec.ECDSA(SHA256())))
    return ".".join([*parts, written(r.to_bytes(32) + s.to_bytes(32))])


def _claims(**change: object) -> dict[str, Any]:
    good = {"aud": f"https://{HOST}", "exp": int(time.time()) + 3600, "sub": "mailto:a@example.com"}
    return {**good, **change}


def _sealed(browser: Browser, text: bytes = b"hello") -> bytes:
    point = browser.private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    mine = ec.generate_private_key(ec.SECP256R1())
    body: bytes = http_ece.encrypt(
        text, private_key=mine, dh=point, auth_secret=browser.secret, version="aes128gcm"
    )
    return body


def _post(service: PushService, browser: Browser, body: bytes, **change: str | None) -> int:
    headers = {
        "Host": browser.host,
        "Authorization": f"vapid t={_signed(_claims())},k={PUBLIC}",
        "TTL": "60",
        "Content-Encoding": "aes128gcm",
        **{name.replace("_", "-"): value for name, value in change.items()},
    }
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=5)
    given = {name: value for name, value in headers.items() if value is not None}
    connection.request("POST", browser.path, body=body, headers=given)
    status = connection.getresponse().status
    connection.close()
    return status


def test_it_takes_and_reads_a_good_message(service: PushService) -> None:
    """What another implementation sealed is read, and the claims are those that were signed."""
    browser = service.new_subscription(HOST, server_key=PUBLIC)

    status = _post(service, browser, _sealed(browser), Topic="t", Urgency="low")

    [arrival] = service.arrived
    assert (status, arrival.clear, arrival.topic, arrival.urgency) == (201, b"hello", "t", "low")
    assert (arrival.claims.subject, arrival.claims.key) == ("mailto:a@example.com", PUBLIC)


def _token(*, key: ec.EllipticCurvePrivateKey = KEY, alg: str = "ES256", **change: object) -> str:
    return f"vapid t={_signed(_claims(**change), key, alg)},k={PUBLIC}"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"Authorization": None}, 401),
        ({"Authorization": "Bearer x"}, 403),
        ({"Authorization": f"vapid t=a.b.c,k={PUBLIC}"}, 403),
        ({"Authorization": _token(aud="https://web.push.apple.com")}, 403),
        ({"Authorization": _token(exp=int(time.time()) - 1)}, 403),
        ({"Authorization": _token(exp=int(time.time()) + 7 * 86_400)}, 403),
        ({"Authorization": _token(exp="soon")}, 403),
        ({"Authorization": _token(sub="a@example.com")}, 403),
        ({"Authorization": _token(sub=None)}, 403),
        ({"Authorization": _token(alg="none")}, 403),
        ({"Authorization": _token(key=ec.generate_private_key(ec.SECP256R1()))}, 403),
        ({"TTL": None}, 400),
        ({"TTL": "-1"}, 400),
        ({"Urgency": "urgent"}, 400),
        ({"Topic": "a" * 33}, 400),
        ({"Topic": "a.b"}, 400),
        ({"Content_Encoding": "aesgcm"}, 400),
    ],
)
def test_it_refuses_what_real_ones_refuse(
    service: PushService, change: dict[str, str | None], status: int
) -> None:
    """A token or a head that is not right is refused, and nothing arrives."""
    browser = service.new_subscription(HOST)

    assert _post(service, browser, _sealed(browser), **change) == status
    assert service.arrived == []


def test_it_refuses_another_app_and_a_browser_that_it_does_not_know(service: PushService) -> None:
    """Only the app that a browser subscribed to may send, and only to browsers that are there."""
    browser, stranger = service.new_subscription(HOST, server_key="another"), new_browser(HOST)

    assert _post(service, browser, _sealed(browser)) == 403
    assert _post(service, stranger, _sealed(stranger)) == 404


def test_it_takes_no_more_than_4096_bytes(service: PushService) -> None:
    """A body of 4,097 bytes is too large."""
    browser = service.new_subscription(HOST)

    assert _post(service, browser, _sealed(browser, b"x" * 3993)) == 201
    assert _post(service, browser, _sealed(browser, b"x" * 3994)) == 413


def test_it_gives_a_browser_that_was_away_the_last_of_each_topic(service: PushService) -> None:
    """Of one topic only the last message waits; those without one all do."""
    browser, other = (service.new_subscription(HOST) for _ in range(2))
    for text, topic in ((b"1", "a"), (b"2", "b"), (b"3", "a"), (b"4", None), (b"5", None)):
        _post(service, browser, _sealed(browser, text), Topic=topic)
        _post(service, other, _sealed(other, b"x"), Topic="a")

    assert [each.clear for each in service.waiting(browser)] == [b"2", b"3", b"4", b"5"]


def test_it_answers_as_it_is_told(service: PushService) -> None:
    """An answer may be told for one browser or for a host, and taken back."""
    one, other = (service.new_subscription(HOST) for _ in range(2))
    service.play(HOST, answer(503))
    service.play(one, answer(410))
    told = [_post(service, each, _sealed(each)) for each in (one, other)]
    service.play(HOST, None)
    service.play(one, None)

    assert told == [410, 503]
    assert [_post(service, each, _sealed(each)) for each in (one, other)] == [201, 201]


def test_it_reads_nothing_that_is_for_another_browser(service: PushService) -> None:
    """A message that a browser can't read is taken, as by a real push service, and its text is not known."""
    browser, other = service.new_subscription(HOST), new_browser(HOST)
    sealed = _sealed(browser)
    bad = [
        _sealed(other),
        sealed[:-1],
        sealed[:-1] + bytes([sealed[-1] ^ 1]),
        bytes([sealed[0] ^ 1]) + sealed[1:],
        sealed[:21] + b"\4" + b"\1" * 64 + sealed[86:],
        sealed[:50],
        b"",
    ]

    for each in bad:
        with pytest.raises(Unreadable):
            browser.read(each)
    assert _post(service, browser, bad[0]) == 201
    assert [each.clear for each in service.arrived] == [None]
