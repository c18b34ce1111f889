"""What does a webhook cost that does less than it must?

`empty` reads the body and answers. `storing` also verifies, decodes and stores: one table, one insert for all that wait
together, one commit that is on the disk. What is between it and ours is the price of knowing what was paid.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from sqlalchemy import LargeBinary, Text, insert
from sqlalchemy.engine import Engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from benchmarks.afternoon import engine_of
from benchmarks.deliveries import PATH
from reconciler.stripe_api.signature import verify

_TOLERANCE_S: Final = 300
_BATCH_MAX: Final = 200


class Base(DeclarativeBase):
    """The table of the floor."""


class Event(Base):
    """An event that was stored, and nothing more."""

    __tablename__ = "events"
    id: Mapped[str] = mapped_column(Text, primary_key=True)
    type: Mapped[str] = mapped_column(Text)
    body: Mapped[bytes] = mapped_column(LargeBinary)


class _Head(msgspec.Struct):
    id: str
    type: str


class GroupCommit:
    """Stores rows; those that wait together share a transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._thread = ThreadPoolExecutor(1)
        self._waiting: list[tuple[dict[str, Any], asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def store(self, row: dict[str, Any]) -> None:
        """Return when the row is committed."""
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((row, stored))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        await stored

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting[:_BATCH_MAX], self._waiting[_BATCH_MAX:]
            await loop.run_in_executor(self._thread, self._insert, [row for row, _ in batch])
            for _, stored in batch:
                if not stored.done():
                    stored.set_result(None)

    def _insert(self, rows: list[dict[str, Any]]) -> None:
        with self._engine.begin() as tx:
            tx.execute(insert(Event), rows)


def empty() -> Starlette:
    """The application that answers."""

    async def receive(request: Request) -> JSONResponse:
        await request.body()
        return JSONResponse({"received": True})

    return _application(receive)


def storing() -> Starlette:
    """The application that stores."""
    commits = GroupCommit(engine_of(os.environ["DATABASE_URL"]))
    secrets = (os.environ["STRIPE_WEBHOOK_SECRET"],)
    heads = msgspec.json.Decoder(_Head)

    async def receive(request: Request) -> JSONResponse:
        body = await request.body()
        header = request.headers.get("stripe-signature")
        verify(body, header, secrets, now=datetime.now(UTC), tolerance_s=_TOLERANCE_S)
        head = heads.decode(body)
        await commits.store({"id": head.id, "type": head.type, "body": body})
        return JSONResponse({"received": True})

    return _application(receive)


def _application(receive: Callable[[Request], Awaitable[JSONResponse]]) -> Starlette:
    async def ready(_: Request) -> JSONResponse:
        return JSONResponse({"ready": True})

    return Starlette(routes=[Route(PATH, receive, methods=["POST"]), Route("/readyz", ready)])
