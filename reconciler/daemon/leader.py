"""Is it this daemon that works, or does it stand by?

Everything that the jobs do may be done twice without harm. One leads so that Stripe is asked once, and so that a cursor
tells what was really looked at.
"""

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import timedelta
from typing import Final

import structlog

from reconciler.db import leases
from reconciler.db.leases import LeaseLost
from reconciler.db.session import Database, StatementFailed, StorageUnavailable, Tx

log = structlog.get_logger(__name__)

LEASE: Final = "daemon"
TTL: Final = timedelta(seconds=15)
RENEW_S: Final = 5


# A leader that lost the lease and got it back must not finish what it began before.
_begun_under: ContextVar[int | None] = ContextVar("begun_under", default=None)


class Leader:
    """This daemon's hold on the lease. Safe to use from several threads."""

    def __init__(self, db: Database, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._db = db
        self._monotonic = monotonic
        self._holder = f"{socket.gethostname()} {os.getpid()} {secrets.token_hex(4)}"
        self._token: int | None = None
        self._until_s = float("-inf")
        self._stood_by = False
        self._lock = threading.Lock()
        self._ended = False

    @property
    def leads(self) -> bool:
        """Whether this daemon may begin a job: it holds the lease, for all it can know."""
        return self._token is not None and self._monotonic() < self._until_s

    def tend(self) -> bool:
        """Take or renew the lease; returns whether this daemon leads from now on and did not before.

        A database that is away is borne: the lease runs out, and with it the right to begin a job.
        """
        with self._lock:
            return not self._ended and self._tend()

    def _tend(self) -> bool:
        led, before_s = self.leads, self._monotonic()
        try:
            with self._db.writing() as tx:
                token = leases.hold(tx, LEASE, self._holder, self._token, ttl=TTL)
        except (StorageUnavailable, StatementFailed) as error:
            log.warning("lease.not_renewed", problem=str(error))
            return False
        had, self._token = self._token, token
        self._until_s = before_s + TTL.total_seconds()
        if token is None:
            self._stand_by(had)
            return False
        self._stood_by = False
        if not led:
            log.info("daemon.led", token=token)
        return not led

    @contextmanager
    def reign(self) -> Iterator[bool]:
        """Whether a job may be begun; what is fenced inside the block belongs to the lease as it was held then."""
        begun = _begun_under.set(self._token)
        try:
            yield self.leads
        finally:
            _begun_under.reset(begun)

    def fence(self, tx: Tx) -> None:
        """Raise LeaseLost unless the job was begun under the lease that counts, by the database's word in this transaction."""
        token = _begun_under.get()
        if token is None:
            raise LeaseLost
        leases.require(tx, LEASE, token)

    def require(self) -> None:
        """Raise LeaseLost unless the job was begun under the lease that this daemon holds, for all it can know."""
        if not self.leads or _begun_under.get() != self._token:
            raise LeaseLost

    def resign(self) -> None:
        """Give the lease up for good, so that another daemon need not wait."""
        with self._lock:
            self._ended = True
            token, self._token = self._token, None
        if token is None:
            return
        try:
            with self._db.writing() as tx:
                leases.release(tx, LEASE, token)
        except (StorageUnavailable, StatementFailed) as error:
            log.warning("lease.not_released", problem=str(error))

    def _stand_by(self, had: int | None) -> None:
        if had is not None:
            log.warning("lease.lost", token=had)
        if not self._stood_by:
            log.info("daemon.stood_by")
        self._stood_by = True
