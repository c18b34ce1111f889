"""Measure, and print the figures beside their targets: `python -m benchmarks [name ...]`."""

import argparse
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final, TypeVar

from benchmarks import applying, chart, machine, pushing, ranges, recent, sheets, taken, webhooks
from benchmarks.books import Books, many_postgresql, many_sqlite
from benchmarks.figures import ALONE, COLUMNS, Column, Figure, Target
from benchmarks.sheets import Bar, Sheet

# One in so many PaymentIntents was never paid; 0 is none.
UNPAID_EVERY: Final = MappingProxyType({"recent": 0, "recent_unpaid": 5})
BENCHMARKS: Final = ("webhooks", "apply", *UNPAID_EVERY, "reconcile", "push")
# The targets are those of objects that say nothing new. One that was never paid says each time that it still is not.
PROMISED: Final = frozenset({"recent"})

Fresh = Callable[[], Books]
F = TypeVar("F")


def main() -> None:
    """Run the benchmarks that are named, or all."""
    asked = _parser().parse_args()
    # What can't be written must not be found out after an hour.
    for place in (asked.chart, asked.json):
        place.parent.mkdir(parents=True, exist_ok=True)
    print(f"python -m benchmarks {shlex.join(sys.argv[1:])}".rstrip())
    print(*machine.described(), sep="\n")
    kinds = ("SQLite", "PostgreSQL") if asked.both else ("SQLite",)
    for kind in ("PostgreSQL",) if asked.postgresql else kinds:
        for name in asked.names or BENCHMARKS:
            print(f"\n## {name}, {kind}\n\nload before: {machine.load()}", flush=True)
            with _many(kind) as fresh:
                sheet = _sheet(name, kind, asked, fresh)
            print("", *sheet.judged(), "", *sheet.table(), sep="\n", flush=True)
            asked.chart.write_text(chart.drawn(sheets.keep(asked.json, sheet)))


def _sheet(name: str, kind: str, asked: argparse.Namespace, fresh: Fresh) -> Sheet:
    match name:
        case "webhooks":
            return _webhooks(kind, asked, fresh)
        case "apply":
            return _apply(kind, asked, fresh)
        case "reconcile":
            return _reconcile(kind, asked, fresh)
        case "push":
            return _push(kind, asked, fresh)
        case _:
            return _recent(name, kind, asked, fresh)


def _webhooks(kind: str, asked: argparse.Namespace, fresh: Fresh) -> Sheet:
    bench = webhooks.Bench(
        webhooks.Asked(
            connections=asked.connections,
            seconds=asked.seconds,
            repeats=asked.repeats,
            fresh=fresh,
        )
    )
    told = _told()
    found = []
    for each in bench.figures():
        print(f"{each.name}, {each.connections}: {each.per_s:,.0f} a second", flush=True)
        found.append(each)
    goals = taken.targets(found, kind)
    columns = taken.columns(found)
    return _made(("webhooks", kind), told, columns, found, goals, taken.bars(found))


def _apply(kind: str, asked: argparse.Namespace, fresh: Fresh) -> Sheet:
    told = _told()
    bench = applying.Bench(applying.Asked(count=asked.payments, repeats=asked.repeats, fresh=fresh))
    found = _measured(bench.figures())
    goals = applying.targets(found, kind)
    return _made(("apply", kind), told, ALONE, found, goals, _bars(found))


def _recent(name: str, kind: str, asked: argparse.Namespace, fresh: Fresh) -> Sheet:
    told = _told()
    bench = recent.Bench(
        recent.Asked(
            ranges=sorted({*asked.ranges, asked.target_range}),
            target_range=asked.target_range,
            repeats=asked.repeats,
            books=fresh(),
            unpaid_every=UNPAID_EVERY[name],
        )
    )
    found = _measured(bench.figures())
    goals = recent.targets(found, asked.target_range) if name in PROMISED else []
    return _made((name, kind), told, COLUMNS, found, goals)


def _reconcile(kind: str, asked: argparse.Namespace, fresh: Fresh) -> Sheet:
    told = _told()
    bench = ranges.Bench(
        ranges.Asked(
            count=asked.target_range, repeats=asked.repeats, books=fresh(), far_books=fresh()
        )
    )
    found = _measured(bench.figures())
    return _made(("reconcile", kind), told, COLUMNS, found, ranges.targets(found), _bars(found[:4]))


def _push(kind: str, asked: argparse.Namespace, fresh: Fresh) -> Sheet:
    told = _told()
    bench = pushing.Bench(pushing.Asked(count=asked.browsers, fresh=fresh))
    found = _measured(bench.figures())
    return _made(("push", kind), told, ALONE, found, pushing.targets(found))


def _measured(measured: Iterable[Figure]) -> list[Figure]:
    """Measure, and tell each figure as soon as it is there."""
    found = []
    for figure in measured:
        print(f"{figure.name}, {figure.objects:,}: {figure.median_per_s:,.0f} a second", flush=True)
        found.append(figure)
    return found


def _made(  # noqa: PLR0913, PLR0917 - the parts of a sheet
    name: tuple[str, str],
    told: Sequence[str],
    columns: Sequence[Column[F]],
    found: Sequence[F],
    goals: Sequence[Target[F]],
    bars: Sequence[Bar] = (),
) -> Sheet:
    return Sheet(
        benchmark=name[0],
        database=name[1],
        told=[*told, f"load after: {machine.load()}"],
        columns=[(words, form) for words, form, _ in columns],
        rows=[[value(each) for _, _, value in columns] for each in found],
        targets=[goal.verdict() for goal in goals],
        bars=bars,
    )


def _bars(found: Sequence[Figure]) -> list[Bar]:
    """All of these figures; the baselines are those that an afternoon gives."""
    theirs = (applying.UPSERTS, ranges.LOOP)
    return [
        Bar(says=each.name, value=each.median_per_s, is_ours=not each.name.startswith(theirs))
        for each in found
    ]


def _told() -> list[str]:
    """When, where and by which command."""
    command = f"`python -m benchmarks {shlex.join(sys.argv[1:])}".rstrip() + "`"
    day = datetime.now(UTC).date().isoformat()
    return [f"{day}, {command}", *machine.described(), f"load before: {machine.load()}"]


def _many(kind: str) -> AbstractContextManager[Fresh]:
    return many_postgresql() if kind == "PostgreSQL" else many_sqlite()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(BENCHMARKS))
    parser.add_argument("--ranges", type=_counts, default=(10_000, 100_000, 300_000))
    parser.add_argument(
        "--target-range", type=int, default=100_000, help="the only one that is reconciled"
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--connections", type=_counts, default=(1, 16, 64), help="of webhooks")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each run of webhooks")
    parser.add_argument("--payments", type=int, default=20_000, help="that are applied")
    parser.add_argument("--browsers", type=int, default=10_000, help="that are pushed to")
    parser.add_argument("--postgresql", action="store_true", help="not on a SQLite file")
    parser.add_argument("--both", action="store_true", help="on a SQLite file, then on PostgreSQL")
    parser.add_argument("--json", type=Path, default=Path("build/benchmarks.json"))
    parser.add_argument("--chart", type=Path, default=Path("build/benchmarks.svg"))
    return parser


def _counts(text: str) -> tuple[int, ...]:
    return tuple(int(each) for each in text.split(","))


if __name__ == "__main__":
    main()
