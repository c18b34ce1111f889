"""Which suites are there, in how many parts are they played, and what do they claim?"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from reconciler.db.migrate import upgrade
from tests.databases import NoPostgres, PostgresServer, own_server
from tests.torture import blows, crashes, days, shortage, storms, syscalls
from tests.torture.ground import Ground
from tests.torture.outcome import Outcome, Skipped
from tests.torture.points import POINTS

_SQLITE: Final = ("sqlite",)
_POSTGRESQL: Final = ("postgresql",)
_BOTH: Final = ("sqlite", "postgresql")


class Grounds:
    """The databases of a run; a server is started only when somebody asks for it."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self._folder, self._stack = folder, stack
        self._grounds: dict[str, Ground] = {}
        self.server: PostgresServer | None = None

    def of(self, engine: str) -> Ground:
        """The ground of a database. Raises Skipped where there is no PostgreSQL."""
        if engine not in self._grounds:
            folder = self._folder / engine
            folder.mkdir()
            self._grounds[engine] = self._made(engine, folder)
            self._stack.callback(self._grounds[engine].close)
            self._stack.callback(self._grounds[engine].end_all)
        return self._grounds[engine]

    def _made(self, engine: str, folder: Path) -> Ground:
        if engine == "sqlite":
            return Ground(engine, folder, f"sqlite:///{folder / 'reconciler.db'}", "reconciler")
        try:
            self.server = self._stack.enter_context(own_server())
        except NoPostgres as missing:
            folder.rmdir()
            raise Skipped(str(missing)) from None
        ground = Ground(engine, folder, self.server.url, "torture")
        upgrade(ground.db)
        return ground


def never_reached(figures: Mapping[str, Mapping[str, int]]) -> list[str]:
    """The points by which nobody came in all parts together, on each database that they were tried on."""
    tried: dict[str, Counter[str]] = {}
    for key, each in figures.items():
        suite, engine, _ = key.split("/")
        if suite == "points":
            tried.setdefault(engine, Counter()).update(each)
    return [
        f"{point.name} on {engine}"
        for engine, counts in tried.items()
        for point in POINTS
        if not counts[f"died at {point.name}"]
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One part of a suite: where, with which seed and how many blows, at which points (none: all), and whether in short."""

    ground: Ground
    server: PostgresServer | None
    seed: int
    cycles: int
    names: Sequence[str] = ()
    is_short: bool = False


Play = Callable[[Wanted], Outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """What is played in `parts`, of `cycles` blows where it storms; in few of both where it must be short."""

    name: str
    claim: str
    play: Play
    engines: tuple[str, ...] = _BOTH
    parts: int = 1
    cycles: int = 1
    short_parts: int = 1
    short_cycles: int = 1
    summary: Callable[[Counter[str]], str]


def _points(wanted: Wanted) -> Outcome:
    names, turn = wanted.names, 2 * wanted.seed + _BOTH.index(wanted.ground.engine)
    if wanted.is_short and not names:
        # A quarter of them on each database, another quarter with the next seed.
        names = [each.name for each in POINTS[turn % 4 :: 4]]
    return crashes.play(wanted.ground, wanted.seed, names)


def _plug(wanted: Wanted) -> Outcome:
    assert wanted.server is not None
    return blows.play_plug(wanted.ground, wanted.seed, wanted.cycles, wanted.server)


def _of_points(whole: Counter[str]) -> str:
    deaths = [whole[f"died at {each.name}"] for each in POINTS if whole[f"died at {each.name}"]]
    return (
        f"{whole['crashes']} deaths at {len(deaths)} of {len(POINTS)} points, each of these at least {min(deaths, default=0)} times:"
        " 0 lost, 0 doubled, digest equal"
    )


def _of_storms(whole: Counter[str]) -> str:
    return (
        f"{whole['cycles']} cycles, {whole['acknowledged events']} events acknowledged:"
        " 0 lost, 0 doubled, books true"
    )


def _all(whole: Counter[str]) -> str:
    return ", ".join(f"{number} {name}" for name, number in sorted(whole.items()))


SUITES: Final = {
    each.name: each
    for each in (
        Suite(
            name="points",
            claim="kill -9 between any two steps leaves the books of a run without it",
            play=_points,
            parts=20,
            summary=_of_points,
        ),
        Suite(
            name="kills",
            claim="kill -9 of webhooks, daemons and finance under load loses and doubles nothing",
            play=lambda each: storms.play(each.ground, each.seed, each.cycles, storms.kill),
            parts=40,
            cycles=50,
            short_cycles=25,
            summary=_of_storms,
        ),
        Suite(
            name="plug",
            claim="an immediate stop of PostgreSQL under load loses nothing that was acknowledged",
            play=_plug,
            engines=_POSTGRESQL,
            parts=20,
            cycles=10,
            short_cycles=3,
            summary=_of_storms,
        ),
        Suite(
            name="proxies",
            claim="swallowed answers, cuts and stalls between us, PostgreSQL and Stripe leave one effect",
            play=lambda each: blows.play_proxies(each.ground, each.seed, each.cycles),
            parts=20,
            cycles=20,
            short_cycles=8,
            summary=_of_storms,
        ),
        Suite(
            name="syscalls",
            claim="whichever write, fsync or open fails or kills, no acknowledged event is lost",
            play=lambda each: syscalls.play(
                each.ground, each.seed, each.cycles if each.is_short else None
            ),
            engines=_SQLITE,
            parts=1,
            cycles=12,
            short_cycles=12,
            summary=_all,
        ),
        Suite(
            name="shortage",
            claim="without disk, rights, locks or connections it says so, and goes on when they are back",
            play=lambda each: shortage.play(each.ground, each.seed, is_short=each.is_short),
            summary=_all,
        ),
        Suite(
            name="days",
            claim="business days part forty years of every zone without gap or overlap",
            play=lambda each: days.play(each.seed, each.cycles),
            engines=_SQLITE,
            cycles=0,
            short_cycles=20,
            summary=_all,
        ),
    )
}
