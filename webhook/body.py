"""How much of a stranger's request is kept in memory, and for how long?

The limits hold before anything is verified, so they are all that stands between a stranger and our memory.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from enum import StrEnum

from starlette.requests import ClientDisconnect, Request

_KIB = 1024
_MAX_LENGTH_DIGITS = 15


class BodyFault(StrEnum):
    """Why a body was not read to its end."""

    TOO_LARGE = "body_too_large"
    TOO_SLOW = "body_too_slow"
    NO_ROOM = "no_room"
    GONE = "client_gone"


class BodyRefused(Exception):  # noqa: N818 - it names what came in, not a mistake of ours
    """The body was not read to its end; `reason` says why."""

    def __init__(self, reason: BodyFault) -> None:
        super().__init__(reason.value)
        self.reason = reason


@dataclass(slots=True)
class BufferBudget:
    """The bytes that all requests together may hold, beyond the first few that each may hold freely.

    Stripe's events are small, so they pass freely even while others use up the shared part.
    """

    shared_bytes: int = 16 * _KIB * _KIB
    free_bytes: int = 64 * _KIB
    taken_bytes: int = 0

    @contextmanager
    def share(self) -> Iterator["BufferShare"]:
        """Yield one request's share, and take it back when the block is left."""
        share = BufferShare(self)
        try:
            yield share
        finally:
            self.taken_bytes -= share.taken_bytes


@dataclass(slots=True)
class BufferShare:
    """What one request has taken from the shared part of the budget."""

    budget: BufferBudget
    taken_bytes: int = 0

    def grow_to(self, size_bytes: int) -> bool:
        """Take what a body of this size needs more than now; return whether there was room."""
        more_bytes = max(0, size_bytes - self.budget.free_bytes) - self.taken_bytes
        if self.budget.taken_bytes + more_bytes > self.budget.shared_bytes:
            return False
        self.budget.taken_bytes += more_bytes
        self.taken_bytes += more_bytes
        return True


@asynccontextmanager
async def bounded_body(
    request: Request, *, max_bytes: int, timeout_s: float, budget: BufferBudget
) -> AsyncIterator[bytes]:
    """Yield the exact bytes of the body; they count against `budget` until the block is left.

    Raises BodyRefused.
    """
    if _declared_bytes(request) > max_bytes:
        raise BodyRefused(BodyFault.TOO_LARGE)
    with budget.share() as share:
        try:
            async with asyncio.timeout(timeout_s):
                body = await _read(request, share, max_bytes)
        except TimeoutError:
            raise BodyRefused(BodyFault.TOO_SLOW) from None
        except ClientDisconnect:
            raise BodyRefused(BodyFault.GONE) from None
        yield body


async def _read(request: Request, share: BufferShare, max_bytes: int) -> bytes:
    # One growing buffer: a list of what arrives would cost forty times its size if it came byte by byte.
    buffer = bytearray()
    async with aclosing(request.stream()) as chunks:
        async for chunk in chunks:
            size_bytes = len(buffer) + len(chunk)
            if size_bytes > max_bytes:
                raise BodyRefused(BodyFault.TOO_LARGE)
            if not share.grow_to(size_bytes):
                raise BodyRefused(BodyFault.NO_ROOM)
            buffer += chunk
    return bytes(buffer)


def _declared_bytes(request: Request) -> int:
    """Return the Content-Length; 0 for one that is no plain number, which the count while reading limits."""
    text = request.headers.get("content-length", "")
    is_plain = text.isascii() and text.isdigit() and len(text) <= _MAX_LENGTH_DIGITS
    return int(text) if is_plain else 0
