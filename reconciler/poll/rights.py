"""What may our key not read?

A missing right is one exception for all objects of a kind, open until something of that kind can be read. It is never taken
for "there is nothing".
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

import structlog

from reconciler.core.exceptions import ExceptionKind
from reconciler.db import alerts
from reconciler.db.session import Tx
from reconciler.poll.poller import Poller
from reconciler.poll.runs import line_of
from reconciler.stripe_api.problems import ProblemKind, StripeProblem

log = structlog.get_logger(__name__)

_KIND: Final = ExceptionKind.READ_FORBIDDEN
_UNKNOWN_KEY: Final = 401


@contextmanager
def watched(poller: Poller, kind: str) -> Iterator[None]:
    """Call a person if objects of a kind may not be read inside the block, and no longer once they may."""
    try:
        yield
    except StripeProblem as problem:
        if problem.kind is ProblemKind.FORBIDDEN:
            with poller.db.writing() as tx:
                missing(tx, kind, problem, poller.now())
        raise
    with poller.db.reading() as tx:
        was_missing = alerts.is_open(tx, kind=_KIND, subject=kind)
    if was_missing:
        with poller.db.writing() as tx:
            there(tx, [kind], poller.now())


def missing(tx: Tx, kind: str, problem: StripeProblem, now: datetime) -> None:
    """Call a person because no object of a kind may be read; once, however many there are."""
    if alerts.open_alert(tx, kind=_KIND, subject=kind, fingerprint=_cause(problem), now=now):
        log.error("read.forbidden", kind=kind, problem=line_of(problem))


def _cause(problem: StripeProblem) -> str:
    """What a person must mend: the key, a right by Stripe's word for it, or what kind of answer there was."""
    return "401" if problem.status == _UNKNOWN_KEY else problem.right or problem.kind.value


def there(tx: Tx, kinds: Iterable[str], now: datetime) -> None:
    """Ask nobody any more about the right to read these kinds, or objects, because they were read."""
    alerts.close_alerts(tx, kind=_KIND, subjects=kinds, now=now)
