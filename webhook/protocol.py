"""How long may a connection keep us waiting, and how much may it send, outside of a body that we want?

uvicorn has no limit for the head of a request, in size or in time, and reads on for ever after an early
answer. A proxy in front usually has these limits; the webhook must not fall over without one.
"""

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class BoundedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP/1.1 with a deadline wherever only the peer can bring things forward."""

    max_head_bytes: ClassVar[int] = 32 * 1024
    head_timeout_s: ClassVar[float] = 10.0
    # After an early answer, the rest is read and thrown away for a while: a close while the peer still
    # sends would make its system drop our answer.
    linger_s: ClassVar[float] = 5.0

    _deadline: asyncio.TimerHandle | None = None
    _is_in_head: bool = False
    _is_in_body: bool = False
    _head_bytes: int = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._close_in(self.head_timeout_s)

    def data_received(self, data: bytes) -> None:
        """Refuse a head that goes on and on; one that ends with its first piece is in memory already."""
        was_in_head = self._is_in_head
        super().data_received(data)
        if was_in_head and self._is_in_head and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > self.max_head_bytes:
                self.send_400_response("Request head too large.")

    def on_message_begin(self) -> None:
        """Begin to wait for the end of a head."""
        super().on_message_begin()
        self._is_in_head = True
        self._head_bytes = 0
        self._close_in(self.head_timeout_s)

    def on_headers_complete(self) -> None:
        """Leave the waiting for the body to the application."""
        self._is_in_head = False
        self._is_in_body = True
        self._cancel_deadline()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Begin to wait for the next request if this one was answered before its end."""
        super().on_message_complete()
        self._is_in_body = False
        if self.cycle.response_complete:
            self._close_in(self.head_timeout_s)

    def on_response_complete(self) -> None:
        """Begin to wait for the rest of a body that nobody wanted."""
        super().on_response_complete()
        if self._is_in_body:
            self._close_in(self.linger_s)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._cancel_deadline()
        super().connection_lost(exc)

    def _close_in(self, delay_s: float) -> None:
        self._cancel_deadline()
        self._deadline = self.loop.call_later(delay_s, self.transport.close)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
