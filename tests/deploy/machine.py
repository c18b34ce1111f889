"""Where can the units be tried? On a fresh Debian that boots in a container: its own systemd, its own network.

Root and three programs of Debian are needed (debootstrap, systemd-nspawn, nsenter), and a package mirror: the one that
debootstrap knows, or the one in $DEBIAN_MIRROR. With $KEEP the container's folder stays, to look around in.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.deploy.units import ROOT

SUITE: Final = "bookworm"
PYTHON: Final = (3, 11)
PACKAGES: Final = (
    *("systemd", "dbus", "python3", "python3-venv"),
    *("sqlite3", "postgresql", "nginx-light", "openssl"),
)
PROGRAMS: Final = ("debootstrap", "systemd-nspawn", "nsenter")
REPOSITORY: Final = "/srv/repository"
WHEELS: Final = "/srv/wheels"
COPIED: Final = ("pyproject.toml", "README.md", "config.toml", "reconciler", "webhook", "deploy")
WITHIN_S: Final = 30
_ENVIRONMENT: Final = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    # It has no network but its own loopback: pip finds everything in a folder.
    "PIP_NO_INDEX": "1",
    "PIP_FIND_LINKS": WHEELS,
    "PIP_QUIET": "1",
    "PIP_ROOT_USER_ACTION": "ignore",
}


def missing() -> str:
    """Say why no machine can be built here, or nothing."""
    lacking = [name for name in PROGRAMS if shutil.which(name) is None]
    if os.geteuid() != 0:
        return "the test of the services needs root, to boot a machine in a container"
    if lacking:
        return f"the test of the services needs {', '.join(lacking)}"
    if sys.version_info[:2] != PYTHON:
        return (
            f"the test of the services needs the Python of Debian {SUITE}, {PYTHON[0]}.{PYTHON[1]}"
        )
    return ""


@dataclass(frozen=True, slots=True)
class Machine:
    """A Debian that has booted; `init` is its first process, as this machine counts."""

    folder: Path
    init: int

    def run(self, script: str) -> str:
        """Run a shell script as root inside, up to its first failure, and return what it said."""
        done = subprocess.run(
            self.inside(["sh", "-euc", script]),
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout}\n{self.journal()}"
        return done.stdout.strip()

    def inside(self, command: Sequence[str], *, network_only: bool = False) -> list[str]:
        """Name the command that runs another one inside, or only in the network that is inside."""
        flags = ["--net"] if network_only else ["--all", "--root", "--wd"]
        return ["nsenter", f"--target={self.init}", *flags, "--", *command]

    def journal(self) -> str:
        """Return the last lines of the log; for the words of a failure."""
        show = [
            "journalctl",
            "--no-pager",
            "--lines=60",
            "--output=cat",
            "--unit=stripe-reconciler*",
        ]
        done = subprocess.run(
            self.inside(show), env=_ENVIRONMENT, capture_output=True, text=True, check=False
        )
        return done.stdout

    def shows(self, service: str) -> dict[str, str]:
        """Return all that systemd knows of a service."""
        lines = self.run(f"systemctl show stripe-reconciler-{service}").splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def put(self, path: str, text: str) -> None:
        """Write a file inside."""
        there = self.folder / path.lstrip("/")
        there.parent.mkdir(parents=True, exist_ok=True)
        there.write_text(text)


def wait_until(holds: Callable[[], bool], machine: Machine, *, within_s: float = WITHIN_S) -> None:
    """Wait for something to come true."""
    deadline = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline, machine.journal()
        time.sleep(0.2)


@contextmanager
def booted() -> Iterator[Machine]:
    """Build a Debian, boot it, and leave nothing of it behind."""
    kept_in = Path(tempfile.mkdtemp(prefix="reconciler-", dir="/var/tmp"))
    # Inside, everybody must be able to enter the root of all folders; outside nobody needs to.
    folder = kept_in / "debian"
    folder.mkdir()
    folder.chmod(0o755)
    try:
        _build(folder)
        with _running(folder) as machine:
            yield machine
    finally:
        # Whatever an aborted installation has left mounted there is this machine's own.
        if os.environ.get("KEEP") or str(folder) in Path("/proc/self/mounts").read_text():
            sys.stderr.write(f"\nThe machine stays in {folder}\n")
        else:
            shutil.rmtree(kept_in)


def _build(folder: Path) -> None:
    mirror = os.environ.get("DEBIAN_MIRROR")
    include = f"--include={','.join(PACKAGES)}"
    command = ["debootstrap", "--variant=minbase", include, SUITE, str(folder)]
    _call([*command, mirror] if mirror else command)
    wheels = folder / WHEELS.lstrip("/")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = [f"{ROOT}[postgres]", *project["build-system"]["requires"]]
    _call([sys.executable, "-m", "pip", "wheel", "--quiet", f"--wheel-dir={wheels}", *needed])
    repository = folder / REPOSITORY.lstrip("/")
    repository.mkdir(parents=True)
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            unwanted = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, repository / name, ignore=unwanted)
        else:
            shutil.copy(source, repository)


def _call(command: Sequence[str]) -> None:
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-4000:]}"


@contextmanager
def _running(folder: Path) -> Iterator[Machine]:
    command = ["systemd-nspawn", f"--directory={folder}", "--machine=reconciler", "--boot"]
    apart = ["--register=no", "--keep-unit", "--private-network"]
    with (folder / "srv/console.log").open("wb") as console:
        process = subprocess.Popen(
            [*command, *apart],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield _once_it_runs(folder, process)
    finally:
        _end(process)


def _once_it_runs(folder: Path, process: "subprocess.Popen[bytes]") -> Machine:
    deadline = time.monotonic() + WITHIN_S
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while time.monotonic() < deadline:
        assert process.poll() is None, (folder / "srv/console.log").read_text()
        for init in map(int, children.read_text().split()):
            machine = Machine(folder, init)
            asked = machine.inside(["systemctl", "is-system-running"])
            done = subprocess.run(asked, capture_output=True, text=True, check=False)
            if done.stdout.strip() in {"running", "degraded"}:
                return machine
        time.sleep(0.2)
    raise AssertionError((folder / "srv/console.log").read_text())


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Shut it down; nspawn kills what is inside with itself."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(WITHIN_S)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
