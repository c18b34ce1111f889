"""How does a program tell all the others that it is at work on a run, for as long as it lives?

A thread renews the hold, so that neither a slow Stripe nor a long page looks like death. What a program that lost its hold would
write of the run is refused in the transaction that would write it (`reconciler.db.holds`).
"""

import os
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog

from reconciler.db import holds
from reconciler.db.session import Database, StatementFailed, StorageUnavailable
from reconciler.poll.poller import Poller
from reconciler.reconcile.patience import patiently

log = structlog.get_logger(__name__)

RENEW_S: Final = 7.0


class RunTaken(Exception):  # noqa: N818 - it names what is the matter
    """Somebody else is at work on the run; the message is one sentence with the mend."""


def going_on(run_id: int) -> str:
    """What is told to whoever wants a run at which somebody works, or did half a minute ago."""
    return (
        f"run {run_id} is going on at this moment: let it end, `reconciler runs show {run_id}` tells how it goes; if it was"
        f" killed just now, try again in {holds.TTL.seconds} s"
    )


@contextmanager
def held(poller: Poller, run_id: int) -> Iterator[int]:
    """Hold a run while the block runs; gives the token. Raises RunTaken, StorageUnavailable or Stopped."""
    holder = f"{socket.gethostname()} {os.getpid()} {secrets.token_hex(4)}"
    token = patiently(poller.gateway, lambda: _hold(poller.db, run_id, holder, None))
    if token is None:
        raise RunTaken(going_on(run_id))
    over = threading.Event()
    renewing = threading.Thread(
        target=_renew, args=(poller.db, run_id, holder, token, over), name="hold", daemon=True
    )
    renewing.start()
    try:
        yield token
    finally:
        over.set()
        renewing.join()
        _release(poller.db, run_id, token)


def _hold(db: Database, run_id: int, holder: str, token: int | None) -> int | None:
    with db.writing() as tx:
        return holds.hold(tx, run_id, holder, token)


def _renew(db: Database, run_id: int, holder: str, token: int, over: threading.Event) -> None:
    while not over.wait(RENEW_S):
        try:
            if _hold(db, run_id, holder, token) is None:
                log.warning("run.lost", run=run_id)
                return
        except (StorageUnavailable, StatementFailed) as problem:
            log.warning("hold.not_renewed", run=run_id, problem=str(problem))


def _release(db: Database, run_id: int, token: int) -> None:
    try:
        with db.writing() as tx:
            holds.release(tx, run_id, token)
    except (StorageUnavailable, StatementFailed) as problem:
        log.warning("hold.not_released", run=run_id, problem=str(problem))
