"""Measure, and print the figures beside their targets: `python -m benchmarks [name ...]`."""

import argparse
import shlex
import sys
from contextlib import AbstractContextManager
from types import MappingProxyType
from typing import Final

from benchmarks import machine
from benchmarks.books import Books, fresh_postgresql, fresh_sqlite
from benchmarks.figures import judged, table
from benchmarks.recent import Asked, Bench, targets

# One in so many PaymentIntents was never paid; 0 is none.
BENCHMARKS: Final = MappingProxyType({"recent": 0, "recent_unpaid": 5})
# The targets are those of objects that say nothing new. One that was never paid says each time that it still is not.
PROMISED: Final = frozenset({"recent"})


def main() -> None:
    """Run the benchmarks that are named, or all."""
    asked = _parser().parse_args()
    print(f"python -m benchmarks {shlex.join(sys.argv[1:])}".rstrip())
    print(*machine.described(), sep="\n")
    for name in asked.names or BENCHMARKS:
        with _books(postgresql=asked.postgresql) as books:
            _run(name, asked, books)


def _run(name: str, asked: argparse.Namespace, books: Books) -> None:
    ranges = sorted({*asked.ranges, asked.target_range})
    print(f"\n## {name}\n\nload before: {machine.load()}", flush=True)
    bench = Bench(
        Asked(
            ranges=ranges,
            target_range=asked.target_range,
            repeats=asked.repeats,
            books=books,
            unpaid_every=BENCHMARKS[name],
        )
    )
    figures = []
    for figure in bench.figures():
        print(f"{figure.name}, {figure.objects:,}: {figure.median_per_s:,.0f} a second", flush=True)
        figures.append(figure)
    print(f"load after: {machine.load()}\n", *table(figures), sep="\n", flush=True)
    if name in PROMISED:
        print("", *judged(targets(figures, asked.target_range)), sep="\n", flush=True)


def _books(*, postgresql: bool) -> AbstractContextManager[Books]:
    return fresh_postgresql() if postgresql else fresh_sqlite()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(BENCHMARKS))
    parser.add_argument("--ranges", type=_counts, default=(10_000, 100_000, 300_000))
    parser.add_argument("--target-range", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--postgresql", action="store_true", help="not on a SQLite file")
    return parser


def _counts(text: str) -> tuple[int, ...]:
    return tuple(int(each) for each in text.split(","))


if __name__ == "__main__":
    main()
