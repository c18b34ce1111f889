"""How are costs shown, beside each other and beside their targets?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final, Generic, TypeVar

from benchmarks.list_server import Counts
from benchmarks.sheets import Cell
from benchmarks.work import Cost

F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Measured:
    """One run of a task: what it took, and what it asked of the server."""

    cost: Cost
    counts: Counts


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """The runs of one task over so many objects."""

    name: str
    objects: int
    runs: Sequence[Measured]

    @property
    def best_per_s(self) -> float:
        """Objects a second in the fastest run."""
        return self.objects / min(run.cost.wall_s for run in self.runs)

    @property
    def median_per_s(self) -> float:
        """Objects a second in the run in the middle."""
        return self.objects / median(run.cost.wall_s for run in self.runs)

    @property
    def cpu_us(self) -> float:
        """Microseconds of CPU for each object, at best: what others took of the machine is not in it."""
        return min(run.cost.cpu_s for run in self.runs) / self.objects * 1e6

    @property
    def server_cpu_us(self) -> float:
        """The same for the server."""
        return min(run.counts.cpu_s for run in self.runs) / self.objects * 1e6

    @property
    def cores(self) -> float:
        """How many cores were busy at most."""
        return max(run.cost.cpu_s / run.cost.wall_s for run in self.runs)

    @property
    def rss_mib(self) -> float:
        """The most memory that any run had."""
        return max(run.cost.rss_mib for run in self.runs)

    @property
    def requests_per_1000(self) -> float:
        """Requests for 1,000 objects, at most; those for which there was no object too."""
        return max(run.counts.requests for run in self.runs) / self.objects * 1000

    @property
    def refused(self) -> int:
        """How often the server said that it was too much, in all runs."""
        return sum(run.counts.refused for run in self.runs)

    @property
    def news(self) -> int | None:
        """How many payments changed, at most; None for what keeps no books."""
        found = [run.cost.said["found"] for run in self.runs if "found" in run.cost.said]
        return max(found) if found else None


@dataclass(frozen=True, slots=True)
class Target(Generic[F]):
    """What must hold of one figure; one without a bound is only told."""

    words: str
    figure: F
    measured: Callable[[F], float]
    at_least: float | None = None
    at_most: float | None = None

    def verdict(self) -> tuple[str, float, str]:
        """The target, what was measured, and whether it is met."""
        value = self.measured(self.figure)
        if self.at_least is None and self.at_most is None:
            return self.words, value, ""
        low = self.at_least is None or value >= self.at_least
        high = self.at_most is None or value <= self.at_most
        return self.words, value, "met" if low and high else "MISSED"


# What is shown of a figure: its name, how a number is written, and the number.
Column = tuple[str, str, Callable[[F], Cell]]

COLUMNS: Final[tuple[Column[Figure], ...]] = (
    ("what", "", lambda f: f.name),
    ("objects", ",", lambda f: f.objects),
    ("objects/s, median", ",.0f", lambda f: f.median_per_s),
    ("best", ",.0f", lambda f: f.best_per_s),
    ("CPU us an object", ".1f", lambda f: f.cpu_us),
    ("cores", ".2f", lambda f: f.cores),
    ("peak RSS MiB", ".0f", lambda f: f.rss_mib),
    ("requests per 1,000", ".2f", lambda f: f.requests_per_1000),
    ("429s", "d", lambda f: f.refused),
    ("server CPU us", ".1f", lambda f: f.server_cpu_us),
    ("changed", ",", lambda f: f.news),
)
# Where there is no server, and nothing is asked.
ALONE: Final = (*COLUMNS[:7], COLUMNS[-1])
