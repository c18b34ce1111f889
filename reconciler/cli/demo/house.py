"""Where does the demo live, and which processes does it start?

A folder with a config.toml and a SQLite file, the simulated Stripe, and the real `reconciler up`: everything on loopback.
"""

import multiprocessing
import os
import secrets
import shutil
import signal
import socket
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Final

from reconciler.cli.context import Refused
from reconciler.cli.running import be_child, up
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
    def log(self) -> Path:
        """What the reconciler says."""
        return self.folder / "reconciler.log"

    @property
    def webhook_url(self) -> str:
        """Where the webhook listens."""
        return f"http://127.0.0.1:{self.port}/api/webhooks/stripe"


@contextmanager
def furnished(*, keep: bool) -> Iterator[House]:
    """A house in a new folder, which is removed in the end unless it is to be kept."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="reconciler-demo-"))
    except OSError as error:
        why = f"the demo can't make a folder ({error.strerror}): set TMPDIR to another place"
        raise Refused(why, 3) from None
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
    process = _started(_be_stripe, theirs, programme)
    theirs.close()
    try:
        opened = ours.recv()
        yield ours, opened
    except EOFError:
        raise Refused("the simulated Stripe ended; its words above say why", 3) from None
    finally:
        _end(process)
        ours.close()


@contextmanager
def reconciler(house: House, stripe_url: str) -> Iterator[BaseProcess]:
    """`reconciler up` on the house's settings, ready to take events."""
    house.log.touch()
    process = _started(_be_reconciler, house, stripe_url)
    try:
        _wait_until_ready(house, process)
        yield process
    finally:
        _end(process)


def _started(target: Callable[..., None], *arguments: object) -> BaseProcess:
    process = multiprocessing.get_context("spawn").Process(target=target, args=arguments)
    # Ctrl-C goes to all processes of a terminal. It is the demo's alone to answer, and a child inherits that.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        process.start()
    finally:
        signal.signal(signal.SIGINT, before)
    return process


def _end(process: BaseProcess) -> None:
    process.terminate()
    process.join(END_WITHIN_S)
    if process.is_alive():
        process.kill()
        process.join()


def _be_stripe(channel: Connection, programme: Programme) -> None:
    # Whoever listened is gone, and needs no word about it.
    with suppress(EOFError, BrokenPipeError, ConnectionResetError):
        perform(channel, programme)


def _be_reconciler(house: House, stripe_url: str) -> None:
    """Be `reconciler up` as somebody would have started it in the house."""
    environment = _environment(house, stripe_url)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(house.folder)
    with house.log.open("ab") as lines:
        for stream in (1, 2):
            os.dup2(lines.fileno(), stream)
    be_child(up, house.config)


def _environment(house: House, stripe_url: str) -> dict[str, str]:
    """Nothing of the person's own settings or secrets reaches the demo."""
    own = ("RECONCILER_", "STRIPE_", "DATABASE_URL", "VAPID_", "PUSH_", "CREDENTIALS_DIRECTORY")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(own)}
    return {
        **inherited,
        "STRIPE_API_KEY": house.api_key,
        "STRIPE_WEBHOOK_SECRET": house.webhook_secret,
        "STRIPE_API_BASE": stripe_url,
    }


def _wait_until_ready(house: House, process: BaseProcess) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while not _is_ready(house.port):
        if not process.is_alive() or time.monotonic() > deadline:
            lines = house.log.read_text(errors="replace").splitlines()
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
