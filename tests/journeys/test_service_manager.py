"""What the real programs tell a service manager, and which signals they obey."""

import os
import signal
import socket
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from reconciler.db.session import Database
from tests.journeys.programs import Start, Stripe, free_port, set_out, wait_until
from tests.service_manager import ServiceManager, listening

SQLITE = pytest.mark.parametrize("dialect", ["sqlite"])
WATCHED = {"WATCHDOG_USEC": "300000"}


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[ServiceManager]:
    """Give a service manager that listens."""
    with listening(tmp_path) as it:
        yield it


@pytest.fixture
def deaf_to_interrupts() -> Iterator[None]:
    """Let what the test starts ignore Ctrl-C, as a shell does with a job in the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


def _answers(port: int, path: str = "/healthz") -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@SQLITE
def test_it_tells_that_the_webhook_is_ready_alive_and_ending(
    run: Start, database: Database, manager: ServiceManager, dialect: str
) -> None:
    """READY comes when the port answers, WATCHDOG again and again, STOPPING at a stop, which is no failure."""
    port = free_port()
    webhook = run("serve", port=port, NOTIFY_SOCKET=manager.address, **WATCHED)

    first = manager.hear()
    answered = _answers(port)
    beats = [manager.hear() for _ in range(3)]
    code = webhook.stop()
    rest = [each for each in manager.heard() if each != {"WATCHDOG": "1"}]

    assert first == {"READY": "1", "STATUS": f"listens on 127.0.0.1:{port}"}
    assert answered
    assert beats == [{"WATCHDOG": "1"}] * 3
    assert [each["STOPPING"] for each in rest] == ["1"]
    assert code == 0


@SQLITE
def test_it_tells_that_the_daemon_is_ready_alive_and_ending(
    run: Start, database: Database, stripe: Stripe, manager: ServiceManager, dialect: str
) -> None:
    """READY comes when its jobs have begun, WATCHDOG again and again with what it does, STOPPING at a stop."""
    stripe.catch_up()
    set_out(database)
    daemon = run("daemon", NOTIFY_SOCKET=manager.address, **WATCHED)

    first = manager.hear()
    beats = [manager.hear() for _ in range(3)]
    code = daemon.stop()
    rest = [each for each in manager.heard() if "WATCHDOG" not in each]

    assert first == {"READY": "1", "STATUS": "leads"}
    assert beats == [{"WATCHDOG": "1", "STATUS": "leads"}] * 3
    assert rest == [{"STOPPING": "1"}]
    assert code == 0


@SQLITE
def test_it_is_not_ready_before_it_can_work(
    run: Start, database: Database, manager: ServiceManager, tmp_path: Path, dialect: str
) -> None:
    """A port that is taken and a database without tables end it without a word of being ready."""
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        taken = other.getsockname()[1]
        refused = [
            run("serve", port=taken, NOTIFY_SOCKET=manager.address),
            run(
                "daemon",
                NOTIFY_SOCKET=manager.address,
                DATABASE_URL=f"sqlite:///{tmp_path}/none.db",
            ),
        ]
        codes = [each.process.wait(timeout=20) for each in refused]

    assert codes == [3, 3]
    assert manager.heard() == []


@SQLITE
def test_it_keeps_the_two_of_up_from_speaking_for_it(
    run: Start, database: Database, stripe: Stripe, manager: ServiceManager, dialect: str
) -> None:
    """Under `up` neither program tells a manager anything: it would take the one's word for the other's."""
    stripe.catch_up()
    set_out(database)
    port = free_port()
    both = run("up", port=port, NOTIFY_SOCKET=manager.address, **WATCHED)
    wait_until(lambda: _answers(port, "/readyz") and "daemon.started" in both.log.read_text(), both)

    code = both.stop()

    assert code == 0
    assert manager.heard() == []


@SQLITE
@pytest.mark.parametrize("command", ["serve", "daemon"])
def test_it_stays_deaf_to_ctrl_c_if_it_was_started_so(
    run: Start,
    database: Database,
    stripe: Stripe,
    manager: ServiceManager,
    command: str,
    dialect: str,
    deaf_to_interrupts: None,
) -> None:
    """Ctrl-C for another program of the shell ends no job in the background; SIGTERM does."""
    stripe.catch_up()
    set_out(database)
    program = run(command, NOTIFY_SOCKET=manager.address, **WATCHED)
    manager.hear()

    os.killpg(program.process.pid, signal.SIGINT)
    manager.heard()
    beats = [manager.hear() for _ in range(3)]
    code = program.stop()

    assert all("WATCHDOG" in each for each in beats)
    assert code == 0


@SQLITE
def test_it_keeps_up_deaf_to_ctrl_c_too(
    run: Start, database: Database, stripe: Stripe, dialect: str, deaf_to_interrupts: None
) -> None:
    """`up` and the two that it starts go on; SIGTERM ends them, and the exit code tells of no Ctrl-C."""
    stripe.catch_up()
    set_out(database)
    port = free_port()
    both = run("up", port=port)
    wait_until(lambda: _answers(port, "/readyz") and "daemon.started" in both.log.read_text(), both)

    os.killpg(both.process.pid, signal.SIGINT)
    swept = both.log.read_text().count("sweep.ended")
    wait_until(lambda: both.log.read_text().count("sweep.ended") > swept + 1, both)
    is_there = both.process.poll() is None and _answers(port)
    code = both.stop()

    assert is_there
    assert code == 0
    assert both.lines == []
