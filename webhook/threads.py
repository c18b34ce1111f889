"""How does the event loop wait for blocking work without piling up threads?"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class BoundedThreads:
    """A fixed number of places for blocking calls, and callers who wait for one only so long."""

    def __init__(self, size: int, *, name: str) -> None:
        self._places = asyncio.Semaphore(size)
        self._executor = ThreadPoolExecutor(size, thread_name_prefix=name)

    async def run(self, call: Callable[[], T], *, timeout_s: float) -> T:
        """Return what `call` returns; raise TimeoutError `timeout_s` after asking, the queue included.

        A call that has begun can't be stopped: it runs on, and keeps its place until it returns, so that a
        database that hangs can't collect more and more threads. Who waits for a place leaves nothing behind.
        """
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(timeout_s):
            await self._places.acquire()
            future = self._executor.submit(call)
            future.add_done_callback(lambda _: loop.call_soon_threadsafe(self._places.release))
            return await asyncio.wrap_future(future)

    async def close(self) -> None:
        """Wait for the calls that have begun; no new one is possible afterwards."""
        await asyncio.to_thread(self._executor.shutdown)
