"""How are `daemon` and `up` started against a simulated Stripe, watched and killed?"""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import update

from reconciler.db import sweeps
from reconciler.db.session import Database
from reconciler.db.tables import leases
from reconciler.simulator.api import Answer, Api, Key, Request
from reconciler.simulator.clock import Clock
from reconciler.simulator.server import SimulatedStripe
from reconciler.simulator.world import World
from tests.journeys.stories import SECRET

ROOT = Path(__file__).resolve().parents[2]
KEY = "rk_test_0123456789"
WITHIN_S = 20
ENDS_WITHIN_S = 10
STALLS_S = 60


@dataclass
class StallingApi:
    """The API of a world; while `is_stalling`, every page of a list but the first keeps its client waiting.

    It does so for `stall_s` before the first byte, or, where `drip_s` is given, for so long after each.
    """

    api: Api
    is_stalling: bool = False
    stall_s: float = STALLS_S
    drip_s: float = 0.0
    stalled: list[Request] = field(default_factory=list)

    def answer(self, request: Request) -> Answer:
        """Answer a request."""
        answer = self.api.answer(request)
        if self.is_stalling and any(name == "starting_after" for name, _ in request.query):
            self.stalled.append(request)
            if self.drip_s:
                return replace(answer, drip_s=self.drip_s)
            return replace(answer, stall_s=self.stall_s)
        return answer

    def stalls(self, path: str) -> bool:
        """Whether somebody waits, or has waited, for a page of a list."""
        return any(each.path == path for each in self.stalled)


@dataclass(frozen=True, slots=True)
class Stripe:
    """A simulated account that answers at `base_url`, whose clock runs as ours."""

    world: World
    api: StallingApi
    base_url: str

    def catch_up(self) -> None:
        """Let it be now, and go on as our time does."""
        self.world.clock.reach(int(time.time() * 1000))
        self.world.clock.run(1.0)


@contextmanager
def simulated_stripe() -> Iterator[Stripe]:
    """Serve a new account until the end of the block; it is a minute ago there until `catch_up`."""
    world = World(seed=3, clock=Clock(int(time.time() * 1000) - 60_000))
    api = StallingApi(Api(world, [Key(KEY)]))
    with SimulatedStripe(api) as server:  # type: ignore[arg-type]
        yield Stripe(world, api, server.base_url)


@dataclass(frozen=True, slots=True)
class Running:
    """A program that was started, and what it writes."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def lines(self) -> list[str]:
        """What it said to people, without the log's JSON."""
        return [line for line in self.log.read_text().splitlines() if not line.startswith("{")]

    def children(self) -> list[int]:
        """The programs that it runs, in the order in which it started them."""
        found = children(self.process.pid)
        return [pid for pid in found if "spawn_main" in Path(f"/proc/{pid}/cmdline").read_text()]

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask the program to end and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=ENDS_WITHIN_S)

    def kill(self) -> None:
        """End the program without any warning."""
        self.process.kill()
        self.process.wait()

    def kill_all(self) -> None:
        """End the program and whatever it started and may have left behind."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def start(folder: Path, *arguments: str, **environ: str) -> Running:
    """Start a program in a folder, with no variable of ours but those given here."""
    log = folder / f"{arguments[0]}.log"
    with log.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "reconciler", *arguments],
            cwd=folder,
            env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), **environ},
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    return Running(process, log)


def environment(
    database_url: str, schema: str, base_url: str, port: int | None = None
) -> dict[str, str]:
    """Give the variables of a program that sweeps every second, and listens on one port where it serves."""
    return {
        "DATABASE_URL": database_url,
        "RECONCILER_DATABASE__SCHEMA": schema,
        "RECONCILER_STRIPE__MODE": "test",
        "RECONCILER_STRIPE__REQUESTS_PER_S": "100",
        "RECONCILER_SWEEPS__EVENTS_S": "1",
        # The simulated Stripe lists an event at once, and nobody need wait for it.
        "RECONCILER_SWEEPS__EVENTS_LAG_S": "0",
        "RECONCILER_METRICS__SERVE": "",
        "RECONCILER_METRICS__DAEMON": "",
        "RECONCILER_WEBHOOK__LISTEN": f"127.0.0.1:{port or free_port()}",
        "STRIPE_API_BASE": base_url,
        "STRIPE_API_KEY": KEY,
        "STRIPE_WEBHOOK_SECRET": SECRET,
    }


Start = Callable[..., Running]


def set_out(database: Database) -> datetime:
    """Let the cursors stand five minutes ago, so that no daemon begins with thirty days."""
    at = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
    with database.writing() as tx:
        for cursor in ("events", "money"):
            sweeps.move(tx, cursor, at, at)
    return at


def let_lease_run_out(database: Database) -> None:
    """Let the time be over for which the leader of the daemons holds its lease."""
    with database.writing() as tx:
        tx.execute(update(leases).values(expires_at=datetime.now(UTC)))


def free_port() -> int:
    """Find a port that nobody listens on."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return int(listener.getsockname()[1])


def wait_until(holds: Callable[[], object], program: Running) -> None:
    """Wait for something to come true."""
    deadline = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < deadline, program.log.read_text()
        time.sleep(0.02)


def is_ready(port: int) -> bool:
    """Whether a webhook says that it can store an event."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def children(pid: int) -> list[int]:
    """The processes that one has started; none where it is gone."""
    try:
        return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def is_running(pid: int) -> bool:
    """Whether a process is there and is no corpse."""
    try:
        return " Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
