"""Does a connection go to the address that was checked, and to nothing else?

Everything is real but the internet: sockets, TLS with an authority of the test's own, and the listeners that count.
"""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from reconciler.push.address import EndpointRefused, checked, resolved
from reconciler.push.sending import Answer, Subscription
from reconciler.push.wire import Way, dial_directly
from reconciler.simulator.browser import new_browser
from reconciler.simulator.push_service import PushService, answer
from tests.push.authority import Authority
from tests.push.hostile import ALLOWED, HOSTILE_URLS, NOT_PUBLIC
from tests.push.listening import (
    HOST,
    NOW,
    OTHER_PUBLIC,
    PRIVATE,
    PUBLIC,
    Listener,
    Names,
    Roads,
    message,
    of,
    sender,
    sender_by,
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Give an authority of the test's own."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def service(authority: Authority) -> Iterator[PushService]:
    """Give a push service that shows a certificate for its host."""
    with PushService(tls=authority.server(HOST)) as service:
        yield service


@pytest.fixture
def private() -> Iterator[Listener]:
    """Give what must never be reached."""
    with Listener() as listener:
        yield listener


@pytest.mark.parametrize("url", HOSTILE_URLS)
def test_it_connects_to_no_hostile_address(
    url: str, private: Listener, authority: Authority
) -> None:
    """An address that got into the books all the same is refused once more: nothing is asked, nothing dialled."""
    names, roads = Names([(PRIVATE,)]), Roads({PRIVATE: private.port, PUBLIC: private.port})
    browser = of(new_browser(HOST))

    sent = sender_by(roads, names, authority.client()).send(
        Subscription(url, browser.p256dh, browser.auth), message(), NOW
    )

    assert sent.answer is Answer.BAD_ENDPOINT
    assert (names.asked, roads.dialled, private.connections) == ([], [], 0)


@pytest.mark.parametrize("addresses", NOT_PUBLIC)
def test_it_connects_to_no_address_that_is_not_public(
    addresses: tuple[str, ...], service: PushService, private: Listener, authority: Authority
) -> None:
    """A name that was public when it was saved and is not when it is sent to gets nothing, and stays in the books."""
    names = Names([(PUBLIC,), addresses])
    roads = Roads(dict.fromkeys((*addresses, PRIVATE), private.port))
    browser = service.new_subscription(HOST)

    saved = resolved(checked(browser.endpoint, ALLOWED).host, names)
    sent = sender_by(roads, names, authority.client()).send(of(browser), message(), NOW)

    assert saved == (PUBLIC,)
    assert (sent.answer, sent.status) == (Answer.LATER, None)
    assert (roads.dialled, private.connections) == ([], 0)


def test_it_stays_with_the_checked_address_when_the_name_changes(
    service: PushService, private: Listener, authority: Authority
) -> None:
    """A name that turns private between check and connect changes nothing: it was asked once, and is not asked again."""
    names = Names([(PUBLIC,), (PRIVATE,)])
    roads = Roads({PUBLIC: service.port, PRIVATE: private.port})
    browser = service.new_subscription(HOST)
    sending = sender_by(roads, names, authority.client())

    answers = [sending.send(of(browser), message(), NOW).answer for _ in range(3)]
    sending.close()
    after = sender_by(roads, names, authority.client()).send(of(browser), message(), NOW)

    assert answers == [Answer.ACCEPTED] * 3
    assert after.answer is Answer.LATER
    assert (roads.dialled, names.asked, private.connections) == ([PUBLIC], [HOST] * 2, 0)
    with pytest.raises(EndpointRefused):
        resolved(HOST, names)


def test_it_checks_the_certificate_against_the_name_and_asks_for_it(authority: Authority) -> None:
    """Though the connection goes to an address, TLS is told the host's name, and the certificate must bear it."""
    asked: list[str | None] = []
    tls = authority.server(HOST)
    tls.sni_callback = lambda _socket, name, _context: asked.append(name)
    with PushService(tls=tls) as service:
        roads = Roads({PUBLIC: service.port})
        sending = sender_by(roads, Names([(PUBLIC,)]), authority.client())
        good = sending.send(of(service.new_subscription(HOST)), message(), NOW)
        other = "web.push.apple.com"
        bad = sending.send(of(service.new_subscription(other)), message(), NOW)
        sending.close()

        assert asked == [HOST, other]
        assert good.answer is Answer.ACCEPTED
        assert (bad.answer, bad.reason) == (Answer.LATER, "no TLS with this host's certificate")
        assert len(service.arrived) == 1


def test_it_trusts_no_authority_that_browsers_do_not(service: PushService) -> None:
    """With the authorities of the real sender, ours is a stranger."""
    way = Way(resolve=Names([(PUBLIC,)]), dial=Roads({PUBLIC: service.port}))

    sent = sender(way=way).send(of(service.new_subscription()), message(), NOW)

    assert (sent.answer, service.arrived) == (Answer.LATER, [])


def test_it_tries_the_next_address_when_one_takes_no_connection(
    service: PushService, authority: Authority
) -> None:
    """Of several addresses, all public, the first that takes a connection is used."""
    roads = Roads({OTHER_PUBLIC: service.port})
    sending = sender_by(roads, Names([(PUBLIC, OTHER_PUBLIC)]), authority.client())

    sent = sending.send(of(service.new_subscription()), message(), NOW)
    sending.close()

    assert sent.answer is Answer.ACCEPTED
    assert roads.dialled == [PUBLIC, OTHER_PUBLIC]


V6 = ("2607:f8b0::1", "2607:f8b0::2", "2607:f8b0::3")


def test_it_reaches_the_other_kind_of_address_in_time(
    service: PushService, authority: Authority
) -> None:
    """Where every address of IPv6 leads nowhere, one of IPv4 is tried while there is time for an answer."""
    roads = Roads({PUBLIC: service.port})

    def dial(address: str, timeout_s: float) -> socket.socket:
        if ":" in address:
            roads.dialled.append(address)
            time.sleep(timeout_s)
            raise TimeoutError
        return roads(address, timeout_s)

    way = Way(resolve=Names([(*V6, PUBLIC)]), dial=dial, tls=authority.client())
    sent = sender(way=way, timeout_s=1.0).send(of(service.new_subscription(HOST)), message(), NOW)

    assert sent.answer is Answer.ACCEPTED
    assert roads.dialled == [V6[0], PUBLIC]


@pytest.mark.parametrize(
    ("addresses", "dialled"),
    [
        ((*V6, PUBLIC), [V6[0], PUBLIC, V6[1]]),
        ((PUBLIC, OTHER_PUBLIC, V6[0]), [PUBLIC, V6[0], OTHER_PUBLIC]),
        (V6, list(V6)),
        ((PUBLIC,), [PUBLIC]),
    ],
)
def test_it_tries_few_addresses_and_both_kinds_by_turns(
    authority: Authority, addresses: tuple[str, ...], dialled: list[str]
) -> None:
    """The kind that the resolver prefers comes first, in its order, and three addresses are enough."""
    roads = Roads({})

    sent = sender_by(roads, Names([addresses]), authority.client()).send(
        of(new_browser(HOST)), message(), NOW
    )

    assert (sent.answer, roads.dialled) == (Answer.LATER, dialled)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_it_follows_no_redirect(
    status: int, service: PushService, private: Listener, authority: Authority
) -> None:
    """Wherever a redirect leads, nobody goes there."""
    roads = Roads({PUBLIC: service.port, PRIVATE: private.port})
    browser = service.new_subscription(HOST)
    service.play(browser, answer(status, location=f"http://127.0.0.1:{private.port}/"))

    sent = sender_by(roads, Names([(PUBLIC,)]), authority.client()).send(
        of(browser), message(), NOW
    )

    assert (sent.answer, sent.status) == (Answer.LATER, status)
    assert (roads.dialled, private.connections) == ([PUBLIC], 0)
    assert list(service.refused) == []


PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


def test_it_asks_the_environment_for_no_proxy(
    service: PushService,
    private: Listener,
    authority: Authority,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With every variable of a proxy set, the connection goes straight to the push service."""
    for name in PROXIES:
        monkeypatch.setenv(name, f"http://127.0.0.1:{private.port}")
    monkeypatch.setenv("NO_PROXY", "")
    roads = Roads({PUBLIC: service.port})

    sent = sender_by(roads, Names([(PUBLIC,)]), authority.client()).send(
        of(service.new_subscription()), message(), NOW
    )

    assert sent.answer is Answer.ACCEPTED
    assert private.connections == 0


def test_it_dials_an_address_without_asking_for_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real way connects to the port of HTTPS at the literal address: no resolver stands between check and connect."""
    tried: list[object] = []

    def connect(_socket: object, where: object) -> None:
        tried.append(where)
        raise ConnectionRefusedError

    monkeypatch.setattr("socket.socket.connect", connect)

    with pytest.raises(ConnectionRefusedError):
        dial_directly(PUBLIC, 1.0)
    assert tried == [(PUBLIC, 443)]


def test_it_gives_up_a_handshake_that_does_not_come(authority: Authority) -> None:
    """Who takes a connection and says nothing holds a lane only until the total time is over."""
    with Listener() as silent:
        sending = sender_by(
            Roads({PUBLIC: silent.port}), Names([(PUBLIC,)]), authority.client(), timeout_s=0.2
        )
        began_s = time.monotonic()
        sent = sending.send(of(new_browser(HOST)), message(), NOW)

        assert (sent.answer, sent.reason) == (Answer.LATER, "no answer in time")
        assert silent.connections == 1
        # By itself it would never end.
        assert time.monotonic() - began_s < 2


def test_it_gives_up_a_lookup_that_does_not_end(authority: Authority) -> None:
    """A resolver that hangs is part of the total time."""
    over = threading.Event()
    began_s = time.monotonic()

    def hangs(_host: str) -> tuple[str, ...]:
        over.wait(20)
        return (PUBLIC,)

    roads = Roads({})
    way = Way(resolve=hangs, dial=roads, tls=authority.client())
    patient = sender(way=way, timeout_s=0.2)

    sent = patient.send(of(new_browser(HOST)), message(), NOW)
    over.set()

    assert (sent.answer, roads.dialled) == (Answer.LATER, [])
    # Sooner than a lookup ends that has all of its own time.
    assert time.monotonic() - began_s < 2
