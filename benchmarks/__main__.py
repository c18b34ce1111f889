"""Measure, and print the figures beside their targets: `python -m benchmarks [name ...]`."""

import argparse
import shlex
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Final

from benchmarks import machine, ranges, recent
from benchmarks.books import Books, fresh_postgresql, fresh_sqlite
from benchmarks.figures import Figure, Target, judged, table

# One in so many PaymentIntents was never paid; 0 is none.
UNPAID_EVERY: Final = MappingProxyType({"recent": 0, "recent_unpaid": 5})
RECONCILE: Final = "reconcile"
BENCHMARKS: Final = (*UNPAID_EVERY, RECONCILE)
# The targets are those of objects that say nothing new. One that was never paid says each time that it still is not.
PROMISED: Final = frozenset({"recent"})


def main() -> None:
    """Run the benchmarks that are named, or all."""
    asked = _parser().parse_args()
    print(f"python -m benchmarks {shlex.join(sys.argv[1:])}".rstrip())
    print(*machine.described(), sep="\n")
    for name in asked.names or BENCHMARKS:
        print(f"\n## {name}\n\nload before: {machine.load()}", flush=True)
        _print(_reconcile(asked) if name == RECONCILE else _recent(name, asked))


def _recent(name: str, asked: argparse.Namespace) -> list[Target]:
    counts = sorted({*asked.ranges, asked.target_range})
    with _books(postgresql=asked.postgresql) as books:
        bench = recent.Bench(
            recent.Asked(
                ranges=counts,
                target_range=asked.target_range,
                repeats=asked.repeats,
                books=books,
                unpaid_every=UNPAID_EVERY[name],
            )
        )
        figures = _measured(bench.figures())
    return recent.targets(figures, asked.target_range) if name in PROMISED else []


def _reconcile(asked: argparse.Namespace) -> list[Target]:
    kind = asked.postgresql
    with _books(postgresql=kind) as books, _books(postgresql=kind) as far_books:
        bench = ranges.Bench(
            ranges.Asked(
                count=asked.target_range, repeats=asked.repeats, books=books, far_books=far_books
            )
        )
        return ranges.targets(_measured(bench.figures()))


def _measured(figures: Iterable[Figure]) -> list[Figure]:
    """Measure, tell each figure as soon as it is there, and then all."""
    found = []
    for figure in figures:
        print(f"{figure.name}, {figure.objects:,}: {figure.median_per_s:,.0f} a second", flush=True)
        found.append(figure)
    print(f"load after: {machine.load()}\n", *table(found), sep="\n", flush=True)
    return found


def _print(targets: list[Target]) -> None:
    if targets:
        print("", *judged(targets), sep="\n", flush=True)


def _books(*, postgresql: bool) -> AbstractContextManager[Books]:
    return fresh_postgresql() if postgresql else fresh_sqlite()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(BENCHMARKS))
    parser.add_argument("--ranges", type=_counts, default=(10_000, 100_000, 300_000))
    parser.add_argument(
        "--target-range", type=int, default=100_000, help="the only one that is reconciled"
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--postgresql", action="store_true", help="not on a SQLite file")
    return parser


def _counts(text: str) -> tuple[int, ...]:
    return tuple(int(each) for each in text.split(","))


if __name__ == "__main__":
    main()
