"""How is a pass over recent objects run as the daemon runs it, but for the clock?"""

from datetime import UTC, datetime
from typing import Final

from benchmarks.shelf import DATE_S
from benchmarks.work import KEY, Said, Task
from reconciler import logs
from reconciler.db import queries
from reconciler.db.migrate import upgrade
from reconciler.db.session import open_database, transaction_open
from reconciler.inbox import Inbox
from reconciler.poll import Poller, RecentSweep, sweep_recent
from reconciler.stripe_api.gateway import Access, Gateway

VERSION: Final = "2026-10-28.endive"
SWEEP: Final = "recent"


def sweep_of(  # noqa: PLR0913 - all are named
    *, base: str, url: str, schema: str, reach_s: int, later_s: int, requests_per_s: float
) -> Task:
    """A pass over the last `reach_s` seconds, `later_s` after the first one: how many objects, and how many of them news."""
    logs.configure("json", "error")
    db = open_database(url, schema=schema, create=True)
    upgrade(db)
    access = Access(api_key=KEY, api_version=VERSION, base=base, requests_per_s=requests_per_s)
    poller = Poller(
        db=db,
        gateway=Gateway(access, before_asking=_require_no_transaction),
        inbox=Inbox(db=db),
        now=lambda: datetime.fromtimestamp(DATE_S + later_s, UTC),
    )

    def sweep_once() -> Said:
        sweep_recent(poller, RecentSweep(name=SWEEP, reach_s=reach_s))
        with db.reading() as tx:
            [run] = [each for each in queries.last_runs(tx) if each["sweep"] == SWEEP]
        return {"objects": run["objects"], "found": run["found"]}

    return sweep_once


def _require_no_transaction() -> None:
    if transaction_open():
        raise RuntimeError("Stripe was asked while a transaction was open")
