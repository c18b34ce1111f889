"""How is an ASGI application asked a hundred thousand times, without a socket and without a client in between?"""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from starlette.applications import Starlette

Headers = Sequence[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Answered:
    """A status with the body that was sent along; `raised` is an error that left the application."""

    status: int
    body: bytes
    raised: str = ""


class Asker:
    """An application that runs in a loop of its own, within the `with` block."""

    def __init__(self, app: Starlette) -> None:
        self._app = app
        self._runner = asyncio.Runner()
        self._lifespan: AbstractAsyncContextManager[Any] = app.router.lifespan_context(app)

    def __enter__(self) -> Self:
        """Let the application begin."""
        self._runner.__enter__()
        self._runner.run(self._lifespan.__aenter__())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Let it end."""
        self._runner.run(self._lifespan.__aexit__(None, None, None))
        self._runner.__exit__(None, None, None)

    def ask(self, method: str, path: str, headers: Headers, chunks: Sequence[bytes]) -> Answered:
        """Send one request, its body in these pieces."""
        return self._runner.run(self._ask(method, path, headers, chunks))

    async def _ask(
        self, method: str, path: str, headers: Headers, chunks: Sequence[bytes]
    ) -> Answered:
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode("utf-8", "replace"),
            "query_string": b"",
            "root_path": "",
            "headers": list(headers),
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 3000),
        }
        coming = [
            {"type": "http.request", "body": each, "more_body": at < len(chunks)}
            for at, each in enumerate(chunks, start=1)
        ] or [{"type": "http.request", "body": b"", "more_body": False}]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return coming.pop(0) if coming else {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        raised = ""
        try:
            await self._app(scope, receive, send)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is what was looked for
            raised = repr(error)
        status = next((each["status"] for each in sent if "status" in each), 0)
        return Answered(status, b"".join(each.get("body", b"") for each in sent), raised)
