"""How does the server obey its signals, and tell the service manager that it is ready, alive and about to end?"""

import asyncio
import socket
from types import FrameType
from typing import Final

import uvicorn

from reconciler import signals, systemd

# How many signs of life fit into the time after which the manager gives up.
_BEATS: Final = 3


class WatchedServer(uvicorn.Server):
    """uvicorn, watched by whoever started it."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._obeys = signals.ending()
        self._beating: asyncio.Task[None] | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer, and only then say so."""
        await super().startup(sockets)
        where = ", ".join(_written(each) for each in sockets or [])
        systemd.notify(READY="1", STATUS=f"listens on {where}")
        if within_s := systemd.watchdog_s():
            self._beating = asyncio.create_task(_beat(within_s / _BEATS))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what was accepted, and end."""
        if self._beating is not None:
            self._beating.cancel()
        systemd.notify(STOPPING="1", STATUS="answers what it has accepted")
        await super().shutdown(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end; uvicorn would also obey what the program was started deaf to."""
        if sig in self._obeys:
            super().handle_exit(sig, frame)


async def _beat(every_s: float) -> None:
    """Say again and again that the event loop turns: a task of its own can't say so where it does not."""
    while True:
        systemd.notify(WATCHDOG="1")
        await asyncio.sleep(every_s)


def _written(listener: socket.socket) -> str:
    host, port, *_ = listener.getsockname()
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
