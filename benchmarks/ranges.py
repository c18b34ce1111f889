"""How fast is a range of days reconciled, and how much faster than by the loop that everybody writes?

Each row is a process of its own. The first run writes everything, those after it find nothing new. The loop stands beside
them with the same lists and the same kind of database: Stripe's library page by page, and an upsert and a commit each.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from benchmarks.books import Books
from benchmarks.figures import Figure, Measured, Target
from benchmarks.list_server import Offer
from benchmarks.recent import ALLOWED_PER_S, HOUR_S, LATENCY_S, UNHURRIED_PER_S, measured
from benchmarks.shelf import reach_s

# Its objects a second do not depend on the range, and a million of them would take it half an hour.
LOOPED_MAX: Final = 20_000
LOOP: Final = "the loop"
_WRITES_ALL: Final = "writes all"
_NOTHING_NEW: Final = "nothing new"
_FAR: Final = f"{LATENCY_S * 1000:.0f} ms, {ALLOWED_PER_S:.0f} a second"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Over how many objects, how many times where nothing is new, and on which books; those for slow lists are others."""

    count: int
    repeats: int
    books: Books
    far_books: Books


class Bench:
    """Two sets of books; on each one run follows the other, each an hour after the last."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._near = Offer(count=asked.count)
        self._far = replace(self._near, latency_s=LATENCY_S, requests_per_s=ALLOWED_PER_S)
        # A run leaves the last minute to the next one.
        self._later_s = HOUR_S

    def figures(self) -> Iterator[Figure]:
        """Measure; each figure is measured when it is asked for."""
        near, far, books = self._near, self._far, self._asked.books
        looped = replace(near, count=min(near.count, LOOPED_MAX))
        slow = replace(far, count=looped.count)
        yield self._runs(f"{_WRITES_ALL}, {books.kind}", near, books)
        yield self._runs(f"{_NOTHING_NEW}, {books.kind}", near, books, self._asked.repeats)
        yield self._loop(f"{LOOP}, {_WRITES_ALL}, {books.kind}", looped)
        yield self._loop(f"{LOOP}, {_NOTHING_NEW}, {books.kind}", looped)
        far_books = self._asked.far_books
        yield self._runs(f"{_WRITES_ALL}, {_FAR}, {books.kind}", far, far_books)
        yield self._runs(f"{_NOTHING_NEW}, {_FAR}, {books.kind}", far, far_books)
        yield self._loop(f"{LOOP}, {_NOTHING_NEW}, {_FAR}, {books.kind}", slow)

    def _runs(self, name: str, offer: Offer, books: Books, repeats: int = 1) -> Figure:
        runs = [self._run(offer, books) for _ in range(repeats)]
        return Figure(name=name, objects=offer.count, runs=runs)

    def _run(self, offer: Offer, books: Books) -> Measured:
        pace = {"requests_per_s": offer.requests_per_s or UNHURRIED_PER_S}
        return self._measured("reconcile", offer, books, **pace)

    def _loop(self, name: str, offer: Offer) -> Figure:
        run = self._measured("loop", offer, self._asked.books)
        return Figure(name=name, objects=offer.count, runs=[run])

    def _measured(self, task: str, offer: Offer, books: Books, **more: Any) -> Measured:
        later_s, self._later_s = self._later_s, self._later_s + HOUR_S
        return measured(
            task,
            offer.count,
            replace(offer, later_s=later_s),
            url=books.url,
            schema=books.schema,
            reach_s=reach_s(offer.count, later_s=later_s),
            later_s=later_s,
            **more,
        )


def targets(figures: Sequence[Figure]) -> list[Target[Figure]]:
    """What the project promises of these figures."""
    written, unchanged, written_loop, unchanged_loop, far_written, far, far_loop = figures
    ours = (written, unchanged, far_written, far)
    biggest = max(ours, key=lambda each: each.rss_mib)
    return [
        Target("nothing new: objects/s, at least 6,000", unchanged, lambda f: f.median_per_s, 6000),
        Target("writes all: objects/s, at least 3,000", written, lambda f: f.median_per_s, 3000),
        Target(f"nothing new, {_FAR}: objects/s, at least 2,250", far, lambda f: f.median_per_s, 2250),
        Target(f"writes all, {_FAR}: objects/s, at least 2,250", far_written, lambda f: f.median_per_s, 2250),
        Target("peak RSS in MiB, at most 300", biggest, lambda f: f.rss_mib, at_most=300),
        _times("nothing new", unchanged, unchanged_loop),
        _times("writes all", written, written_loop),
        _times(f"nothing new, {_FAR}", far, far_loop),
    ]  # fmt: skip


def _times(words: str, ours: Figure, loop: Figure) -> Target[Figure]:
    """How many times as fast as the loop."""
    words = f"{words}: times the loop, at least 10"
    return Target(words, ours, lambda figure: figure.median_per_s / loop.median_per_s, 10)
