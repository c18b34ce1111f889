"""What does each part of a run know of the run, and how does a part end it?"""

from dataclasses import dataclass, field

from reconciler.core.calendar import DayRange
from reconciler.core.schedule import Window
from reconciler.poll.poller import Poller
from reconciler.reconcile.hands import Hand
from reconciler.reconcile.progress import Meter
from reconciler.reconcile.stretches import OBJECTS_MIN


class RunCut(Exception):  # noqa: N818 - it names what became of the run
    """The run can't go on for a reason of its own; the message is one sentence with the mend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run on its way: over which days, what of them it covers, and what it does with what it reads.

    `token` is this program's hold on it.
    """

    poller: Poller
    id: int
    token: int
    is_dry: bool
    days: DayRange
    covered: Window
    hand: Hand
    meter: Meter
    least: int = OBJECTS_MIN
    edges: tuple[int, ...] = field(default=())
