"""Which runs have people left to the daemon?"""

import structlog

from reconciler.core.report import RunState
from reconciler.db import queued, runs
from reconciler.poll.poller import Poller
from reconciler.reconcile.holding import RunTaken
from reconciler.reconcile.running import run

log = structlog.get_logger(__name__)


def run_waiting(poller: Poller) -> None:
    """Do the runs that wait, the oldest first, and go on with those that a daemon's end, or its death, cut off.

    One that somebody else is at work on is left to them.
    """
    with poller.db.reading() as tx:
        waiting = queued.of_daemon(tx)
    for each in waiting:
        try:
            head = run(poller, each.id)
        except RunTaken:
            log.info("run.taken", run=each.id)
            continue
        if head.state is not RunState.COMPLETE:
            log.warning("run.cut_off", run=head.id, reason=head.error)
        if head.error == runs.STOPPED:
            return
