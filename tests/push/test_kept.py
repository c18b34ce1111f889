"""Are connections kept for the next message, and never more than a few?"""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from reconciler.push.kept import Connections
from reconciler.push.wire import Way
from reconciler.simulator.push_service import PushService
from tests.push.listening import HOST

AT_ONCE = 12


@pytest.fixture
def service() -> Iterator[PushService]:
    """Give a push service that stands in for all."""
    with PushService() as service:
        yield service


@pytest.fixture
def connections(service: PushService) -> Iterator[Connections]:
    """Give connections to it."""
    made = Connections(Way(relay=service.base_url))
    yield made
    made.close()


def _ask(connections: Connections, host: str) -> None:
    """Send what is no message; it is answered all the same, and its connection is fit for the next one."""
    reply = connections.ask(host, "/x", headers={"Host": host}, body=b"x", timeout_s=10.0)
    assert (reply.status, reply.is_whole) == (401, True)


def test_it_keeps_few_connections_of_one_host(
    service: PushService, connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of twelve that were in use at once eight are kept, so that four of the next twelve are new."""
    all_are_here = threading.Barrier(AT_ONCE)
    monkeypatch.setattr(service, "pause", lambda _: all_are_here.wait(10))

    for _ in range(2):
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(lambda _: _ask(connections, HOST), range(AT_ONCE)))

    assert service.connections == AT_ONCE + 4


def test_it_keeps_few_connections_of_all_hosts(
    service: PushService, connections: Connections
) -> None:
    """However many hosts strangers name, 128 are kept: the one that rests longest goes."""
    hosts = [f"h{number}.push.apple.com" for number in range(129)]
    for host in hosts:
        _ask(connections, host)
    made = service.connections

    _ask(connections, hosts[-1])
    _ask(connections, hosts[1])
    kept = service.connections - made
    _ask(connections, hosts[0])

    assert (made, kept, service.connections - made) == (129, 0, 1)
