"""Whether the real server, over real sockets, survives what the internet sends, and ends well."""

import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.webhook.real_server import RealServer, answer, post, serving, signed, status
from tests.webhook.signing import SECRET, event_body, sign

FIFTY_MB = 50_000_000
GOOD = event_body("evt_bad_input")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealServer]:
    """Give one server to all tests of bad input: none of them may hurt the next."""
    with serving(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(autouse=True)
def _nothing_got_in(request: pytest.FixtureRequest) -> Iterator[None]:
    """Check after each test of bad input that it stored nothing, raised nothing, and left a good server."""
    yield
    if "server" not in request.fixturenames:
        return
    server: RealServer = request.getfixturevalue("server")
    before = len(server.stored())
    good = event_body(f"evt_good_{time.monotonic_ns()}")
    assert status(server.ask(post(good, signed(good)))) == 200
    assert len(server.stored()) == before + 1
    assert "evt_bad_input" not in server.stored()
    assert b"Traceback" not in server.output.read_bytes()


def with_field(json_value: str) -> bytes:
    """Return an event that would be good without its last field."""
    return GOOD.rstrip(b"}\n ") + f', "extra": {json_value}}}'.encode("utf-8", "surrogatepass")


def signature(age_s: int = 0, secret: str = SECRET) -> str:
    """Return the header for GOOD, signed some time ago."""
    return f"Stripe-Signature: {sign(GOOD, secret, datetime.now(UTC) - timedelta(seconds=age_s))}"


def test_it_accepts_a_good_event(server: RealServer) -> None:
    """The server of these tests does accept what is good, in one piece or in chunks."""
    body = with_field("1").replace(b"evt_bad_input", b"evt_whole")
    chunked = body.replace(b"evt_whole", b"evt_pieces")
    head = post(b"", signed(chunked), "Transfer-Encoding: chunked").replace(
        b"Content-Length: 0\r\n", b""
    )
    pieces = b"".join(b"%x\r\n%b\r\n" % (1, chunked[i : i + 1]) for i in range(len(chunked)))

    assert status(server.ask(post(body, signed(body)))) == 200
    assert status(server.ask(head + pieces + b"0\r\n\r\n")) == 200
    assert {"evt_whole", "evt_pieces"} <= set(server.stored())


def test_it_accepts_a_large_event(server: RealServer) -> None:
    """The limit for the head of a request says nothing about its body, even if both come at once."""
    body = with_field(f'"{"x" * 200_000}"').replace(b"evt_bad_input", b"evt_large")

    assert status(server.ask(post(body, signed(body)))) == 200
    assert "evt_large" in server.stored()


# Each is made when its test runs: a header that was signed when the tests were collected has another age by then.
BAD_HEADERS: dict[str, Callable[[], list[str]]] = {
    "unsigned": list,
    "empty": lambda: ["Stripe-Signature:"],
    "garbage": lambda: ["Stripe-Signature: garbage"],
    "of another secret": lambda: [signature(secret="whsec_another")],
    "of an empty secret": lambda: [signature(secret="")],
    "stale": lambda: [signature(age_s=400)],
    "from the future": lambda: [signature(age_s=-400)],
    "repeated": lambda: [signature(), signature()],
    "repeated with garbage": lambda: [signature(), "Stripe-Signature: garbage"],
    "not in ASCII": lambda: [signature() + ",v1=\xe9"],
    "with many signatures": lambda: [signature() + ",v1=0" * 5_000],
    "many": lambda: [f"X-{n}: {'x' * 1000}" for n in range(60)],
    "with many times": lambda: ["Stripe-Signature: " + "t=1," * 25_000],
}


@pytest.mark.parametrize("kind", BAD_HEADERS)
def test_it_refuses_a_request_with_bad_headers(server: RealServer, kind: str) -> None:
    """Unsigned, wrongly signed, stale, future, repeated and oversized headers are all refused alike."""
    received = server.ask(post(GOOD, *BAD_HEADERS[kind]()))

    assert status(received) == 400
    assert b"Traceback" not in received


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"\xef\xbb\xbf" + GOOD,
        b"[]",
        b"null",
        b"{}",
        b'"text"',
        b"[" * 20_000,
        with_field("[" * 20_000 + "]" * 20_000),
        with_field('{"a":' * 20_000 + "1" + "}" * 20_000),
        with_field("9" * 5_000),
        with_field("NaN"),
        with_field("-Infinity"),
        with_field(r'"\u0000"'),
        with_field('"\x00"'),
        with_field(r'"\ud800"'),
        with_field('"\ud800"'),
        GOOD[:-10],
        GOOD.replace(b'"type"', b'"kind"'),
    ],
    ids=lambda body: repr(body[:5] + body[-12:]),
)
def test_it_refuses_a_signed_body_that_is_no_event(server: RealServer, body: bytes) -> None:
    """Even who has the secret can send nothing that breaks the parser or gets into the inbox."""
    received = server.ask(post(body, signed(body)))

    assert status(received) == 400
    assert received.endswith(b'{"error":"not accepted"}')


def test_it_refuses_fifty_megabytes_by_their_announcement(server: RealServer) -> None:
    """A Content-Length above the limit is refused before a byte of the body has come."""
    head = post(b"", signed(b"")).replace(b"Content-Length: 0", b"Content-Length: %d" % FIFTY_MB)

    assert status(server.ask(head)) == 413


def test_it_refuses_fifty_megabytes_while_they_come(server: RealServer) -> None:
    """A body without a length is refused at the limit; the rest is thrown away, not collected."""
    head = post(b"", signed(b""), "Transfer-Encoding: chunked").replace(
        b"Content-Length: 0\r\n", b""
    )
    before_kib = server.memory_kib()

    with server.connect() as connection:
        connection.sendall(head)
        for _ in range(FIFTY_MB // 50_000):
            connection.sendall(b"c350\r\n" + b"x" * 50_000 + b"\r\n")
        connection.sendall(b"0\r\n\r\n")
        received = answer(connection)

    assert status(received) == 413
    assert server.memory_kib() - before_kib < 20_000


@pytest.mark.parametrize("path", ["/api/webhooks/stripe", "/api/webhooks/stripe/", "/nowhere"])
def test_it_does_not_wait_for_a_body_that_trickles(server: RealServer, path: str) -> None:
    """A client that sends byte by byte gets its answer after the time for bodies, or at once."""
    started_s = time.monotonic()

    with server.connect() as connection:
        connection.sendall(post(GOOD, signature(), path=path)[: -len(GOOD)])
        connection.settimeout(0.1)
        received = b""
        for byte in GOOD:
            with suppress(TimeoutError, OSError):
                connection.send(bytes([byte]))
                received = connection.recv(65536)
            if received or time.monotonic() - started_s > 5:
                break

    assert status(received) == (404 if path != "/api/webhooks/stripe" else 408)
    assert time.monotonic() - started_s < 3


def test_it_survives_clients_that_leave(server: RealServer) -> None:
    """A client that goes away in the middle of its body leaves neither an event nor a traceback."""
    for length in (0, 10, len(GOOD) - 1):
        with server.connect() as connection:
            connection.sendall(post(GOOD, signature())[: length - len(GOOD)])


@pytest.mark.parametrize(
    "start",
    [b"", b"POST /api/web", b"POST / HTTP/1.1\r\nHost: a\r\n", b"POST / HTTP/1.1\r\nX-Long: "],
)
def test_it_closes_a_connection_whose_request_does_not_come(
    server: RealServer, start: bytes
) -> None:
    """Who never ends the head of a request can't keep the connection."""
    with server.connect() as connection:
        connection.sendall(start)
        started_s = time.monotonic()
        received = answer(connection)

    assert received == b""
    assert time.monotonic() - started_s < 3


@pytest.mark.parametrize("line", [b"X-Many: 1\r\n", b"x" * 1000])
def test_it_refuses_a_head_without_end(server: RealServer, line: bytes) -> None:
    """Headers are not collected for ever, whether they are many or one that is long."""
    sent_bytes = 0

    with server.connect() as connection, suppress(ConnectionError):
        connection.sendall(b"POST /api/webhooks/stripe HTTP/1.1\r\nX-First: ")
        while sent_bytes < FIFTY_MB:
            connection.sendall(line * 100)
            sent_bytes += len(line) * 100

    assert sent_bytes < FIFTY_MB


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"POST\r\n\r\n",
        b"POST \xff\xfe HTTP/1.1\r\n\r\n",
        b"POST /api/webhooks/stripe HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
        b"POST /api/webhooks/stripe HTTP/1.1\r\nHost: a\r\nContent-Length: "
        + b"9" * 5_000
        + b"\r\n\r\n",
        b"POST /api/webhooks/stripe HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"POST /api/webhooks/stripe HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
)
def test_it_refuses_what_is_no_http(server: RealServer, request_bytes: bytes) -> None:
    """Bytes that are no HTTP, or that could be read in two ways, are answered with 400."""
    assert status(server.ask(request_bytes)) == 400


def test_it_does_not_tell_what_it_is_made_of(server: RealServer) -> None:
    """No answer names the server or its version."""
    received = server.ask(post(GOOD)).lower()

    assert status(received.upper()) == 400
    assert b"server:" not in received
    assert b"uvicorn" not in received


def test_it_answers_what_it_accepted_and_ends_with_zero(tmp_path: Path) -> None:
    """On SIGTERM the request that is being stored gets its 200, new ones find nobody, and the exit code is 0."""
    body = event_body("evt_last")
    with serving(tmp_path, pause_s=0.7) as server, server.connect() as connection:
        connection.sendall(post(body, signed(body)))
        until_ready(server)
        server.process.send_signal(signal.SIGTERM)
        received = answer(connection)
        exit_code = server.process.wait(timeout=10)

        assert status(received) == 200
        assert server.stored() == ["evt_last"]
        assert exit_code == 0
        assert b"Traceback" not in server.output.read_bytes()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", server.port))


@pytest.mark.parametrize("request_bytes", [b"", b"GET /healthz HTTP/1.1\r\n\r\n"])
def test_it_does_not_wait_for_idle_connections_at_the_end(
    tmp_path: Path, request_bytes: bytes
) -> None:
    """Open connections without a request don't delay the end."""
    with serving(tmp_path) as server, server.connect() as connection:
        until_ready(server)
        connection.sendall(request_bytes)
        time.sleep(0.2)
        server.process.send_signal(signal.SIGTERM)

        assert server.process.wait(timeout=3) == 0


def until_ready(server: RealServer) -> None:
    """Wait until the process answers; before that, a signal finds no program of ours yet."""
    assert status(server.ask(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")) == 200
