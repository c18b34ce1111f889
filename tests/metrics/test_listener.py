"""Does the listener answer whoever asks, only where it is told to, and whatever happens behind it or before it?"""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from reconciler import metrics
from reconciler.metrics import OF_DAEMON, OF_SERVE, Values, listening
from reconciler.metrics.listener import ThisProcess
from tests.metrics.scraping import counted, scrape


def _reads(port: int, host: str = "127.0.0.1") -> bytes:
    with socket.create_connection((host, port), timeout=10) as line:
        line.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        return b"".join(iter(lambda: line.recv(65536), b""))


def test_it_tells_what_runs_and_what_it_uses() -> None:
    """Version, memory and start of the process are told, and no figure of when a counter was made."""
    told = counted(OF_SERVE)

    [build] = [dict(labels) for name, labels in told.samples if name == "reconciler_build_info"]
    assert set(build) == {"version", "python"}
    assert (told.value("process_resident_memory_bytes") or 0) > 1e6
    assert not [name for name, _ in told.samples if name.endswith("_created")]


def test_it_tells_what_it_uses_where_only_processes_are_to_be_seen(tmp_path: Path) -> None:
    """A service whose /proc shows processes and nothing else (`ProcSubset=pid`) tells the same of itself."""
    (tmp_path / "self").symlink_to("/proc/self")

    hardened, usual = ThisProcess(str(tmp_path)), ThisProcess()

    names = [each.name for each in hardened.collect()]
    assert names == [each.name for each in usual.collect()]
    assert {"process_resident_memory_bytes", "process_open_fds"} <= set(names)
    [start] = [each.samples[0].value for each in hardened.collect() if "start_time" in each.name]
    assert 0 <= time.time() - start < 86_400


def test_it_tells_nothing_of_a_process_that_is_not_to_be_seen(tmp_path: Path) -> None:
    """Where there is no /proc at all, the other figures are told."""
    assert list(ThisProcess(str(tmp_path)).collect()) == []


def test_it_tells_each_program_only_its_own_figures() -> None:
    """What the webhook counts is not told by the daemon as if nothing had come, nor the other way round."""
    serve, daemon = counted(OF_SERVE).text, counted(OF_DAEMON).text

    assert "reconciler_webhooks_total" in serve
    assert "reconciler_stripe_requests" not in serve
    assert "reconciler_webhook" not in daemon


def test_it_listens_at_one_address_and_until_the_end() -> None:
    """Another address of this machine is not answered at, nor is the same one afterwards."""
    with listening("127.0.0.1", 0, OF_SERVE) as port:
        assert b"200 OK" in _reads(port)
        with pytest.raises(ConnectionRefusedError):
            _reads(port, host="127.0.0.2")

    with pytest.raises(ConnectionRefusedError):
        _reads(port)


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


@pytest.mark.skipif(not _has_ipv6(), reason="this machine has no IPv6")
def test_it_listens_on_ipv6() -> None:
    """An address with colons is one of IPv6."""
    with listening("::1", 0, OF_SERVE) as port:
        assert b"200 OK" in _reads(port, host="::1")


def test_it_does_not_share_an_address() -> None:
    """A port that somebody listens on is refused, whoever that is."""
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        with pytest.raises(OSError, match="in use"), listening("127.0.0.1", port, OF_SERVE):
            pass


def test_it_can_be_opened_again_in_one_process() -> None:
    """Figures belong to no listener: two at a time, or one after the other, tell the same."""
    with listening("127.0.0.1", 0, OF_SERVE) as one, listening("127.0.0.1", 0, OF_SERVE) as two:
        names = [{name for name, _ in scrape(port).samples} for port in (one, two)]

    assert names[0] == names[1]


def test_it_tells_the_rest_when_the_gauges_fail() -> None:
    """An error behind the gauges leaves the other figures as they are, and its words to the log."""

    def read() -> Values:
        raise RuntimeError("canary")

    with capture_logs() as lines, listening("127.0.0.1", 0, OF_DAEMON, read) as port:
        told = scrape(port)

    assert told.value("reconciler_database_up") is None
    assert told.value("process_start_time_seconds") is not None
    assert "canary" not in told.text
    assert "metrics.not_read" in [line["event"] for line in lines]


def test_it_gives_gauges_their_labels() -> None:
    """A figure of several labels is told under them, one without any under its name alone."""

    def read() -> Values:
        return {
            metrics.DATABASE_UP: {(): 1.0},
            metrics.SWEEP_LAG: {("open",): 2.5, ("money",): 7.0},
        }

    with listening("127.0.0.1", 0, OF_DAEMON, read) as port:
        told = scrape(port)

    assert told.value("reconciler_database_up") == 1
    assert told.under("reconciler_sweep_lag_seconds", "sweep") == {"open": 2.5, "money": 7.0}
    assert told.value("reconciler_daemon_leads") is None


@pytest.fixture
def port() -> Iterator[int]:
    """Give the port of a listener."""
    with listening("127.0.0.1", 0, OF_SERVE) as opened:
        yield opened


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_it_is_not_taken_up_by_those_who_never_ask(port: int) -> None:
    """However many connect and say nothing, few are kept; when they have gone, Prometheus is answered again."""
    before = _open_files()
    with ExitStack() as crowd:
        for _ in range(50):
            crowd.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
        # One that is refused is closed at once; the last of the queue shows that all were looked at.
        last = crowd.enter_context(socket.create_connection(("127.0.0.1", port), timeout=10))
        assert last.recv(1) == b""
        _until(lambda: _open_files() - before - 51 <= 8)
        kept = _open_files() - before - 51

    assert kept <= 8
    _until_answered(port)


def _until_answered(port: int) -> None:
    for _ in range(1000):
        try:
            if b"200 OK" in _reads(port):
                return
        except ConnectionError:
            continue
    pytest.fail("nobody is answered any more")


@pytest.mark.parametrize(
    ("said", "resets"),
    [
        (b"", False), (b"GET", False), (b"\r\n", False), (b"x" * 70_000, False),
        (b"\x00\xff\r\n\r\n", False), (b"POST /metrics HTTP/1.0\r\n\r\n", False),
        (b"", True), (b"GET", True), (b"x" * 60_000, True),
    ],
)  # fmt: skip
def test_it_outlives_whatever_is_said_to_it(
    said: bytes, resets: bool, port: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """Who goes away early, politely or not, or speaks no HTTP stops nothing, and leaves no traceback on standard error."""
    before = threading.active_count()
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        line.sendall(said)
        if resets:
            _until(lambda: threading.active_count() > before)
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    _until(lambda: threading.active_count() == before)

    assert b"200 OK" in _reads(port)
    assert capfd.readouterr().err == ""


def _until(holds: Callable[[], bool]) -> None:
    """Wait for something that takes moments."""
    for _ in range(500):
        if holds():
            return
        time.sleep(0.01)
