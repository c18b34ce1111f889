"""Without disk, rights, locks, connections or the right time: does it say so, and go on when they are back?"""

import http.client
import os
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from reconciler.db.digest import digest
from reconciler.db.session import open_database
from tests.journeys.stories import Sender
from tests.torture import books, crashes
from tests.torture.asking import ask_until, is_at_home, send_all, try_all, unstored
from tests.torture.ground import Ground, Unfit
from tests.torture.outcome import Outcome
from tests.torture.told import Past, past

STORIES: Final = 12
CLIENTS: Final = 40
# The webhook gives storage 4.5 s; the rest is for a machine that is busy with something else.
ANSWERED_WITHIN_S: Final = 9.0
_LOCKED_FOR_S: Final = 30.0
# Its clock is wrong for two seconds each, in turn.
_LEAPS_S: Final = 5.0
_LOCKED_SHORTLY_S: Final = 6.0
_DISK: Final = "24m"
_ROOM_BYTES: Final = 150_000
_FILE_BYTES_MAX: Final = 700_000
_TEN_MINUTES_S: Final = 600
# The documented exit code of a program that failed.
_REFUSED: Final = 3

Play = Callable[[Ground, Past, Outcome, bool], list[str]]


def play(ground: Ground, seed: int, *, is_short: bool) -> Outcome:
    """Let everything that a program needs be missing once, one after the other."""
    outcome = Outcome()
    with past(seed, STORIES) as told:
        ground.base_url = told.base_url
        whole = _whole(ground, told)
        for name, missing in _PLAYS.items():
            if ground.engine != "sqlite" and name in _OF_FILES:
                continue
            if name in _OF_ROOT and os.geteuid() != 0:
                outcome.add({f"{name}: left out, it takes root": 1})
                continue
            try:
                found = missing(ground, told, outcome, is_short)
                if name not in _OF_ROOT:
                    found += _compared(ground, whole)
            except Unfit as unfit:
                found = [str(unfit)]
            outcome.found(name, found)
            outcome.add({name: 1})
            ground.end_all()
    return outcome


def _whole(ground: Ground, told: Past) -> str:
    _fresh(ground, told)
    server = ground.serve()
    send_all(server, told)
    server.stop()
    return _digest(ground)


def _fresh(ground: Ground, told: Past) -> None:
    ground.clear()
    told.prepare(ground.db)
    ground.close()


def _compared(ground: Ground, whole: str) -> list[str]:
    found = books.broken(ground.db, [])
    if _digest(ground) != whole:
        found.append("the digest is not that of a run in which nothing was missing")
    return found


def _digest(ground: Ground) -> str:
    with ground.db.reading() as tx:
        return digest(tx)


# What is missing


def _file_limit(ground: Ground, told: Past, outcome: Outcome, _: bool) -> list[str]:
    """No file may grow beyond a size, as with a quota."""
    _fresh(ground, told)
    server = ground.serve(file_bytes_max=_FILE_BYTES_MAX)
    acknowledged, answers = try_all(server, told)
    outcome.add({"answers 503": answers[503]})
    server.kill()
    found = unstored(answers, "files can't grow") + _lost(ground, acknowledged)
    send_all(ground.serve(), told)
    return found


def _full_disk(ground: Ground, told: Past, outcome: Outcome, _: bool) -> list[str]:
    """The disk is full, and then somebody makes room."""
    with _small_disk(ground) as small:
        _fresh(small, told)
        server = small.serve()
        ballast = small.folder / "ballast"
        room = os.statvfs(small.folder)
        ballast.write_bytes(bytes(max(0, room.f_bavail * room.f_frsize - _ROOM_BYTES)))
        acknowledged, answers = try_all(server, told)
        outcome.add({"answers 503": answers[503]})
        found = unstored(answers, "the disk is full")
        ballast.unlink()
        send_all(server, told)
        server.stop()
        return found + _lost(small, acknowledged) + books.broken(small.db, acknowledged)


def _read_only(ground: Ground, told: Past, _: Outcome, __: bool) -> list[str]:
    """The disk is read-only when it starts: it refuses, and works once that is mended."""
    with _small_disk(ground) as small:
        _fresh(small, told)
        _remount("ro", small.folder)
        try:
            code = small.start("serve").ended()
        finally:
            _remount("rw", small.folder)
        found = (
            [] if code == _REFUSED else [f"a start without the right to write ended with {code}"]
        )
        server = small.serve()
        send_all(server, told)
        server.stop()
        return found + books.broken(small.db, [])


def _locked(ground: Ground, told: Past, outcome: Outcome, is_short: bool) -> list[str]:
    """A stranger holds the write lock while forty clients want an answer."""
    _fresh(ground, told)
    server = ground.serve()
    release = threading.Event()
    seconds = _LOCKED_SHORTLY_S if is_short else _LOCKED_FOR_S
    with ThreadPoolExecutor(CLIENTS + 1) as pool:
        held = threading.Event()
        stranger = pool.submit(_hold_lock, ground, held, release)
        held.wait(10)
        until = time.monotonic() + seconds
        asking = [pool.submit(ask_until, server, told, until, n) for n in range(CLIENTS)]
        time.sleep(1.0)
        is_alive = is_at_home(server)
        answers: Counter[int] = Counter()
        slowest_s = 0.0
        for each in asking:
            theirs, longest_s = each.result()
            answers.update(theirs)
            slowest_s = max(slowest_s, longest_s)
        release.set()
        stranger.result()
    outcome.add({"answers 503": answers[503]})
    found = unstored(answers, "somebody else holds the lock")
    if slowest_s > ANSWERED_WITHIN_S:
        found.append(f"an answer took {slowest_s:.1f} s")
    if not is_alive:
        found.append("nobody was at home while the lock was held")
    send_all(server, told)
    return found


def _hold_lock(ground: Ground, held: threading.Event, release: threading.Event) -> None:
    stranger = open_database(ground.url, schema=ground.schema)
    try:
        with stranger.migrating() as tx:
            held.set()
            while not release.wait(1.0):
                tx.exec_driver_sql("SELECT 1")
    finally:
        stranger.close()


def _wrong_clock(ground: Ground, told: Past, outcome: Outcome, _: bool) -> list[str]:
    """The webhook's clock leaps ten minutes ahead and back and behind: signatures fail visibly, and nothing is lost."""
    _fresh(ground, told)
    server = ground.serve(clock_s=(_TEN_MINUTES_S, 0, -_TEN_MINUTES_S, 0))
    sender, answers = Sender(server.port), Counter[int]()
    for each in told.told:
        status = 0
        while status != http.client.OK:
            status = sender.send(each)
            answers[status] += 1
            time.sleep(0.04)
    sender.close()
    outcome.add({"signatures refused by a wrong clock": answers[400]})
    odd = sorted(set(answers) - {200, 400})
    found = [f"answers {odd}"] if odd else []
    return found if answers[400] else [*found, "no clock was wrong"]


def _daemons_wrong_clock(ground: Ground, told: Past, _: Outcome, __: bool) -> list[str]:
    """The daemon's clock leaps while it sweeps: it comes to the truth, and no cursor is ahead of what is stored."""
    _fresh(ground, told)
    daemon = ground.daemon(clock_s=(_TEN_MINUTES_S, 0, -_TEN_MINUTES_S, 0))
    crashes.wait_for_calm(ground, told, daemon)
    time.sleep(_LEAPS_S)
    found = books.passed_over(ground.db, told.told)
    if daemon.stop() != 0:
        found.append(f"the daemon failed: {daemon.last_words()}")
    # What was only swept is compared with the truth; what follows compares with what was heard.
    found += books.broken(ground.db, [])
    _fresh(ground, told)
    send_all(ground.serve(), told)
    return found


def _lost(ground: Ground, acknowledged: list[str]) -> list[str]:
    return [f"{each} was acknowledged and is lost" for each in books.lost(ground.db, acknowledged)]


@contextmanager
def _small_disk(ground: Ground) -> Iterator[Ground]:
    """A ground whose database lives on a disk of its own, of a few megabytes."""
    folder = ground.folder / "small"
    folder.mkdir(exist_ok=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_DISK}", "tmpfs", str(folder)],  # noqa: S607
        check=True,
    )
    small = Ground(
        ground.engine,
        folder,
        f"sqlite:///{folder / 'reconciler.db'}",
        ground.schema,
        ground.base_url,
    )
    small.logs = ground.folder
    try:
        yield small
    finally:
        small.end_all()
        small.close()
        subprocess.run(["umount", str(folder)], check=True)  # noqa: S607


def _remount(how: str, folder: Path) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)  # noqa: S607


_OF_FILES: Final = ("files that can't grow", "a full disk", "a read-only disk")
_OF_ROOT: Final = ("a full disk", "a read-only disk")
_PLAYS: Final[dict[str, Play]] = {
    "files that can't grow": _file_limit,
    "a full disk": _full_disk,
    "a read-only disk": _read_only,
    "a lock held by a stranger, and 40 clients": _locked,
    "a webhook's clock that leaps": _wrong_clock,
    "a daemon's clock that leaps": _daemons_wrong_clock,
}
