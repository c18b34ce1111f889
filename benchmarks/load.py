"""How fast does a server answer deliveries, to so many connections that each wait for their answer?

`python -m benchmarks.load` reads a `Load` as JSON and prints what came of it. It is a process of its own and costs little:
bytes that are signed before it begins, and a search for the end of an answer in place of a client. A connection that the
server closes after its answer, as a synchronous worker does, is opened again, and the next delivery waits for that.
"""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any, Final

import uvloop

from benchmarks.deliveries import Deliveries

# Longer than any answer that the servers are allowed to take.
_LAST_ANSWER_S: Final = 30.0
_CLOSES: Final = b"connection: close"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """For how long, over how many connections, to which ports; `count` is how many deliveries there are at most.

    With `again` they begin anew when the last was sent, so that all but the first round are duplicates.
    """

    ports: Sequence[int]
    connections: int
    seconds: float
    first: int
    count: int
    again: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the server answered: how many, by status, and how long each took at the median and in the tail."""

    answered: int
    statuses: dict[str, int]
    wall_s: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_s: float

    @property
    def refused(self) -> int:
        """How many were not acknowledged."""
        return self.answered - self.statuses.get("200", 0)


def answers_to(load: Load) -> Answers:
    """Send from a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        input=json.dumps(asdict(load)),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return Answers(**json.loads(done.stdout))


@dataclass(slots=True)
class _Round:
    """All connections together: what is to be sent next, until when, and what came back."""

    deliveries: Deliveries
    again: bool
    until_s: float
    sent: int = 0
    statuses: Counter[str] = field(default_factory=Counter)
    took_s: list[float] = field(default_factory=list)

    def next(self) -> bytes | None:
        """The next request; None when the time is over, or there is no more."""
        place = self.sent
        if time.perf_counter() >= self.until_s or (
            not self.again and place >= len(self.deliveries)
        ):
            return None
        self.sent += 1
        return self.deliveries.request(place % len(self.deliveries))

    def note(self, status: str, took_s: float) -> None:
        """Count an answer."""
        self.statuses[status] += 1
        self.took_s.append(took_s)


class _Conversation(asyncio.Protocol):
    """One connection: a delivery, its answer, the next delivery."""

    def __init__(
        self, round_: _Round, ended: asyncio.Future[None], reopen: Any, asked_s: float
    ) -> None:
        self._round = round_
        self._ended = ended
        self._reopen = reopen
        self._transport: Any = None
        self._come = b""
        self._asked_s = asked_s
        self._sent_s = 0.0
        self._waits = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._send(self._asked_s)

    def data_received(self, data: bytes) -> None:
        self._come += data
        head, found, body = self._come.partition(b"\r\n\r\n")
        if not found:
            return
        head = head.lower()
        length = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        if len(body) < length:
            return
        self._come = b""
        self._waits = False
        now_s = time.perf_counter()
        self._round.note(head[9:12].decode(), now_s - self._sent_s)
        if _CLOSES in head:
            self._transport.close()
            # The next delivery's time includes the way to the server's door.
            self._reopen(self._ended)
        else:
            self._send(now_s)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waits and not self._ended.done():
            self._ended.set_exception(exc or ConnectionError("closed before the answer"))

    def _send(self, now_s: float) -> None:
        request = self._round.next()
        if request is None:
            self._transport.close()
            if not self._ended.done():
                self._ended.set_result(None)
            return
        self._sent_s, self._waits = now_s, True
        self._transport.write(request)


async def _converse(round_: _Round, port: int) -> None:
    loop = asyncio.get_running_loop()
    opening: set[asyncio.Task[Any]] = set()

    def open_one(ended: asyncio.Future[None]) -> None:
        one = _Conversation(round_, ended, open_one, time.perf_counter())
        task = loop.create_task(loop.create_connection(lambda: one, "127.0.0.1", port))
        opening.add(task)
        task.add_done_callback(opening.discard)
        task.add_done_callback(lambda done: _fail(done, ended))

    ended: asyncio.Future[None] = loop.create_future()
    open_one(ended)
    await ended


def _fail(done: asyncio.Task[Any], ended: asyncio.Future[None]) -> None:
    with suppress(asyncio.CancelledError):
        error = done.exception()
        if error is not None and not ended.done():
            ended.set_exception(error)


async def _loaded(load: Load) -> Answers:
    deliveries = Deliveries(load.first, load.count)
    began_s, cpu_s = time.perf_counter(), time.process_time()
    round_ = _Round(deliveries, load.again, began_s + load.seconds)
    async with asyncio.timeout(load.seconds + _LAST_ANSWER_S):
        await asyncio.gather(
            *(_converse(round_, load.ports[n % len(load.ports)]) for n in range(load.connections))
        )
    wall_s, used_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    ordered = sorted(round_.took_s)

    def at(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000 if ordered else 0.0

    return Answers(
        answered=len(ordered),
        statuses=dict(round_.statuses),
        wall_s=wall_s,
        p50_ms=at(0.5),
        p95_ms=at(0.95),
        p99_ms=at(0.99),
        cpu_s=used_s,
    )


def main() -> None:
    """Send what standard input asks for."""
    load = Load(**json.load(sys.stdin))
    print(json.dumps(asdict(uvloop.run(_loaded(load)))))
    sys.stdout.flush()
    # A hundred thousand signatures need not be taken apart one by one.
    os._exit(0)


if __name__ == "__main__":
    main()
