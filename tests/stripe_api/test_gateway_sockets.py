"""Whether the gateway outlives every way in which a real connection fails."""

import socket
import time

import pytest

from reconciler.stripe_api.problems import ProblemKind, StripeProblem
from tests.stripe_api.answering import DATE, DATE_MS, loopback, reach


def wire(body: bytes, length: int | None = None) -> bytes:
    """Return an answer as it goes over a socket; `length` may promise more than there is."""
    promised = len(body) if length is None else length
    head = f"Date: {DATE}\r\nrequest-id: req_9\r\nContent-Length: {promised}\r\nConnection: close"
    return f"HTTP/1.1 200 OK\r\n{head}\r\n\r\n".encode() + body


def test_it_is_answered_over_a_real_socket() -> None:
    """The real transport brings the same body, time and id as the fake one."""
    with loopback(wire(b'{"id": "x"}')) as (base, asked):
        answer = reach(base).ask("/v1/events", {"limit": 1})

    assert (answer.body, answer.date_ms, answer.request_id) == (b'{"id": "x"}', DATE_MS, "req_9")
    assert asked[0].startswith(b"GET /v1/events?limit=1 HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("answer", "tries"),
    [
        pytest.param(wire(b'{"id": ', 1000), 4, id="a body that is cut"),
        pytest.param(b"", 4, id="a connection that is closed"),
        pytest.param(b"hello\r\n\r\n", 4, id="no HTTP"),
        pytest.param(None, 4, id="silence"),
    ],
)
def test_it_outlives_every_way_in_which_a_connection_fails(
    answer: bytes | None, tries: int
) -> None:
    """Each is tried again, and then it is one problem: Stripe gives no answer."""
    with loopback(answer) as (base, asked):
        with pytest.raises(StripeProblem) as raised:
            reach(base, read_timeout_s=0.05).ask("/v1/events")

        assert (raised.value.kind, len(asked)) == (ProblemKind.UNAVAILABLE, tries)


HEAD = f"HTTP/1.1 200 OK\r\nDate: {DATE}\r\n".encode()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 200", id="its first line"),
        pytest.param(HEAD + b"X-Header: ", id="its headers"),
        pytest.param(wire(b'{"id": ', 10**6), id="its body"),
        pytest.param(HEAD + b"Connection: close\r\n\r\n{}", id="a body without a length"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1", id="the length of a piece"),
    ],
)
def test_it_does_not_wait_for_the_end_of_an_answer_that_drips(answer: bytes) -> None:
    """A byte that comes now and then, and never the last, is no answer: no silence in it is ever long enough."""
    with loopback(answer, drip_s=0.01) as (base, asked):
        began_s = time.monotonic()
        with pytest.raises(StripeProblem) as raised:
            reach(base, read_timeout_s=0.05, monotonic=time.monotonic).ask("/v1/events", tries=1)

        assert (raised.value.kind, len(asked)) == (ProblemKind.UNAVAILABLE, 1)
    assert time.monotonic() - began_s < 5


def test_it_outlives_a_door_that_nobody_opens() -> None:
    """A refused connection is the same problem."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

    with pytest.raises(StripeProblem) as raised:
        reach(f"http://127.0.0.1:{port}").ask("/v1/events")

    assert raised.value.kind is ProblemKind.UNAVAILABLE
