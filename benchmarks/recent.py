"""How fast is a pass over recent PaymentIntents of which none has changed, and what does it cost?

Each row is a process of its own. The first pass applies everything; those after it find it unchanged. Beside it stand the
same pages read by nothing but sockets, which shows what the server can give, and by the Stripe library alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from benchmarks.books import Books
from benchmarks.figures import Figure, Measured, Target
from benchmarks.list_server import Offer, served
from benchmarks.shelf import reach_s
from benchmarks.work import cost_of

LATENCY_S: Final = 0.08
ALLOWED_PER_S: Final = 25.0
# The gateway's own pace must not be what is measured where the server has none.
UNHURRIED_PER_S: Final = 1e6
HOUR_S: Final = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Over how many objects, how many times, and on which books; each `unpaid_every`-th was never paid."""

    ranges: Sequence[int]
    target_range: int
    repeats: int
    books: Books
    unpaid_every: int = 0


class Bench:
    """One set of books, on which one pass follows the other, each an hour after the last."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._near = Offer(
            count=max(*asked.ranges, asked.target_range), unpaid_every=asked.unpaid_every
        )
        self._far = replace(self._near, latency_s=LATENCY_S, requests_per_s=ALLOWED_PER_S)
        self._later_s = 0

    def figures(self) -> Iterator[Figure]:
        """Measure; each figure is measured when it is asked for."""
        asked, near, far = self._asked, self._near, self._far
        kind, target = asked.books.kind, asked.target_range
        for count in asked.ranges:
            yield self._figure("the server alone", count, near, "drain", asked.repeats)
        yield self._figure(f"first pass, {kind}", near.count, near, "sweep", 1)
        for count in asked.ranges:
            yield self._figure(f"pass, {kind}", count, near, "sweep", asked.repeats)
        yield self._figure("the Stripe library alone", target, near, "library", 1)
        words = f"{LATENCY_S * 1000:.0f} ms, {ALLOWED_PER_S:.0f} a second"
        yield self._figure(f"the server alone, {words}", target, far, "drain", 1)
        yield self._figure(f"pass, {words}, {kind}", target, far, "sweep", asked.repeats)

    def _figure(self, name: str, count: int, offer: Offer, task: str, repeats: int) -> Figure:
        run = partial(self._swept if task == "sweep" else self._read, task)
        return Figure(name=name, objects=count, runs=[run(count, offer) for _ in range(repeats)])

    def _read(self, task: str, count: int, offer: Offer) -> Measured:
        return measured(task, count, offer, reach_s=reach_s(count))

    def _swept(self, task: str, count: int, offer: Offer) -> Measured:
        later_s, self._later_s = self._later_s, self._later_s + HOUR_S
        books = self._asked.books
        return measured(
            task,
            count,
            replace(offer, later_s=later_s),
            url=books.url,
            schema=books.schema,
            reach_s=reach_s(count, later_s=later_s),
            later_s=later_s,
            requests_per_s=offer.requests_per_s or UNHURRIED_PER_S,
        )


def measured(task: str, count: int, offer: Offer, **given: Any) -> Measured:
    """Do a task in a process of its own, and check that it read as many objects as there are."""
    with served(offer) as server:
        server.counts()
        cost = cost_of(task, base=server.base, **given)
        if cost.said["objects"] != count:
            raise RuntimeError(f"{task} read {cost.said['objects']} objects in place of {count}")
        return Measured(cost, server.counts())


def targets(figures: Sequence[Figure], target_range: int) -> list[Target[Figure]]:
    """What the project promises of these figures."""
    passes = [each for each in figures if each.name.startswith("pass")]
    [near, far] = [each for each in passes if each.objects == target_range]
    long = [each for each in passes if each.objects >= target_range]
    biggest = max(passes, key=lambda each: each.rss_mib)
    chattiest = max(long, key=lambda each: each.requests_per_1000)
    return [
        Target("no latency: objects/s, at least 6,000", near, lambda f: f.median_per_s, 6000),
        Target("80 ms, 25 a second: objects/s, at least 2,250", far, lambda f: f.median_per_s, 2250),
        Target("the same: cores, at most 1", far, lambda f: f.cores, at_most=1),
        Target("peak RSS in MiB, at most 200", biggest, lambda f: f.rss_mib, at_most=200),
        Target("requests per 1,000, at most 10.5", chattiest, lambda f: f.requests_per_1000, at_most=10.5),
    ]  # fmt: skip
