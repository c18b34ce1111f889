"""Where do victims live: on which database, beside which account, and how are they started and ended?"""

import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final

from reconciler.db.migrate import upgrade
from reconciler.db.session import Database, StorageUnavailable, open_database
from tests.databases import empty
from tests.journeys.programs import (
    children,
    environment,
    free_port,
    is_ready,
    is_running,
    let_lease_run_out,
)
from tests.torture.victim import Order, be

STARTED_WITHIN_S: Final = 30.0
ENDED_WITHIN_S: Final = 60.0
_LOOK_S: Final = 0.01

_nursery = multiprocessing.get_context("forkserver")
_nursery.set_forkserver_preload(["tests.torture.victim"])


class Unfit(Exception):  # noqa: N818 - it names what the run turned out to be
    """Something is not as it must be; the message says what."""


@dataclass
class Victim:
    """One program that runs, and what it writes."""

    process: BaseProcess
    log: Path
    port: int = 0
    children: list[int] = field(default_factory=list)

    @property
    def pid(self) -> int:
        """Its number."""
        return int(self.process.pid or 0)

    @property
    def is_alive(self) -> bool:
        """Whether it still runs."""
        return self.process.is_alive()

    @property
    def is_gone(self) -> bool:
        """Whether neither it nor a child of it runs any more."""
        return not self.is_alive and not any(map(is_running, self.children))

    def kill(self) -> None:
        """End it without any warning; its children end what they have begun."""
        self.children = children(self.pid) or self.children
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        self.process.join(ENDED_WITHIN_S)

    def stop(self) -> int:
        """Ask it to end, and return its exit code; one that does not end is killed."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
        code = self.ended()
        if code is None:
            self.kill()
            raise Unfit(f"it did not end when it was asked to: {self.last_words()}")
        return code

    def ended(self, within_s: float = ENDED_WITHIN_S) -> int | None:
        """Wait for its end, and return the exit code; None if it goes on."""
        self.process.join(within_s)
        return self.process.exitcode

    @property
    def was_killed(self) -> bool:
        """Whether it died of SIGKILL."""
        return self.process.exitcode == -signal.SIGKILL

    def last_words(self) -> str:
        """The end of what it wrote."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return text[-800:]


@dataclass
class Ground:
    """A database with programs around it. `base_url` is where Stripe answers; `url_for_programs` may lead through a proxy."""

    engine: str
    folder: Path
    url: str
    schema: str
    base_url: str = ""
    url_for_programs: str = ""
    victims: list[Victim] = field(default_factory=list)
    _db: Database | None = None
    stripe_port: int = 0
    logs: Path | None = None

    @property
    def db(self) -> Database:
        """The database, for those who look at it."""
        if self._db is None:
            self._db = open_database(self.url, schema=self.schema, busy_timeout_s=20.0)
        return self._db

    def clear(self) -> None:
        """Let there be nothing in the database, and nobody around it."""
        self.end_all()
        for each in (self.logs or self.folder).glob("*.log"):
            each.unlink()
        if self.engine != "sqlite":
            _patiently(lambda: empty(self.db))
            return
        self.close()
        for each in self.folder.glob("reconciler.db*"):
            each.unlink()
        template = (self.logs or self.folder).parent / "template.db"
        if not template.exists():
            made = open_database(f"sqlite:///{template}", create=True)
            upgrade(made)
            made.close()
        shutil.copy(template, self.folder / "reconciler.db")

    def start(
        self, *arguments: str, environ: Mapping[str, str] | None = None, **order: Any
    ) -> Victim:
        """Start a program; `order` says how it is to die."""
        port = free_port() if arguments[0] == "serve" else 0
        given = environment(
            self.url_for_programs or self.url, self.schema, self.base_url, port or 1
        )
        log = (self.logs or self.folder) / f"{arguments[0]}.log"
        whole = Order(
            folder=self.folder,
            arguments=arguments,
            environ={**given, **_OFTEN, **(environ or {})},
            log=log,
            **order,
        )
        process = _nursery.Process(target=be, args=(whole,), daemon=True)
        process.start()
        self.victims = [each for each in self.victims if not each.is_gone]
        self.victims.append(Victim(process, log, port))
        return self.victims[-1]

    def serve(self, **order: Any) -> Victim:
        """Start a webhook, and wait until it can store an event."""
        server = self.start("serve", **order)
        wait_until_ready(server)
        server.children = children(server.pid)
        return server

    def daemon(self, **order: Any) -> Victim:
        """Start a daemon, which need not wait for the lease of one that is dead."""
        _patiently(lambda: let_lease_run_out(self.db))
        return self.start("daemon", **order)

    def end_all(self) -> None:
        """Kill everybody, and wait until nobody can write any more."""
        for each in self.victims:
            each.kill()
        wait_until(
            lambda: all(each.is_gone for each in self.victims),
            ENDED_WITHIN_S,
            lambda: "a child goes on without its parent",
        )
        self.victims.clear()

    def close(self) -> None:
        """Close the database that is looked at."""
        if self._db is not None:
            self._db.close()
        self._db = None


# Everything at once and again at once: a run of the torture has no hour to wait.
_OFTEN: Final = {
    "RECONCILER_SWEEPS__OPEN_S": "1",
    "RECONCILER_SWEEPS__MONEY_S": "2",
    "RECONCILER_SWEEPS__RECENT_S": "2",
    "RECONCILER_SWEEPS__INVOICES_S": "1",
    "RECONCILER_LOG__LEVEL": "warning",
    "RECONCILER_LOG__FORMAT": "json",
    "USER": "torture",
}


def wait_until_ready(server: Victim, within_s: float = STARTED_WITHIN_S) -> None:
    """Wait until a webhook can store an event. Raises Unfit if it ends before."""
    wait_until(
        lambda: not server.is_alive or is_ready(server.port),
        within_s,
        lambda: f"the webhook did not start: {server.last_words()}",
    )
    if not server.is_alive:
        raise Unfit(f"the webhook ended at its start: {server.last_words()}")


def wait_until(holds: Callable[[], object], within_s: float, otherwise: Callable[[], str]) -> None:
    """Wait for something to come true. Raises Unfit with what `otherwise` says."""
    deadline = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > deadline:
            raise Unfit(otherwise())
        time.sleep(_LOOK_S)


def _patiently(call: Callable[[], object]) -> None:
    """Write, though the server may just be starting."""
    deadline = time.monotonic() + STARTED_WITHIN_S
    while True:
        try:
            call()
        except StorageUnavailable:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return
