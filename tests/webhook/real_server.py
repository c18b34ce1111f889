"""Start the served webhook as a process of its own, and speak to it in raw bytes."""

import contextlib
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tests.webhook.signing import SECRET, sign

ROOT = Path(__file__).parents[2]
STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")


@dataclass(frozen=True, slots=True)
class RealServer:
    """A running webhook: its process, its port, what it stored and what it printed."""

    process: "subprocess.Popen[bytes]"
    port: int
    journal: Path
    output: Path

    def stored(self) -> list[str]:
        """Return the ids of the events that reached the inbox."""
        return self.journal.read_text().splitlines()

    def connect(self) -> socket.socket:
        """Open a connection that gives up after ten seconds of silence."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def ask(self, request: bytes) -> bytes:
        """Send raw bytes and return all that comes back until the first answer is complete."""
        with self.connect() as connection:
            connection.sendall(request)
            return answer(connection)

    def memory_kib(self) -> int:
        """Return the most memory that the process ever had."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0])


@contextmanager
def serving(folder: Path, *, pause_s: float = 0.0) -> Iterator[RealServer]:
    """Yield a server on a socket that listens before the process exists, so that nobody has to wait."""
    journal, output = folder / "journal", folder / "output"
    journal.touch()
    with socket.create_server(("127.0.0.1", 0), backlog=200) as listener, output.open("wb") as log:
        fd = listener.fileno()
        arguments = [f"--fd={fd}", f"--journal={journal}", f"--pause-s={pause_s}"]
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.webhook.served", *arguments],
            pass_fds=[fd],
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        port = listener.getsockname()[1]
    try:
        yield RealServer(process, port, journal, output)
    finally:
        process.kill()
        process.wait()


def answer(connection: socket.socket) -> bytes:
    """Return one answer, head and body; what there is if the server closes before its end."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while not _is_complete(received) and (more := connection.recv(65536)):
            received += more
    return received


def status(received: bytes) -> int:
    """Return the status of an answer; 0 if there is none."""
    found = STATUS.match(received)
    return int(found[1]) if found else 0


def post(body: bytes, *headers: str, path: str = "/api/webhooks/stripe") -> bytes:
    """Return the bytes of a POST with exactly these headers and the right length."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def signed(body: bytes) -> str:
    """Return the header for a body that is signed well, now."""
    return f"Stripe-Signature: {sign(body, SECRET, datetime.now(UTC))}"


def _is_complete(received: bytes) -> bool:
    head, end, body = received.partition(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head)
    return bool(end) and length is not None and len(body) >= int(length[1])
