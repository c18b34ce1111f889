"""Which runs have people left to the daemon?"""

import structlog

from reconciler.core.report import RunState
from reconciler.db import runs
from reconciler.poll.poller import Poller
from reconciler.reconcile.running import run

log = structlog.get_logger(__name__)


def run_waiting(poller: Poller) -> None:
    """Do the runs that wait, the oldest first, and go on with the one that the daemon's end cut off."""
    with poller.db.reading() as tx:
        waiting = runs.of_daemon(tx)
    for each in waiting:
        head = run(poller, each.id)
        if head.state is not RunState.COMPLETE:
            log.warning("run.cut_off", run=head.id, reason=head.error)
        if head.error == runs.STOPPED:
            return
