"""Which suites are there, in how many parts are they played, and what do they claim?"""

from collections import Counter
from collections.abc import Callable, Mapping
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


Play = Callable[[Grounds, Ground, int, int, list[str], bool], Outcome]


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


def _points(
    _: Grounds, ground: Ground, seed: int, __: int, names: list[str], short: bool
) -> Outcome:
    if short and not names:
        # A quarter of them on each database, another quarter with the next seed.
        names = [each.name for each in POINTS[(2 * seed + _BOTH.index(ground.engine)) % 4 :: 4]]
    return crashes.play(ground, seed, names)


def _kills(_: Grounds, ground: Ground, seed: int, cycles: int, __: object, ___: bool) -> Outcome:
    return storms.play(ground, seed, cycles, storms.kill)


def _plug(
    grounds: Grounds, ground: Ground, seed: int, cycles: int, __: object, ___: bool
) -> Outcome:
    assert grounds.server is not None
    return blows.play_plug(ground, seed, cycles, grounds.server)


def _proxies(_: Grounds, ground: Ground, seed: int, cycles: int, __: object, ___: bool) -> Outcome:
    return blows.play_proxies(ground, seed, cycles)


def _syscalls(
    _: Grounds, ground: Ground, seed: int, cycles: int, __: object, short: bool
) -> Outcome:
    return syscalls.play(ground, seed, cycles if short else None)


def _shortage(_: Grounds, ground: Ground, seed: int, __: int, ___: object, short: bool) -> Outcome:
    return shortage.play(ground, seed, is_short=short)


def _days(_: Grounds, __: Ground, seed: int, cycles: int, ___: object, ____: bool) -> Outcome:
    return days.play(seed, cycles)


def _of_points(whole: Counter[str]) -> str:
    least = min(whole[f"died at {each.name}"] for each in POINTS)
    return (
        f"{whole['crashes']} deaths at {len(POINTS)} points, each at least {least} times:"
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
            play=_kills,
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
            play=_proxies,
            parts=20,
            cycles=20,
            short_cycles=8,
            summary=_of_storms,
        ),
        Suite(
            name="syscalls",
            claim="whichever write, fsync or open fails or kills, no acknowledged event is lost",
            play=_syscalls,
            engines=_SQLITE,
            parts=1,
            cycles=12,
            short_cycles=12,
            summary=_all,
        ),
        Suite(
            name="shortage",
            claim="without disk, rights, locks or connections it says so, and goes on when they are back",
            play=_shortage,
            summary=_all,
        ),
        Suite(
            name="days",
            claim="business days part forty years of every zone without gap or overlap",
            play=_days,
            engines=_SQLITE,
            cycles=0,
            short_cycles=20,
            summary=_all,
        ),
    )
}
