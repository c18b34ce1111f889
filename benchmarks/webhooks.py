"""How many deliveries a second are taken, stored and applied, and how long does each wait?

`reconciler serve` as it comes, beside the handler that is written in an afternoon, and beside floors that do less than they
must: one that only answers, and one that only stores. All get the same deliveries from the same process, and what was
acknowledged is looked for in the database after each row.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks import servers
from benchmarks.books import Books
from benchmarks.list_server import Offer, served
from benchmarks.load import Load, answers_to
from benchmarks.recent import UNHURRIED_PER_S
from benchmarks.servers import Server
from benchmarks.shelf import reach_s
from benchmarks.shops import Shop
from benchmarks.taken import (
    AFTERNOON,
    AGAIN,
    BESIDE,
    EMPTY,
    OURS,
    OURS_TWICE,
    STORING,
    Figure,
    Taken,
)
from benchmarks.work import Cost, cost_of

WARM_S: Final = 1.0
# A reconcile needs longer than that until it writes.
RECONCILE_BEGINS_S: Final = 3.0
RECONCILED_PER_S: Final = 2_000
BESIDE_CONNECTIONS: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """One that takes deliveries: how it starts, what it keeps (None is nothing), and more than it can take in a second."""

    name: str
    start: Callable[[Books, Path], AbstractContextManager[Server]]
    kind: str | None
    most_per_s: int


SYSTEMS: Final = (
    System(name=EMPTY, start=partial(servers.floor, "empty"), kind=None, most_per_s=40_000),
    System(name=STORING, start=partial(servers.floor, "storing"), kind="storing", most_per_s=25_000),
    System(name=AFTERNOON, start=servers.afternoons, kind="afternoon", most_per_s=3_000),
    System(name=OURS, start=servers.ours, kind="ours", most_per_s=15_000),
    System(name=OURS_TWICE, start=partial(servers.ours, processes=2), kind="ours", most_per_s=15_000),
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """At how many connections, for how long and how many times, and where fresh books come from."""

    connections: Sequence[int]
    seconds: float
    repeats: int
    fresh: Callable[[], Books]


class Bench:
    """Each system on books of its own, one after the other, and all of its rows on the same."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._next = 0

    def figures(self) -> Iterator[Figure]:
        """Measure; each figure is measured when it is asked for."""
        for system in SYSTEMS:
            with self._running(system) as (shop, server):
                for connections in self._asked.connections:
                    yield self._figure(system, shop, server, connections)
                if system.name == OURS:
                    yield self._again(shop, server)
                    yield self._beside_reconcile(system, shop, server)

    @contextmanager
    def _running(self, system: System) -> Iterator[tuple[Shop | None, Server]]:
        self._next = 0
        books = self._asked.fresh()
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
            shop = Shop(system.kind, books) if system.kind else None
            if shop is not None:
                stack.callback(shop.close)
                shop.open(folder)
            yield shop, stack.enter_context(system.start(books, folder))

    def _figure(
        self, system: System, shop: Shop | None, server: Server, connections: int
    ) -> Figure:
        asked = self._asked
        load = Load(
            ports=server.ports, connections=connections, seconds=asked.seconds, first=0, count=0
        )
        self._taken(system, shop, server, replace(load, seconds=min(WARM_S, asked.seconds)))
        runs = [self._taken(system, shop, server, load) for _ in range(asked.repeats)]
        return Figure(name=system.name, connections=connections, runs=runs)

    def _taken(self, system: System, shop: Shop | None, server: Server, load: Load) -> Taken:
        """Send new deliveries."""
        count = int(load.seconds * system.most_per_s) + load.connections
        load = replace(load, first=self._next, count=count)
        if shop is not None:
            shop.bill(load.first + count)
        taken = _measured(shop, server, load)
        self._next += taken.answers.answered
        return taken

    def _again(self, shop: Shop | None, server: Server) -> Figure:
        """Send what was sent before."""
        asked = self._asked
        load = Load(
            ports=server.ports,
            connections=max(asked.connections),
            seconds=asked.seconds,
            first=0,
            count=self._next,
            again=True,
        )
        runs = [_measured(shop, server, load) for _ in range(asked.repeats)]
        return Figure(name=AGAIN, connections=load.connections, runs=runs)

    def _beside_reconcile(self, system: System, shop: Shop | None, server: Server) -> Figure:
        """Send new deliveries while another process writes a range of payments into the same books."""
        seconds = self._asked.seconds
        begins_s = min(RECONCILE_BEGINS_S, seconds)
        load = Load(
            ports=server.ports, connections=BESIDE_CONNECTIONS, seconds=seconds, first=0, count=0
        )
        count = int((seconds + begins_s) * RECONCILED_PER_S)
        with served(Offer(count=count)) as lists, ThreadPoolExecutor(1) as pool:
            beside = pool.submit(_reconciled, lists.base, shop.books if shop else None, count)
            self._taken(system, shop, server, replace(load, seconds=begins_s))
            taken = self._taken(system, shop, server, load)
            over = " (it ended first)" if beside.done() else ""
            cost = beside.result()
        told = f"{BESIDE} at {cost.said['objects'] / cost.wall_s:,.0f} objects/s{over}"
        return Figure(name=told, connections=BESIDE_CONNECTIONS, runs=[taken])


def _reconciled(base: str, books: Books | None, count: int) -> Cost:
    if books is None:
        raise RuntimeError("without books there is nothing to reconcile")
    return cost_of(
        "reconcile",
        base=base,
        url=books.url,
        schema=books.schema,
        reach_s=reach_s(count),
        later_s=0,
        requests_per_s=UNHURRIED_PER_S,
    )


def _measured(shop: Shop | None, server: Server, load: Load) -> Taken:
    used_s = server.cpu_s()
    answers = answers_to(load)
    used_s = server.cpu_s() - used_s
    sent = min(answers.answered, load.count)
    acknowledged = min(answers.answered - answers.refused, sent)
    lost = shop.lost(load.first, sent, acknowledged) if shop is not None else 0
    return Taken(answers=answers, cpu_s=used_s, rss_mib=server.rss_mib(), lost=lost)
