"""Where does the demo live, and which processes does it start?

A folder with a config.toml and a SQLite file, the simulated Stripe, and the real `reconciler up`: everything on loopback.
"""

import multiprocessing
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

from reconciler.cli.context import Refused
from reconciler.simulator.theatre import Opened, Programme, perform

READY_WITHIN_S: Final = 30.0
END_WITHIN_S: Final = 20.0

# One second of ours is a minute of Stripe's in the demo, so these are the default 60 s and 15 min.
_CONFIG: Final = """\
# The settings of the demo. The reconciler itself runs on its defaults, but for what a fast clock needs.
[stripe]
mode = "test"
requests_per_s = 100

[database]
url = "sqlite:///{database}"

[webhook]
listen = "127.0.0.1:{port}"

[sweeps]
events_s = 1
events_deep_s = 15

[exceptions]
grace_s = 1

[metrics]
serve = "127.0.0.1:0"
daemon = "127.0.0.1:0"
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """The folder of one demo, with what its processes are told."""

    folder: Path
    port: int
    api_key: str
    webhook_secret: str

    @property
    def config(self) -> Path:
        """The settings file."""
        return self.folder / "config.toml"

    @property
    def webhook_url(self) -> str:
        """Where the webhook listens."""
        return f"http://127.0.0.1:{self.port}/api/webhooks/stripe"


@contextmanager
def furnished(*, keep: bool) -> Iterator[House]:
    """A house in a new folder, which is removed in the end unless it is to be kept."""
    folder = Path(tempfile.mkdtemp(prefix="reconciler-demo-"))
    house = House(
        folder=folder,
        port=_free_port(),
        api_key=f"sk_test_{secrets.token_hex(12)}",
        webhook_secret=f"whsec_{secrets.token_hex(16)}",
    )
    house.config.write_text(_CONFIG.format(database=folder / "reconciler.db", port=house.port))
    try:
        yield house
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def theatre(programme: Programme) -> Iterator[tuple[Connection, Opened]]:
    """The simulated Stripe as a process of its own, with the pipe to it."""
    ours, theirs = multiprocessing.Pipe()
    spawn = multiprocessing.get_context("spawn")
    process = spawn.Process(target=perform, args=(theirs, programme), daemon=True)
    process.start()
    theirs.close()
    try:
        opened = ours.recv()
        yield ours, opened
    except EOFError:
        raise Refused("the simulated Stripe ended; its words above say why", 3) from None
    finally:
        ours.close()
        process.join(END_WITHIN_S)
        if process.is_alive():
            process.kill()


@contextmanager
def reconciler(house: House, stripe_url: str) -> Iterator[subprocess.Popen[bytes]]:
    """`reconciler up` on the house's settings, ready to take events."""
    log = house.folder / "reconciler.log"
    command = [sys.executable, "-m", "reconciler", "up", "--config", str(house.config)]
    with log.open("ab") as lines:
        process = subprocess.Popen(  # noqa: S603 - our own program
            command,
            env=_environment(house, stripe_url),
            stdout=lines,
            stderr=lines,
            cwd=house.folder,
        )
    try:
        _wait_until_ready(house, process)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()


def _environment(house: House, stripe_url: str) -> dict[str, str]:
    """Nothing of the person's own settings or secrets reaches the demo."""
    own = ("RECONCILER_", "STRIPE_", "DATABASE_URL", "VAPID_", "PUSH_", "CREDENTIALS_DIRECTORY")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    paths = [path for path in sys.path if path]
    return {
        **inherited,
        "PYTHONPATH": os.pathsep.join(paths),
        "STRIPE_API_KEY": house.api_key,
        "STRIPE_WEBHOOK_SECRET": house.webhook_secret,
        "STRIPE_API_BASE": stripe_url,
    }


def _wait_until_ready(house: House, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while not _is_ready(house.port):
        if process.poll() is not None or time.monotonic() > deadline:
            lines = (house.folder / "reconciler.log").read_text(errors="replace").splitlines()
            raise Refused(f"the reconciler did not start: {lines[-1] if lines else 'no word'}", 3)
        time.sleep(0.05)


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
            return bool(answer.status == 200)  # noqa: PLR2004 - HTTP's word for yes
    except (urllib.error.URLError, OSError):
        return False


def _free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return int(listener.getsockname()[1])
