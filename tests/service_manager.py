"""What does a service manager hear from a program? Its end of sd_notify, on a real socket."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

WITHIN_S = 20


@dataclass(frozen=True, slots=True)
class ServiceManager:
    """A manager that listens at `address`, as $NOTIFY_SOCKET has it."""

    address: str
    line: socket.socket

    def hear(self) -> dict[str, str]:
        """Wait for one message and return its fields."""
        return dict(each.split("=", 1) for each in self.line.recv(65536).decode().splitlines())

    def heard(self) -> list[dict[str, str]]:
        """Return all that has come and was not heard yet, without waiting."""
        self.line.setblocking(False)
        messages: list[dict[str, str]] = []
        try:
            while True:
                messages.append(self.hear())
        except BlockingIOError:
            return messages
        finally:
            self.line.settimeout(WITHIN_S)


@contextmanager
def listening(folder: Path, *, is_abstract: bool = False) -> Iterator[ServiceManager]:
    """Listen until the end of the block, at a path or at a name of the abstract namespace."""
    address = f"@{uuid4()}" if is_abstract else str(folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
        line.bind(address.replace("@", "\0", 1) if is_abstract else address)
        line.settimeout(WITHIN_S)
        yield ServiceManager(address, line)
