"""What stands in for Stripe when it is asked: answers told in advance, over no socket or over a real one.

`Asked` keeps what came; `Clock` and `Patience` let pauses pass without anybody waiting.
"""

import io
import json
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import stripe
from requests.structures import CaseInsensitiveDict

from reconciler.stripe_api.gateway import Access, Gateway
from reconciler.stripe_api.problems import StripeProblem

KEY = "rk_test_canary"
# Not the version that the library itself would ask in.
VERSION = "2025-03-31.basil"
DATE = "Mon, 23 Nov 2026 11:00:00 GMT"
DATE_MS = 1_795_431_600_000
LOST: Exception = stripe.APIConnectionError(  # type: ignore[no-untyped-call]
    f"no way to Stripe for {KEY}", should_retry=True
)

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Said:
    """One answer; `took_s` is how long it takes by the clock of the test."""

    status: int = 200
    body: bytes = b"{}"
    headers: Json = field(default_factory=dict)
    date: str | None = DATE
    took_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Asked:
    """One question as it went out, and when, by the clock of the test."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    at_s: float


class Clock:
    """A clock that stands still until someone waits."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        """Return the seconds that it shows."""
        return self.now_s


class Patience(threading.Event):
    """The sign to stop, on which waiting moves the clock and costs no time."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        """Let the time pass unless the sign is set."""
        if not self.is_set():
            self._clock.now_s += timeout or 0.0
        return self.is_set()


Answering = Callable[[Asked], Said]


class Body(io.BytesIO):
    """The body of an answer as the transport gives it, piece by piece."""

    def read1(self, size: int | None = -1, *, decode_content: bool = True) -> bytes:  # noqa: ARG002 - as urllib3 has it
        """Return the next piece."""
        return super().read1(size)


class FakeStripe(stripe.HTTPClient):
    """Answers by a function, or one answer after the other and the last one again and again."""

    name = "fake"

    def __init__(self, answers: Sequence[Said | Exception] | Answering, clock: Clock) -> None:
        super().__init__()
        self._answers = answers
        self._clock = clock
        self.asked: list[Asked] = []

    def request_stream(self, *asked: Any, **_named: Any) -> Any:
        """Keep the question and answer it as real transports do."""
        method, url, headers, *_ = asked
        parts = urlsplit(url)
        question = Asked(method, parts.path, parse_qs(parts.query), headers, self._clock())
        self.asked.append(question)
        said = self._said(question)
        if isinstance(said, Exception):
            raise said
        self._clock.now_s += said.took_s
        answered = {"Request-Id": f"req_{len(self.asked)}", **said.headers}
        if said.date is not None:
            answered["Date"] = said.date
        return Body(said.body), said.status, CaseInsensitiveDict(answered)

    def _said(self, question: Asked) -> Said | Exception:
        if callable(self._answers):
            return self._answers(question)
        return self._answers[min(len(self.asked), len(self._answers)) - 1]


@dataclass(frozen=True, slots=True)
class Bench:
    """A gateway to a fake Stripe, with the clock and the sign to stop that belong to it."""

    gateway: Gateway
    stripe: FakeStripe
    clock: Clock
    stop: threading.Event

    @property
    def asked(self) -> list[Asked]:
        """All questions so far."""
        return self.stripe.asked


def bench(
    answers: Sequence[Said | Exception] | Answering,
    *,
    requests_per_s: float = 1e9,
    stop: threading.Event | None = None,
    before_asking: Callable[[], None] = lambda: None,
) -> Bench:
    """Build a gateway that is not slowed down, unless the test asks for it."""
    clock = Clock()
    fake = FakeStripe(answers, clock)
    patience = stop or Patience(clock)
    gateway = Gateway(
        Access(api_key=KEY, api_version=VERSION, requests_per_s=requests_per_s),
        stop=patience,
        before_asking=before_asking,
        transport=fake,
        monotonic=clock,
    )
    return Bench(gateway, fake, clock, patience)


def problem_of(asking: Bench) -> StripeProblem:
    """Ask, and return the problem that comes of it."""
    with pytest.raises(StripeProblem) as raised:
        asking.gateway.ask("/v1/events", {"limit": 1})
    return raised.value


def listed(*objects: Any, has_more: bool = False) -> Said:
    """Answer with a page of a list."""
    return said_json({"object": "list", "data": list(objects), "has_more": has_more, "url": "/v1"})


def said_json(body: Any, status: int = 200, **headers: str) -> Said:
    """Answer with JSON; lone surrogates go out as escapes, as Stripe sends them."""
    return Said(
        status, json.dumps(body).encode(), {k.replace("_", "-"): v for k, v in headers.items()}
    )


def shelf(objects: Sequence[Json], *, page: int = 100) -> Answering:
    """Answer like one of Stripe's lists: newest first, after the cursor, a page at a time."""

    def answer(question: Asked) -> Said:
        [after] = question.query.get("starting_after", [""])
        ids = [each["id"] for each in objects]
        if after and after not in ids:
            return said_json(
                {"error": {"type": "invalid_request_error", "message": "aged out"}}, 400
            )
        start = ids.index(after) + 1 if after else 0
        return listed(*objects[start : start + page], has_more=start + page < len(objects))

    return answer


@contextmanager
def loopback(answer: bytes | None, *, drip_s: float = 0) -> Iterator[tuple[str, list[bytes]]]:
    """Serve the same bytes to every connection, or none at all; give the address and what was asked.

    With `drip_s` each byte of the body comes so long after the one before, and there is no end to them.
    """
    over = threading.Event()
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.02)

        def serve() -> None:
            while not over.is_set():
                try:
                    connection, _ = server.accept()
                except TimeoutError:
                    continue
                with connection:
                    asked.append(connection.recv(65536))
                    if answer is None:
                        # Until the other side goes away.
                        connection.recv(1)
                    else:
                        connection.sendall(answer)
                        with suppress(OSError):
                            while drip_s and not over.wait(drip_s):
                                connection.sendall(b" ")

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}", asked
        finally:
            over.set()
            thread.join()


def reach(base: str, *, monotonic: Callable[[], float] | None = None, **patience: float) -> Gateway:
    """Build a gateway that goes through real sockets to an address, and whose pauses cost no time."""
    clock = Clock()
    access = Access(api_key=KEY, api_version=VERSION, base=base, requests_per_s=1e9, **patience)
    return Gateway(access, stop=Patience(clock), monotonic=monotonic or clock)
