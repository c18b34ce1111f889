"""Where can the simulated Stripe be reached?

On a loopback socket of its own, over real HTTP, so that the real Stripe library can talk to it.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable, MutableMapping
from types import TracebackType
from typing import Any, Final, Self, TypeAlias
from urllib.parse import parse_qsl

import uvicorn

from reconciler.simulator.api import Answer, Api, Request

_Message: TypeAlias = MutableMapping[str, Any]
_Receive: TypeAlias = Callable[[], Awaitable[_Message]]
_Send: TypeAlias = Callable[[_Message], Awaitable[None]]

_BACKLOG: Final = 128


class SimulatedStripe:
    """A server for an Api; within its `with` block it answers at `base_url`, on any `port` or on a given one."""

    def __init__(self, api: Api, *, port: int = 0) -> None:
        self._api = api
        self._listener = socket.create_server(("127.0.0.1", port), backlog=_BACKLOG)
        # Head and body are two writes: without this the second one waits 40 ms for the client to acknowledge the first.
        self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.port = int(self._listener.getsockname()[1])
        self.base_url = f"http://127.0.0.1:{self.port}"
        self._server = uvicorn.Server(
            uvicorn.Config(
                self._respond,
                interface="asgi3",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                # The date on an answer is the simulated Stripe's.
                date_header=False,
                timeout_graceful_shutdown=1,
            )
        )
        self._loop = asyncio.new_event_loop()
        self._closing = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="simulated-stripe", daemon=True)

    def __enter__(self) -> Self:
        """Start to answer. Whoever connects from now on waits for it, at worst, for a moment."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop to answer, and end what still stalls."""
        self._server.should_exit = True
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._server.serve(sockets=[self._listener]))

    async def _respond(self, scope: _Message, receive: _Receive, send: _Send) -> None:  # noqa: ARG002 - as ASGI has it
        # The world may be locked by a story, and the loop must not wait for it.
        answer = await asyncio.to_thread(self._api.answer, _request(scope))
        await self._pause(answer.stall_s)
        await self._write(answer, send)

    async def _pause(self, seconds: float) -> None:
        """Let time pass, unless the server ends."""
        if seconds:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), seconds)

    async def _write(self, answer: Answer, send: _Send) -> None:
        headers = {**answer.headers, "Content-Length": str(len(answer.body))}
        raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": raw})
        if answer.is_cut:
            # The server closes the connection, because the promised rest does not come.
            half = answer.body[: len(answer.body) // 2]
            await send({"type": "http.response.body", "body": half, "more_body": True})
            return
        for byte in answer.body if answer.drip_s else b"":
            await send({"type": "http.response.body", "body": bytes([byte]), "more_body": True})
            await self._pause(answer.drip_s)
        rest = b"" if answer.drip_s else answer.body
        await send({"type": "http.response.body", "body": rest})


def _request(scope: _Message) -> Request:
    query = scope["query_string"].decode("latin-1")
    return Request(
        method=scope["method"],
        path=scope["path"],
        query=parse_qsl(query, keep_blank_values=True),
        headers={
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        },
    )
