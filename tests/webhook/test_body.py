"""Whether the memory that strangers can take is bounded, whoever else is there."""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack

import pytest
from starlette.requests import Request
from starlette.types import Message

from webhook.body import BodyFault, BodyRefused, BufferBudget, bounded_body


def request(chunks: Sequence[bytes], *, ends: str = "well", length: str | None = None) -> Request:
    """Return a request whose body comes in these chunks and then ends `well`, is `gone`, or `hangs`."""
    messages: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks
    ]
    if ends == "gone":
        messages.append({"type": "http.disconnect"})
    if ends == "well":
        messages.append({"type": "http.request", "body": b"", "more_body": False})

    async def receive() -> Message:
        if not messages:
            await asyncio.sleep(60)
        return messages.pop(0)

    headers = [] if length is None else [(b"content-length", length.encode())]
    return Request({"type": "http", "method": "POST", "headers": headers}, receive)


async def read(request: Request, budget: BufferBudget) -> bytes | BodyFault:
    """Return the body, or why it was not read."""
    try:
        async with bounded_body(request, max_bytes=100, timeout_s=0.1, budget=budget) as body:
            return body
    except BodyRefused as refused:
        return refused.reason


@pytest.mark.parametrize(
    ("coming", "expected"),
    [
        (request([]), b""),
        (request([b"a", b"", b"b"]), b"ab"),
        (request([b"x" * 100], length="100"), b"x" * 100),
        (request([b"x"] * 101), BodyFault.TOO_LARGE),
        (request([], ends="hangs", length="101"), BodyFault.TOO_LARGE),
        (request([b"ab"], length="9" * 5000), b"ab"),
        (request([b"ab"], length="-1"), b"ab"),
        (request([b"x" * 50], ends="hangs"), BodyFault.TOO_SLOW),
        (request([b"x" * 50], ends="gone"), BodyFault.GONE),
    ],
)
def test_it_reads_a_body_or_says_why_not(coming: Request, expected: bytes | BodyFault) -> None:
    """Size and time are limited whatever the headers say, and every share goes back to the budget."""
    budget = BufferBudget(shared_bytes=1000, free_bytes=10)

    assert asyncio.run(read(coming, budget)) == expected
    assert budget.taken_bytes == 0


def test_it_lets_small_bodies_pass_when_the_budget_is_used_up() -> None:
    """Many large bodies at once make each other wait, and never Stripe's small ones."""
    budget = BufferBudget(shared_bytes=100, free_bytes=10)

    async def crowd() -> list[bytes | BodyFault]:
        async with AsyncExitStack() as others:
            for _ in range(2):
                coming = request([b"x" * 60])
                held = bounded_body(coming, max_bytes=100, timeout_s=1, budget=budget)
                await others.enter_async_context(held)
            full = [await read(request([b"y" * size]), budget) for size in (10, 11)]
        return [*full, await read(request([b"y" * 11]), budget)]

    assert asyncio.run(crowd()) == [b"y" * 10, BodyFault.NO_ROOM, b"y" * 11]
    assert budget.taken_bytes == 0
