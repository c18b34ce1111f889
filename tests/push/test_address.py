"""Is a stranger's address read as it is meant, and refused wherever it leads elsewhere?"""

import threading
from collections.abc import Iterable

import pytest

from reconciler.push.address import EndpointRefused, Unresolved, checked, is_public, resolved
from tests.push.hostile import ALLOWED, GOOD, HOSTILE_URLS, NOT_PUBLIC


@pytest.mark.parametrize("url", GOOD)
def test_it_takes_what_browsers_give(url: str) -> None:
    """The endpoints of the four vendors are good, with their host in lower case and no port."""
    endpoint = checked(url, ALLOWED)

    assert endpoint.url == f"https://{endpoint.host}{endpoint.path}"
    assert endpoint.host == endpoint.host.lower()
    assert url.endswith(endpoint.path)
    assert endpoint.audience == f"https://{endpoint.host}"


@pytest.mark.parametrize("url", HOSTILE_URLS)
def test_it_refuses_every_address_that_could_lead_elsewhere(url: str) -> None:
    """None of the hostile addresses is an endpoint, and the reason does not quote it."""
    with pytest.raises(EndpointRefused) as refused:
        checked(url, ALLOWED)

    assert not url or url not in str(refused.value)
    assert str(refused.value) == refused.value.reason


def test_it_has_enough_hostile_addresses() -> None:
    """At least 60 addresses are tried at each door."""
    assert len(set(HOSTILE_URLS)) >= 60


@pytest.mark.parametrize("url", GOOD)
def test_it_refuses_every_host_that_is_not_allowed(url: str) -> None:
    """With an empty list nothing is allowed."""
    with pytest.raises(EndpointRefused):
        checked(url, ())


def test_it_shows_no_path() -> None:
    """Whoever knows the path may send: it stands in no representation."""
    assert "secret" not in repr(checked("https://fcm.googleapis.com/secret", ALLOWED))


@pytest.mark.parametrize("answer", NOT_PUBLIC)
def test_it_refuses_a_host_of_which_one_address_is_not_public(answer: tuple[str, ...]) -> None:
    """One address that is private, special or unreadable is enough, wherever it stands."""
    with pytest.raises(EndpointRefused):
        resolved("fcm.googleapis.com", lambda _: answer)


@pytest.mark.parametrize(
    "address",
    [
        "142.250.1.1",
        "1.1.1.1",
        "172.32.0.1",
        "100.128.0.1",
        "2a00:1450:4001::a",
        "64:ff9b::8efa:101",
    ],
)
def test_it_takes_public_addresses(address: str) -> None:
    """Addresses of the internet at large are good, those behind a NAT64 too."""
    assert is_public(address)
    assert resolved("fcm.googleapis.com", lambda _: [address]) == (address,)


def _fails(_host: str) -> Iterable[str]:
    raise OSError("no such name: fcm.googleapis.com")


def _garbles(_host: str) -> Iterable[str]:
    raise UnicodeError("label too long")


@pytest.mark.parametrize("resolve", [_fails, _garbles, lambda _: ()])
def test_it_says_when_dns_does_not_answer(resolve: object) -> None:
    """No answer is no word about the address: it may be asked again."""
    with pytest.raises(Unresolved):
        resolved("fcm.googleapis.com", resolve)  # type: ignore[arg-type]


def test_it_waits_for_dns_only_so_long() -> None:
    """A resolver that hangs is left alone when the time is over, and more than a few are never asked at once."""
    over = threading.Event()

    def hangs(_host: str) -> Iterable[str]:
        over.wait(20)
        return ["142.250.1.1"]

    said = set()
    for _ in range(40):
        with pytest.raises(Unresolved) as unresolved:
            resolved("fcm.googleapis.com", hangs, timeout_s=0.001)
        said.add(str(unresolved.value))
    over.set()
    for each in threading.enumerate():
        if each.name == "lookup":
            each.join(5)

    assert said == {"DNS gave no answer", "too many lookups are under way"}


def test_it_gives_its_place_back_when_no_thread_is_to_be_had(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A machine without a free thread costs those lookups, and none after them."""

    def refuses(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as full:
        full.setattr(threading.Thread, "start", refuses)
        for _ in range(40):
            with pytest.raises(Unresolved):
                resolved("fcm.googleapis.com", lambda _: ["142.250.1.1"])

    assert resolved("fcm.googleapis.com", lambda _: ["142.250.1.1"]) == ("142.250.1.1",)
