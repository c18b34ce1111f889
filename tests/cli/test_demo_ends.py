"""Does the demo leave nothing behind, and nobody else's database touched, however it is ended?"""

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.journeys.programs import Running, is_running, start, wait_until


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Running]:
    """Give a demo that plays already, started by somebody whose variables name a database of their own."""
    foreign = f"sqlite:///{tmp_path}/mine.db"
    # A shell lets what it runs in the background ignore Ctrl-C, and that would be inherited.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    program = start(tmp_path, "demo", "--payments", "3", TMPDIR=str(tmp_path), DATABASE_URL=foreign)
    signal.signal(signal.SIGINT, before)
    try:
        wait_until(lambda: "Payments are made" in program.log.read_text(), program)
        yield program
    finally:
        program.kill_all()


def _descendants(pid: int) -> list[int]:
    try:
        told = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    children = [int(each) for each in told.split()]
    return [*children, *(each for child in children for each in _descendants(child))]


@pytest.mark.parametrize(
    ("send", "number", "code"),
    [(os.kill, signal.SIGTERM, 143), (os.killpg, signal.SIGINT, 130)],
    ids=["SIGTERM", "Ctrl-C"],
)
def test_it_takes_everything_with_it(
    demo: Running, tmp_path: Path, send: Callable[[int, int], None], number: int, code: int
) -> None:
    """SIGTERM, and Ctrl-C to all of the terminal, end all its processes without a traceback; only its words are left."""
    started = _descendants(demo.process.pid)

    send(demo.process.pid, number)

    assert demo.process.wait(timeout=20) == code, demo.log.read_text()
    wait_until(lambda: not any(is_running(each) for each in started), demo)
    assert [each.name for each in tmp_path.iterdir()] == ["demo.log"]
    assert "Traceback" not in demo.log.read_text()


def test_it_leaves_no_process_when_it_is_killed(demo: Running) -> None:
    """Whatever it started ends by itself when the demo is gone without a word."""
    started = _descendants(demo.process.pid)

    demo.kill()

    wait_until(lambda: not any(is_running(each) for each in started), demo)
    assert "Traceback" not in demo.log.read_text()
