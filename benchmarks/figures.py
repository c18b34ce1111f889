"""How are costs shown, beside each other and beside their targets?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from benchmarks.list_server import Counts
from benchmarks.work import Cost


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
class Target:
    """What must hold of one figure."""

    words: str
    figure: Figure
    measured: Callable[[Figure], float]
    at_least: float | None = None
    at_most: float | None = None

    def line(self) -> str:
        """The target, what was measured, and whether it is met."""
        value = self.measured(self.figure)
        low = self.at_least is None or value >= self.at_least
        high = self.at_most is None or value <= self.at_most
        return f"| {self.words} | {value:,.2f} | {'met' if low and high else 'MISSED'} |"


_COLUMNS: Final[tuple[tuple[str, Callable[[Figure], str]], ...]] = (
    ("what", lambda f: f.name),
    ("objects", lambda f: f"{f.objects:,}"),
    ("objects/s, median", lambda f: f"{f.median_per_s:,.0f}"),
    ("best", lambda f: f"{f.best_per_s:,.0f}"),
    ("CPU us an object", lambda f: f"{f.cpu_us:.1f}"),
    ("cores", lambda f: f"{f.cores:.2f}"),
    ("peak RSS MiB", lambda f: f"{f.rss_mib:.0f}"),
    ("requests per 1,000", lambda f: f"{f.requests_per_1000:.2f}"),
    ("429s", lambda f: f"{f.refused}"),
    ("server CPU us", lambda f: f"{f.server_cpu_us:.1f}"),
    ("changed", lambda f: "" if f.news is None else f"{f.news:,}"),
)


def table(figures: Sequence[Figure]) -> list[str]:
    """The figures as a table of Markdown."""
    rows = [[show(figure) for _, show in _COLUMNS] for figure in figures]
    head = [name for name, _ in _COLUMNS]
    rule = ["---", *["---:" for _ in head[1:]]]
    return [f"| {' | '.join(row)} |" for row in [head, rule, *rows]]


def judged(targets: Sequence[Target]) -> list[str]:
    """The targets as a table of Markdown."""
    return ["| target | measured | |", "|---|---:|---|", *(each.line() for each in targets)]
