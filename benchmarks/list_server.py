"""What does a list of Stripe's cost when Stripe costs next to nothing?

A process of its own that pages as Stripe does (https://docs.stripe.com/api/pagination), after a wait if it is told to, and
no more often a second than it allows: what comes too soon gets a 429. `/counts` tells what was asked since the last time.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from email.utils import formatdate
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit
from urllib.request import urlopen

from benchmarks.shelf import DATE_S, Shelf

LIST: Final = "/v1/payment_intents"
_EMPTY: Final = b'{"object": "list", "data": [], "has_more": false, "url": "/v1"}'
_REFUSAL: Final = b'{"error": {"type": "invalid_request_error", "code": "rate_limit"}}'


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a server has, how long it waits, how many requests a second it allows (0 is all), and how late it is there."""

    count: int
    unpaid_every: int = 0
    latency_s: float = 0.0
    requests_per_s: float = 0.0
    later_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What was asked since the last time, and what that cost the server."""

    requests: int
    refused: int
    cpu_s: float


@dataclass(frozen=True, slots=True)
class Served:
    """A server that runs, and where."""

    base: str

    def counts(self) -> Counts:
        """What was asked since the last time."""
        with urlopen(f"{self.base}/counts", timeout=8) as answer:  # noqa: S310 - the address is ours
            return Counts(**json.load(answer))


@contextmanager
def served(offer: Offer) -> Iterator[Served]:
    """Serve an offer from a process of its own, for as long as the block lasts."""
    command = [sys.executable, "-m", "benchmarks.list_server", json.dumps(asdict(offer))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            base = process.stdout.readline().strip() if process.stdout else ""
            if not base:
                raise RuntimeError("the list server did not start")
            yield Served(base)
        finally:
            process.terminate()


class Allowance:
    """A bucket of as many requests as are allowed in a second; it fills evenly."""

    def __init__(self, requests_per_s: float, now_s: float) -> None:
        self._per_s = requests_per_s
        self._left = requests_per_s
        self._seen_s = now_s

    def permits(self, now_s: float) -> bool:
        """Whether one more may be answered now."""
        if not self._per_s:
            return True
        self._left = min(self._per_s, self._left + (now_s - self._seen_s) * self._per_s)
        self._seen_s = now_s
        if self._left < 1:
            return False
        self._left -= 1
        return True


class _Desk:
    """All answers of a server."""

    def __init__(self, offer: Offer) -> None:
        self.latency_s = offer.latency_s
        self._shelf = Shelf(count=offer.count, unpaid_every=offer.unpaid_every)
        self._allowance = Allowance(offer.requests_per_s, time.monotonic())
        self._date = formatdate(DATE_S + offer.later_s, usegmt=True)
        self._requests = self._refused = 0
        self._cpu_s = time.process_time()

    def answer(self, target: str) -> bytes:
        """The whole answer to `GET target`."""
        parts = urlsplit(target)
        if parts.path == "/counts":
            return self._said(self._counts())
        self._requests += 1
        if not self._allowance.permits(time.monotonic()):
            self._refused += 1
            return self._said(_REFUSAL, "429 Too Many Requests")
        is_ours = parts.path == LIST
        return self._said(self._shelf.page(dict(parse_qsl(parts.query))) if is_ours else _EMPTY)

    def _counts(self) -> bytes:
        cpu_s = time.process_time()
        counts = Counts(requests=self._requests, refused=self._refused, cpu_s=cpu_s - self._cpu_s)
        self._requests = self._refused = 0
        self._cpu_s = cpu_s
        return json.dumps(asdict(counts)).encode()

    def _said(self, body: bytes, status: str = "200 OK") -> bytes:
        head = (
            f"HTTP/1.1 {status}\r\nDate: {self._date}\r\nContent-Type: application/json\r\n"
            f"Request-Id: req_benchmark\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body


class _Conversation(asyncio.Protocol):
    """One connection."""

    def __init__(self, desk: _Desk) -> None:
        self._desk = desk
        self._come = b""
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._come += data
        while b"\r\n\r\n" in self._come:
            head, self._come = self._come.split(b"\r\n\r\n", 1)
            answer = self._desk.answer(head.split(b" ", 2)[1].decode())
            if self._desk.latency_s:
                loop = asyncio.get_running_loop()
                loop.call_later(self._desk.latency_s, self._transport.write, answer)
            else:
                self._transport.write(answer)


async def _serve(offer: Offer) -> None:
    desk = _Desk(offer)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Conversation(desk), "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def main() -> None:
    """Serve the offer that the command line holds, until the process is ended."""
    parser = argparse.ArgumentParser(description="A list server that costs next to nothing.")
    parser.add_argument("offer", help="the fields of an Offer as JSON")
    asyncio.run(_serve(Offer(**json.loads(parser.parse_args().offer))))


if __name__ == "__main__":
    main()
