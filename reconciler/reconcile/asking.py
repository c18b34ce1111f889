"""What does a person ask for, and what is written down of it before anything is done?"""

from dataclasses import dataclass
from datetime import datetime

from reconciler.core.calendar import DayRange
from reconciler.core.report import RunHead, RunState
from reconciler.db import runs
from reconciler.db.session import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which days, in the zone of which name, by whom; `is_dry` changes nothing and only tells what would be changed.

    `by_daemon` leaves it to the daemon.
    """

    days: DayRange
    zone: str
    is_dry: bool = False
    by: str
    by_daemon: bool = False


def ask(db: Database, asked: Asked, now: datetime) -> int:
    """Write down that a run was asked for, so that this program or the daemon can run it; returns its number."""
    head = RunHead(
        id=0,
        first_day=asked.days.first,
        last_day=asked.days.last,
        zone=asked.zone,
        is_dry=asked.is_dry,
        state=RunState.QUEUED,
        by=asked.by,
        asked_at=now,
    )
    with db.writing() as tx:
        return runs.ask(tx, head, by_daemon=asked.by_daemon)
