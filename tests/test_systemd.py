"""Whether a service manager hears what it is told, and a program without one is none the worse."""

import os
import socket
from contextlib import suppress
from pathlib import Path

import pytest

from reconciler import systemd
from tests.service_manager import listening

VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")


@pytest.fixture(autouse=True)
def _no_manager_of_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("is_abstract", [False, True], ids=["a path", "an abstract name"])
def test_it_tells_all_fields_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_abstract: bool
) -> None:
    """One call is one message; a value can't bring in a field of its own by a line break."""
    with listening(tmp_path, is_abstract=is_abstract) as manager:
        monkeypatch.setenv("NOTIFY_SOCKET", manager.address)

        was_told = systemd.notify(READY="1", STATUS="leads\nSTOPPING=1")

        assert was_told
        assert manager.heard() == [{"READY": "1", "STATUS": "leads STOPPING=1"}]


@pytest.mark.parametrize("address", [None, "", "nowhere", "/nowhere/at/all", "@nobody-listens"])
def test_it_goes_on_without_a_manager(monkeypatch: pytest.MonkeyPatch, address: str | None) -> None:
    """Where nobody listens, nobody was told, and nothing is raised."""
    if address is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", address)

    assert systemd.notify(READY="1") is False


def test_it_goes_on_with_a_manager_that_does_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the manager's queue is full, a message is lost and the program is not."""
    monkeypatch.setattr(systemd, "_WITHIN_S", 0.05)
    with listening(tmp_path) as manager:
        monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
            other.setblocking(False)
            with suppress(BlockingIOError):
                while True:
                    other.sendto(b"STATUS=busy", manager.address)

        assert systemd.notify(WATCHDOG="1") is False


@pytest.mark.parametrize(
    ("variables", "expected_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "0"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_it_knows_whether_it_is_watched(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], expected_s: float | None
) -> None:
    """The time is the manager's own, and only for the process that it watches."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert systemd.watchdog_s() == expected_s


def test_it_forgets_its_manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After that, neither the process nor what it starts has anything left to speak with."""
    with listening(tmp_path) as manager:
        monkeypatch.setenv("NOTIFY_SOCKET", manager.address)
        monkeypatch.setenv("WATCHDOG_USEC", "1000000")

        systemd.forget()

        assert systemd.notify(READY="1") is False
        assert systemd.watchdog_s() is None
        assert not any(name in os.environ for name in VARIABLES)
