"""What of a range can no list of the range tell?

What became of a payment that is not over may lie behind the range: a refund made later, a dispute that was closed. And what
the lists themselves could not decide waits to be read by its id.
"""

from datetime import datetime
from functools import partial
from typing import Final

from reconciler.db import holds, spans, waiting
from reconciler.db.evidence import Fetch
from reconciler.db.session import Tx
from reconciler.poll.fetches import AT_ONCE, read_these
from reconciler.poll.taking import Taking
from reconciler.reconcile.going import Run, RunCut
from reconciler.reconcile.gone import is_gone, tell_found, tell_gone
from reconciler.reconcile.patience import writing

READS_MAX: Final = 100_000


def read_unfinished(run: Run) -> None:
    """Read what belongs to payments of the range that are not final, as far as no list has just shown it."""
    after = ""
    while True:
        with run.poller.db.reading() as tx:
            page = spans.unfinished(tx, run.covered, after=after)
        if not page:
            return
        asked = [each for payment in page for each in payment.objects]
        gone = [each for each in asked if is_gone(run, *each)]
        there = {id_ for _, id_ in asked} - {id_ for _, id_ in gone}
        writing(run.poller, partial(_tell, run=run, gone=gone, there=there))
        after = page[-1].payment_id


def _tell(tx: Tx, run: Run, gone: list[tuple[str, str]], there: set[str]) -> None:
    holds.require(tx, run.id, run.token)
    tell_gone(tx, run, gone)
    tell_found(tx, run, there)


def read_put_off(run: Run, taking: Taking, began: datetime) -> None:
    """Read what of the range waits to be read, also what was put off until later."""
    with run.poller.db.writing() as tx:
        waiting.bring_forward(tx, run.covered, run.poller.now())
    read_doubts(run, taking, began)


def put_off(run: Run) -> list[tuple[str, str]]:
    """What of the range could not be read, and waits to be read later, by kind and id; of very many only the oldest."""
    with run.poller.db.reading() as tx:
        return waiting.put_off(tx, run.covered, run.poller.now(), limit=READS_MAX)


def read_doubts(run: Run, taking: Taking, began: datetime) -> None:
    """Read what of the range waits to be read, and what such reads ask for. Raises RunCut if that does not come to an end."""
    left = READS_MAX
    while due := doubts(run, began):
        if left <= 0:
            raise RunCut(
                f"more than {READS_MAX} objects wait to be read: let the daemon read them first"
            )
        for start in range(0, len(due), AT_ONCE):
            read_these(run.poller, due[start : start + AT_ONCE], taking)
        left -= len(due)


def doubts(run: Run, began: datetime) -> list[Fetch]:
    """What waits to be read now and is of the range, or was asked for since the run began; the rest is the daemon's."""
    now = run.poller.now()
    with run.poller.db.reading() as tx:
        return waiting.due(tx, run.covered, since=began, now=now, limit=READS_MAX)
