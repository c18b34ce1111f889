"""Who plays the histories? One process a core, each with databases of its own."""

import multiprocessing
import os
import tempfile
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reconciler import logs
from reconciler.db.migrate import upgrade
from reconciler.db.session import Database, open_database
from tests.databases import empty
from tests.histories.history import History, weather_of


@dataclass(frozen=True, slots=True)
class Task:
    """One history: its seed, how many stories, and the database's name."""

    seed: int
    stories: int
    engine: str


@dataclass(frozen=True, slots=True)
class Result:
    """What a history came to; no problems is the only good end."""

    task: Task
    problems: tuple[str, ...]


def play_all(tasks: list[Task], postgres_url: str | None = None) -> Iterator[Result]:
    """Play histories on all cores; yields each as it ends."""
    with tempfile.TemporaryDirectory(prefix="histories-") as folder:
        context = multiprocessing.get_context("spawn")
        workers = min(len(tasks), os.cpu_count() or 1)
        with context.Pool(workers, _open, (folder, postgres_url)) as pool:
            yield from pool.imap_unordered(_play, tasks, chunksize=4)


_databases: dict[str, Database] = {}


def _open(folder: str, postgres_url: str | None) -> None:
    """Make the databases of one worker."""
    logs.configure("json", "critical")
    name = f"histories_{os.getpid()}"
    path = Path(folder) / f"{name}.db"
    _databases["sqlite"] = open_database(f"sqlite:///{path}", create=True)
    if postgres_url is not None:
        _databases["postgresql"] = open_database(postgres_url, schema=name)
    for each in _databases.values():
        upgrade(each)


def _play(task: Task) -> Result:
    db = _databases[task.engine]
    try:
        empty(db)
        history = History(task.seed, db, weather_of(task.seed), stories=task.stories)
        return Result(task, history.play().problems)
    except Exception:  # noqa: BLE001 - whatever it is, the seed must be told
        return Result(task, (traceback.format_exc(),))


def command_of(task: Task) -> str:
    """What repeats one history."""
    return f"make simulate SEED={task.seed} N=1 STORIES={task.stories} DB={task.engine}"
