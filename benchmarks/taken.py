"""What is told of deliveries that were taken, and what must hold of them?"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from benchmarks.figures import Column, Target
from benchmarks.load import Answers
from benchmarks.sheets import Bar

OURS, OURS_TWICE = "ours", "ours, two processes"
AGAIN, BESIDE = "ours, the same events again", "ours, while a reconcile runs"
AFTERNOON, STORING, EMPTY = "the afternoon's handler", "storing alone", "an empty handler"
TIMES: Final = MappingProxyType({"SQLite": 5.0, "PostgreSQL": 4.0})
SHARE_OF_STORING: Final = 0.6


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One run: the answers, what they cost the server, and how many were acknowledged and lost."""

    answers: Answers
    cpu_s: float
    rss_mib: float
    lost: int

    @property
    def per_s(self) -> float:
        """Deliveries that were answered, a second."""
        return self.answers.answered / self.answers.wall_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """The runs of one system at so many connections; what is told is that of the run in the middle."""

    name: str
    connections: int
    runs: Sequence[Taken]

    @property
    def middle(self) -> Taken:
        """The run with the median of deliveries a second."""
        return sorted(self.runs, key=lambda run: run.per_s)[len(self.runs) // 2]

    @property
    def per_s(self) -> float:
        """Deliveries a second."""
        return self.middle.per_s

    @property
    def cpu_us(self) -> float:
        """Microseconds of the server's CPU for each delivery."""
        return self.middle.cpu_s / self.middle.answers.answered * 1e6

    @property
    def load_cpu_us(self) -> float:
        """The same for the load itself: what no server could be asked faster than."""
        return self.middle.answers.cpu_s / self.middle.answers.answered * 1e6

    @property
    def cores(self) -> float:
        """How many cores the server kept busy."""
        return self.middle.cpu_s / self.middle.answers.wall_s

    @property
    def rss_mib(self) -> float:
        """The most memory that one program had after any run, with its children."""
        return max(run.rss_mib for run in self.runs)

    @property
    def refused(self) -> int:
        """How many were not acknowledged, in all runs."""
        return sum(run.answers.refused for run in self.runs)

    @property
    def lost(self) -> int:
        """How many were acknowledged and are not in the database, in all runs."""
        return sum(run.lost for run in self.runs)


def columns(figures: Sequence[Figure]) -> tuple[Column[Figure], ...]:
    """What is shown of each figure; its ratio is to the afternoon's handler at as many connections."""
    base = {each.connections: each.per_s for each in figures if each.name == AFTERNOON}

    def times(figure: Figure) -> float | None:
        found = base.get(figure.connections)
        return figure.per_s / found if found else None

    return (
        ("what", "", lambda f: f.name),
        ("connections", ",", lambda f: f.connections),
        ("requests/s", ",.0f", lambda f: f.per_s),
        ("times the afternoon's", ".1f", times),
        ("p50 ms", ".1f", lambda f: f.middle.answers.p50_ms),
        ("p95 ms", ".1f", lambda f: f.middle.answers.p95_ms),
        ("p99 ms", ".1f", lambda f: f.middle.answers.p99_ms),
        ("CPU us a request", ".0f", lambda f: f.cpu_us),
        ("cores", ".2f", lambda f: f.cores),
        ("RSS MiB", ".0f", lambda f: f.rss_mib),
        ("not 200", ",", lambda f: f.refused),
        ("lost", ",", lambda f: f.lost),
        ("CPU us of the load", ".0f", lambda f: f.load_cpu_us),
    )


def targets(figures: Sequence[Figure], kind: str) -> list[Target[Figure]]:
    """What the project promises of these figures; it is promised at the most connections, of one process."""
    most = max(each.connections for each in figures if each.name == OURS)
    [ours, afternoon, storing] = [
        _named(figures, name, most) for name in (OURS, AFTERNOON, STORING)
    ]
    biggest = max((each for each in figures if each.name.startswith(OURS)), key=lambda f: f.rss_mib)
    worst = max(figures, key=lambda f: f.refused)
    loser = max(figures, key=lambda f: f.lost)
    at, times = f"at {most} connections", TIMES[kind]
    return [
        Target(f"{at}: times the afternoon's handler, at least {times:.0f}", ours, lambda f: f.per_s / afternoon.per_s, times),
        Target(f"{at}: p99 in ms, at most 40", ours, lambda f: f.middle.answers.p99_ms, at_most=40),
        Target(f"{at}: of storing alone, at least {SHARE_OF_STORING}", ours, lambda f: f.per_s / storing.per_s, SHARE_OF_STORING),
        Target("RSS of serve and its child in MiB, at most 150", biggest, lambda f: f.rss_mib, at_most=150),
        Target("answers that were not 200, at most 0", worst, lambda f: f.refused, at_most=0),
        Target("acknowledged and not in the database, at most 0", loser, lambda f: f.lost, at_most=0),
    ]  # fmt: skip


def bars(figures: Sequence[Figure]) -> list[Bar]:
    """The deliveries a second at the most connections."""
    most = max(each.connections for each in figures if each.name == OURS)
    names = (OURS, OURS_TWICE, AFTERNOON, STORING, EMPTY)
    shown = [_named(figures, name, most) for name in names]
    return [
        Bar(
            says=f"{each.name}, {most} connections",
            value=each.per_s,
            is_ours=each.name.startswith(OURS),
        )
        for each in shown
    ]


def _named(figures: Sequence[Figure], name: str, connections: int) -> Figure:
    [found] = [each for each in figures if (each.name, each.connections) == (name, connections)]
    return found
