"""Which servers take the deliveries, and what does one cost while it does?

Each is a program of its own on a port of its own, with a database of its own. What it costs is read where Linux tells it, for
the program and those that it started; the database server's part is not in it.
"""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.request import urlopen

from sqlalchemy import make_url

from benchmarks.books import Books
from benchmarks.deliveries import SECRET

ROOT: Final = Path(__file__).resolve().parents[1]
_STARTS_WITHIN_S: Final = 60.0
_ENDS_WITHIN_S: Final = 20.0
_TICKS_A_S: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Server:
    """One system that takes deliveries: the ports on which it does, and its processes."""

    ports: Sequence[int]
    pids: Sequence[int]

    def cpu_s(self) -> float:
        """How much CPU its processes have used, user and system together."""
        return sum(_cpu_s(pid) for pid in self._all())

    def rss_mib(self) -> float:
        """The memory of the largest of its programs now, with its children; what they share counts once."""
        return max(
            (sum(_share_mib(each) for each in (pid, *_children(pid))) for pid in self.pids),
            default=0.0,
        )

    def _all(self) -> list[int]:
        return [one for pid in self.pids for one in (pid, *_children(pid))]


@contextmanager
def ours(books: Books, folder: Path, processes: int = 1) -> Iterator[Server]:
    """`reconciler serve`, once or as often as there are processes, each as it comes."""
    environ = our_environment(books)
    with ExitStack() as stack:
        started = [
            stack.enter_context(
                _started(
                    ("-m", "reconciler", "serve"),
                    {**environ, "RECONCILER_WEBHOOK__LISTEN": f"127.0.0.1:{port}"},
                    folder,
                    port,
                )
            )
            for port in _free_ports(processes)
        ]
        yield _together(started)


def our_environment(books: Books) -> dict[str, str]:
    """What `reconciler` must be told to work on these books; all else is as it comes, but for metrics."""
    return {
        "DATABASE_URL": books.url,
        "RECONCILER_DATABASE__SCHEMA": books.schema,
        "RECONCILER_STRIPE__MODE": "test",
        "RECONCILER_METRICS__SERVE": "",
        "STRIPE_WEBHOOK_SECRET": SECRET,
    }


@contextmanager
def afternoons(books: Books, folder: Path) -> Iterator[Server]:
    """The handler that is written in an afternoon, behind two workers of gunicorn."""
    [port] = _free_ports(1)
    command = ("-m", "gunicorn", "-w", "2", "-b", f"127.0.0.1:{port}", "--no-control-socket")
    target = "benchmarks.afternoon:create_app()"
    with _started((*command, target), _plain(books), folder, port) as server:
        yield server


@contextmanager
def floor(name: str, books: Books, folder: Path) -> Iterator[Server]:
    """A handler that does less than it must, behind uvicorn."""
    [port] = _free_ports(1)
    command = ("-m", "uvicorn", "--factory", f"benchmarks.floor:{name}", "--port", f"{port}")
    quiet = ("--no-access-log", "--log-level", "warning", "--http", "httptools", "--loop", "uvloop")
    with _started((*command, *quiet), _plain(books), folder, port) as server:
        yield server


def plain_url(books: Books) -> str:
    """The address by which a program that knows no schemas finds its own."""
    if not books.url.startswith("postgresql"):
        return books.url
    url = make_url(books.url).update_query_dict({"options": f"-csearch_path={books.schema}"})
    return url.render_as_string(hide_password=False)


def whole(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment of a program: ours, without what speaks to the reconciler, and what it is given."""
    kept = {
        name: text
        for name, text in os.environ.items()
        if not name.startswith(("RECONCILER_", "STRIPE_"))
    }
    return {**kept, "PYTHONPATH": str(ROOT), **environ}


def _plain(books: Books) -> dict[str, str]:
    return {"DATABASE_URL": plain_url(books), "STRIPE_WEBHOOK_SECRET": SECRET}


@contextmanager
def _started(
    command: Sequence[str], environ: Mapping[str, str], folder: Path, port: int
) -> Iterator[Server]:
    told = folder / f"{port}.log"
    with (
        told.open("ab") as log,
        subprocess.Popen(
            [sys.executable, *command],
            cwd=folder,
            env=whole(environ),
            stdout=log,
            stderr=log,
        ) as process,
    ):
        try:
            _wait_for(process, port, told)
            yield Server((port,), (process.pid,))
        finally:
            process.terminate()
            try:
                process.wait(_ENDS_WITHIN_S)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait_for(process: "subprocess.Popen[bytes]", port: int, log: Path) -> None:
    deadline_s = time.monotonic() + _STARTS_WITHIN_S
    while not _is_ready(port):
        if process.poll() is not None or time.monotonic() > deadline_s:
            raise RuntimeError(f"a server did not start: {log.read_text()[-2000:]}")
        time.sleep(0.05)


def _is_ready(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)  # noqa: PLR2004 - HTTP's
    except (URLError, OSError):
        return False


def _together(servers: Sequence[Server]) -> Server:
    return Server(
        tuple(port for each in servers for port in each.ports),
        tuple(pid for each in servers for pid in each.pids),
    )


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        opened = [
            stack.enter_context(closing(socket.create_server(("127.0.0.1", 0))))
            for _ in range(count)
        ]
        return [int(each.getsockname()[1]) for each in opened]


def _children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []


def _cpu_s(pid: int) -> float:
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return 0.0
    # The name stands in parentheses and may hold spaces; user and system time are the 14th and 15th field.
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_S


def _share_mib(pid: int) -> float:
    """The resident memory of a process, of which it has each page with so many others as its part of that page."""
    told = Path(f"/proc/{pid}/smaps_rollup")
    found = re.search(r"Pss:\s+(\d+) kB", told.read_text()) if told.exists() else None
    return int(found[1]) / 1024 if found else 0.0
