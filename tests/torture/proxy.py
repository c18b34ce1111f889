"""What lies between two programs, and may cut, stall, or swallow an answer?"""

import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Self

_CHUNK: Final = 65_536
# What was asked for is done in this time, and then nobody is told.
_SWALLOWS_FOR_S: Final = 0.05


class _Pair:
    """One connection and its continuation."""

    def __init__(self, near: socket.socket, far: socket.socket) -> None:
        self.near, self.far, self.is_deaf = near, far, False

    def close(self) -> None:
        for each in (self.near, self.far):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


class Proxy:
    """Passes bytes on to where `connect` leads, from a port of its own, until the end of its `with` block."""

    def __init__(self, connect: Callable[[], socket.socket], *, question: bytes) -> None:
        self._connect, self._question = connect, question
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = int(self._listener.getsockname()[1])
        self._pairs: set[_Pair] = set()
        self._lock = threading.Lock()
        self._stalls_until_s = 0.0
        self._to_swallow = 0
        self.swallowed = 0
        self._is_over = False

    def __enter__(self) -> Self:
        """Begin to listen."""
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """End every connection."""
        self._is_over = True
        self._listener.close()
        self.cut()

    def cut(self) -> int:
        """End all connections at once; returns how many there were."""
        with self._lock:
            pairs = list(self._pairs)
            self._pairs.clear()
        for each in pairs:
            each.close()
        return len(pairs)

    def stall(self, seconds: float) -> None:
        """Let nothing pass for so long."""
        self._stalls_until_s = time.monotonic() + seconds

    def swallow(self) -> None:
        """Pass the next question on, and end its connection without the answer."""
        with self._lock:
            self._to_swallow = 1

    def _accept(self) -> None:
        while not self._is_over:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            try:
                far = self._connect()
            except OSError:
                near.close()
                continue
            pair = _Pair(near, far)
            with self._lock:
                self._pairs.add(pair)
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(pair, source, sink), daemon=True).start()

    def _pump(self, pair: _Pair, source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(_CHUNK):
                while (left_s := self._stalls_until_s - time.monotonic()) > 0:
                    time.sleep(min(left_s, 0.05))
                if source is pair.near and self._is_to_be_swallowed(data):
                    pair.is_deaf = True
                    sink.sendall(data)
                    time.sleep(_SWALLOWS_FOR_S)
                    break
                if source is pair.far and pair.is_deaf:
                    continue
                sink.sendall(data)
        pair.close()
        with self._lock:
            self._pairs.discard(pair)

    def _is_to_be_swallowed(self, data: bytes) -> bool:
        with self._lock:
            if not self._to_swallow or self._question not in data:
                return False
            self._to_swallow -= 1
            self.swallowed += 1
            return True
