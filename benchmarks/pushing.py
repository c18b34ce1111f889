"""How many messages a second reach a push service, and does a webhook wait because of it?

The push service is a process of its own that checks and decrypts each message. Beside the outbox stands the sender alone, which
shows what the books cost. While the outbox is at work, payments are applied one by one in a third process, and once without it.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.books import Books
from benchmarks.figures import Figure, Measured, Target
from benchmarks.list_server import Counts
from benchmarks.push_server import served
from benchmarks.work import Cost, cost_of
from reconciler.push.keys import new_key, pem

_NOTHING: Final = Counts(requests=0, refused=0, cpu_s=0.0)
ALONE, OUTBOX, SMALL = "the sender alone", "the outbox", "the outbox, a tenth of them"
APPLY, BESIDE = "apply, one by one", "apply, one by one, beside the outbox"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How many browsers there are, how many payments are applied, and where fresh books come from."""

    count: int
    applied: int = 300
    fresh: Callable[[], Books]


class Bench:
    """A push service and its browsers for each figure."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._key = new_key()

    def figures(self) -> Iterator[Figure]:
        """Measure; each figure is measured when it is asked for."""
        count, applied, books = self._asked.count, self._asked.applied, self._asked.fresh()
        yield _figure(ALONE, count, self._sent(count))
        yield _figure(SMALL, count // 10, self._delivered(count // 10, self._asked.fresh()))
        yield _figure(OUTBOX, count, self._delivered(count, books))
        yield _figure(APPLY, applied, _applied(books, applied))
        with ThreadPoolExecutor(1) as other:
            books = self._asked.fresh()
            beside: list[Future[Cost]] = []
            cost = self._delivered(
                count, books, lambda: beside.append(other.submit(_applied, books, applied))
            )
            yield _figure(f"{OUTBOX}, beside apply", count, cost)
            yield _figure(BESIDE, applied, beside[0].result())

    def _sent(self, count: int) -> Cost:
        with self._service(count) as (base, file):
            return _whole(cost_of("send", base=base, file=file, key=pem(self._key)), count)

    def _delivered(
        self, count: int, books: Books, beside: Callable[[], None] = lambda: None
    ) -> Cost:
        """Deliver from books that are filled before; `beside` is begun with it."""
        where = {"url": books.url, "schema": books.schema}
        with self._service(count) as (base, file):
            cost_of("seed", **where, file=file, public_key=self._key.public)
            beside()
            given = {"base": base, "file": file, "key": pem(self._key)}
            return _whole(cost_of("deliver", **where, **given), count)

    @contextmanager
    def _service(self, count: int) -> Iterator[tuple[str, str]]:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            file = Path(folder) / "browsers.json"
            with served(file, count, self._key.public) as base:
                yield base, str(file)


def _whole(cost: Cost, count: int) -> Cost:
    if cost.said["objects"] != count:
        raise RuntimeError(f"{cost.said['objects']} messages of {count} were accepted")
    return cost


def _applied(books: Books, count: int) -> Cost:
    return cost_of("apply_each", url=books.url, schema=books.schema, count=count)


def _figure(name: str, count: int, cost: Cost) -> Figure:
    return Figure(name=name, objects=count, runs=[Measured(cost, _NOTHING)])


def p99_ms(figure: Figure) -> float:
    """How many milliseconds 99 of 100 applications took at most."""
    return max(run.cost.said["p99_us"] for run in figure.runs) / 1000


def targets(figures: Sequence[Figure]) -> list[Target[Figure]]:
    """What the project promises of these figures."""
    by_name = {each.name: each for each in figures}
    tray, small = by_name[OUTBOX], by_name[SMALL]
    return [
        Target("the sender alone: sends/s for each core used", by_name[ALONE], lambda f: 1e6 / f.cpu_us),
        Target("the outbox: sends/s, at least 400", tray, lambda f: f.median_per_s, 400),
        Target("the outbox: cores, at most 1", tray, lambda f: f.cores, at_most=1.05),
        Target("the outbox: peak RSS in MiB beyond that of a tenth, at most 30", tray, lambda f: f.rss_mib - small.rss_mib, at_most=30),
        Target("apply: p99 in ms", by_name[APPLY], p99_ms),
        Target("apply beside the outbox: p99 in ms", by_name[BESIDE], p99_ms),
    ]  # fmt: skip
