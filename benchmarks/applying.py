"""How many payments a second go through `apply_payment_state` in pages of a hundred, and how many are upserted one by one?

Each row is a process of its own, without Stripe and without a webhook: what is measured is reading, merging, deciding and
writing. First all payments are new and pay their invoices; then the same are read again, and nothing has changed.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.books import Books
from benchmarks.figures import Figure, Measured, Target
from benchmarks.list_server import Counts
from benchmarks.servers import plain_url
from benchmarks.shops import Shop
from benchmarks.work import cost_of

HOUR_S: Final = 3600
# Its payments a second do not depend on how many there are.
UPSERTED_MAX: Final = 5_000
_ALONE: Final = Counts(requests=0, refused=0, cpu_s=0.0)
_CHANGED, _UNCHANGED = "pages, all changed", "pages, all unchanged"
UPSERTS: Final = "upsert and commit each"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How many payments, how many times, and where fresh books come from."""

    count: int
    repeats: int
    fresh: Callable[[], Books]


class Bench:
    """Fresh books for each time that all is new; what is unchanged is read again on the last of them."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    def figures(self) -> Iterator[Figure]:
        """Measure; each figure is measured when it is asked for."""
        asked = self._asked
        many = [asked.fresh() for _ in range(asked.repeats)]
        yield self._pages(_CHANGED, [(books, 0) for books in many])
        later = [(many[-1], (n + 1) * HOUR_S) for n in range(asked.repeats)]
        yield self._pages(_UNCHANGED, later)
        books, count = asked.fresh(), min(asked.count, UPSERTED_MAX)
        Shop("afternoon", books).make_schema()
        for words in ("all new", "all unchanged"):
            run = _run("upserts", url=plain_url(books), count=count)
            yield Figure(name=f"{UPSERTS}, {words}", objects=count, runs=[run])

    def _pages(self, name: str, runs: Sequence[tuple[Books, int]]) -> Figure:
        count = self._asked.count
        done = [
            _run(
                "apply",
                url=books.url,
                schema=books.schema,
                count=count,
                later_s=later_s,
                billed=later_s > 0,
            )
            for books, later_s in runs
        ]
        return Figure(name=name, objects=count, runs=done)


def _run(task: str, **given: Any) -> Measured:
    return Measured(cost_of(task, **given), _ALONE)


def targets(figures: Sequence[Figure], kind: str) -> list[Target[Figure]]:
    """What the project promises of these figures; those of SQLite are promised."""
    changed, unchanged, upserted, again = figures
    promised = kind == "SQLite"
    return [
        Target("all changed: payments/s, at least 5,000", changed, lambda f: f.median_per_s, 5000 if promised else None),
        Target("all unchanged: payments/s, at least 15,000", unchanged, lambda f: f.median_per_s, 15000 if promised else None),
        Target("all changed: times the upserts", changed, lambda f: f.median_per_s / upserted.median_per_s),
        Target("all unchanged: times the upserts", unchanged, lambda f: f.median_per_s / again.median_per_s),
    ]  # fmt: skip
