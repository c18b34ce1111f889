"""What of a range can no list of the range tell?

What became of a payment that is not over may lie behind the range: a refund made later, a dispute that was closed. And what
the lists themselves could not decide waits to be read by its id.
"""

from typing import Final

from reconciler.db import evidence, runs, spans, waiting
from reconciler.db.ended import require_open
from reconciler.db.evidence import Fetch
from reconciler.poll.fetches import AT_ONCE, read_due
from reconciler.poll.poller import Poller
from reconciler.poll.taking import Taking
from reconciler.reconcile.slicing import Run, RunCut, is_gone, missing

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
        if gone:
            with run.poller.db.writing() as tx:
                require_open(tx, run.id)
                runs.keep_differences(tx, run.id, [missing(tx, *each) for each in gone])
        after = page[-1].payment_id


def read_put_off(run: Run, taking: Taking) -> None:
    """Read all that waits to be read, and at once what of the range was put off until later."""
    with run.poller.db.writing() as tx:
        waiting.bring_forward(tx, run.covered, run.poller.now())
    read_doubts(run.poller, taking)


def put_off(run: Run) -> list[tuple[str, str]]:
    """What of the range could not be read, and waits to be read later, by kind and id; of very many only the oldest."""
    with run.poller.db.reading() as tx:
        return waiting.put_off(tx, run.covered, run.poller.now(), limit=READS_MAX)


def read_doubts(poller: Poller, taking: Taking) -> None:
    """Read all that waits to be read, and what such reads ask for. Raises RunCut if that does not come to an end."""
    for _ in range(READS_MAX // AT_ONCE):
        if not doubts(poller, limit=1):
            return
        read_due(poller, taking)
    raise RunCut(f"more than {READS_MAX} objects wait to be read: let the daemon read them first")


def doubts(poller: Poller, *, limit: int = READS_MAX) -> list[Fetch]:
    """What waits to be read now."""
    with poller.db.reading() as tx:
        return evidence.due(tx, poller.now(), limit=limit)
