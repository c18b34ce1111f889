"""What if the database is away for a moment, in the middle of a run of an hour?

A lock that is held for long, or a server that starts again: what was not committed is tried again, a few times. Everything that
a run writes may be written twice.
"""

from collections.abc import Callable
from typing import Final, TypeVar

import structlog

from reconciler.db.session import StorageUnavailable, Tx
from reconciler.poll.poller import Poller
from reconciler.poll.runs import line_of
from reconciler.stripe_api.gateway import Gateway

log = structlog.get_logger(__name__)

T = TypeVar("T")
# A server is back in seconds; whoever waits for longer had better be told.
_PAUSES_S: Final = (1.0, 5.0)


def reading(poller: Poller, ask: Callable[[Tx], T]) -> T:
    """Ask our books something, patiently."""

    def step() -> T:
        with poller.db.reading() as tx:
            return ask(tx)

    return patiently(poller.gateway, step)


def writing(poller: Poller, write: Callable[[Tx], T]) -> T:
    """Write something in a transaction of its own, patiently."""

    def step() -> T:
        with poller.db.writing() as tx:
            return write(tx)

    return patiently(poller.gateway, step)


def patiently(gateway: Gateway, step: Callable[[], T]) -> T:
    """Do a step that writes to the database; again after a pause where that was away. Raises what its last try raised, or Stopped."""
    for pause_s in _PAUSES_S:
        try:
            return step()
        except StorageUnavailable as problem:
            log.warning("database.waited_for", problem=line_of(problem), pause_s=pause_s)
            gateway.wait(pause_s)
    return step()
