"""The Nth write, fsync or open of the database fails or kills: is what was acknowledged there, and the file whole?

strace does it from outside: the webhook stops before it begins, strace takes hold of it, and then it goes on. Calls are counted
in each thread for itself, and only those on the database's own files count.
"""

import http.client
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Final

from reconciler.db.digest import digest
from tests.journeys.programs import is_ready
from tests.journeys.stories import Sender
from tests.torture import books
from tests.torture.ground import Ground, Unfit, Victim, wait_until
from tests.torture.outcome import Outcome, Skipped
from tests.torture.told import Past, past

STORIES: Final = 2
EVENTS: Final = 6
CALLS: Final = ("pwrite64", "fdatasync", "fsync", "openat", "ftruncate", "unlink")
FAULTS: Final = ("error=EIO", "error=ENOSPC", "signal=KILL")
# No run of so few events makes more calls in one thread.
NTH_MAX: Final = 1000
TRIES: Final = 3
_STARTED_WITHIN_S: Final = 15.0
_GONE_WITHIN_S: Final = 5.0
_FILES: Final = ("reconciler.db", "reconciler.db-wal", "reconciler.db-shm")


def play(ground: Ground, seed: int, sample: int | None) -> Outcome:
    """Let each call fail in each way, N = 1, 2, 3 ... until nothing fails any more; or only so many, drawn from the seed."""
    if shutil.which("strace") is None:
        raise Skipped("strace is not installed")
    outcome = Outcome()
    with past(seed, STORIES) as told:
        ground.base_url = told.base_url
        whole = _whole(ground, told)
        if sample is not None:
            chance = Random(f"{seed} calls")  # noqa: S311 - no secret
            for _ in range(sample):
                call, fault = chance.choice(CALLS[:4]), chance.choice(FAULTS)
                _run(ground, told, whole, f"{call}:{fault}:when={chance.randint(1, 12)}", outcome)
            return outcome
        for call in CALLS:
            for fault in FAULTS:
                for nth in range(1, NTH_MAX):
                    if not _run(ground, told, whole, f"{call}:{fault}:when={nth}", outcome):
                        break
    return outcome


def _whole(ground: Ground, told: Past) -> str:
    _fresh(ground, told)
    server = ground.serve()
    _send(server, told)
    server.stop()
    return _digest(ground)


def _run(ground: Ground, told: Past, whole: str, inject: str, outcome: Outcome) -> bool:
    """Let one call fail, and look at the books; returns whether any call did fail."""
    _fresh(ground, told)
    server = ground.start("serve", waits=True)
    acknowledged: list[str] = []
    with _held(server, ground.folder, inject) as trace:
        wait_until(
            lambda: not server.is_alive or is_ready(server.port),
            _STARTED_WITHIN_S,
            lambda: f"{inject}: it neither started nor refused to: {server.last_words()}",
        )
        if server.is_alive:
            acknowledged = _send(server, told)
            if "signal" in inject and len(acknowledged) < EVENTS:
                # Where its child was killed, it ends in good order.
                server.ended(_GONE_WITHIN_S)
        died = not server.is_alive
        server.kill()
        if server.process.exitcode not in {3, -signal.SIGKILL}:
            outcome.found(
                inject, [f"it ended with {server.process.exitcode}: {server.last_words()}"]
            )
    failed = died or "INJECTED" in trace.read_text()
    found = [f"{each} was acknowledged and is lost" for each in books.lost(ground.db, acknowledged)]
    again = ground.serve()
    after = _send(again, told)
    again.stop()
    if len(after) != EVENTS:
        found.append(f"only {len(after)} of {EVENTS} were acknowledged afterwards")
    found += books.broken(ground.db, [*acknowledged, *after])
    if _digest(ground) != whole:
        found.append("the digest is not that of a run in which nothing failed")
    outcome.found(inject, found)
    outcome.add({"runs": 1, "runs in which a call failed": int(failed)})
    outcome.add({"events acknowledged in spite of it": len(acknowledged) * failed})
    return failed


def _fresh(ground: Ground, told: Past) -> None:
    ground.clear()
    told.prepare(ground.db)
    # Whoever closes the file last moves the log into it: the webhook finds it as a start of the machine would.
    ground.close()


def _send(server: Victim, told: Past) -> list[str]:
    """Send every event, a few times if need be; returns the ids of those that got a 200."""
    sender, acknowledged = Sender(server.port), []
    for each in told.told[:EVENTS]:
        for _ in range(TRIES):
            try:
                if sender.send(each) == http.client.OK:
                    acknowledged.append(each["id"])
                    break
            except (OSError, http.client.HTTPException):
                if not server.is_alive:
                    return acknowledged
    sender.close()
    return acknowledged


@contextmanager
def _held(server: Victim, folder: Path, inject: str) -> Iterator[Path]:
    """Take hold of a webhook that waits, and let it go on; yields the file that says what was done to it."""
    wait_until(lambda: _state(server.pid) == "T", 10.0, lambda: "the webhook did not wait")
    trace = folder / "trace"
    trace.unlink(missing_ok=True)
    call = inject.split(":", maxsplit=1)[0]
    files = [word for each in _FILES for word in ("-P", str(folder / each))]
    filters = ["-e", f"trace={call}", "-e", f"inject={inject}"]
    tracer = subprocess.Popen(
        ["strace", "-f", "-p", str(server.pid), "-o", str(trace), *files, *filters],  # noqa: S607
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        assert tracer.stderr is not None
        line = tracer.stderr.readline()
        if b"attached" not in line:
            raise Skipped(f"strace: {line.decode().strip()}")
        os.kill(server.pid, signal.SIGCONT)
        yield trace
    finally:
        server.kill()
        tracer.terminate()
        tracer.communicate()


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError as gone:
        raise Unfit("the webhook died before it began") from gone


def _digest(ground: Ground) -> str:
    with ground.db.reading() as tx:
        return digest(tx)
