"""Which connections to push services are kept for the next message?

To open one costs more than to send ten messages through it. So those that are whole are kept for a moment, few for each
host, and the oldest go when there are too many: strangers name the hosts.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

from reconciler.push.wire import Deadline, Reply, Way, Wire, open_wire

_KEPT_OF_HOST: Final = 8
_KEPT_MAX: Final = 128
# Push services close a connection that rests for a minute or more; we do it before, and are not surprised.
_REST_S: Final = 30.0


class Connections:
    """Asks push services through connections that are kept; safe to use from several threads."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._lock = threading.Lock()
        # Those that rested longest stand first, in both.
        self._kept: OrderedDict[int, tuple[str, Wire]] = OrderedDict()
        self._is_closed = False

    def ask(
        self, host: str, path: str, *, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> Reply:
        """Post a body to a push service, all within `timeout_s`.

        Raises EndpointRefused, Unresolved, OSError or HTTPException if there is no answer. Nothing is ever sent twice: a
        connection that breaks may have carried the message.
        """
        deadline = Deadline(timeout_s)
        wire = self._taken(host) or open_wire(host, self._way, deadline)
        is_whole = False
        try:
            reply = wire.ask(path, headers, body, deadline)
            is_whole = reply.is_whole
        finally:
            if is_whole:
                self._keep(host, wire)
            else:
                wire.close()
        return reply

    def close(self) -> None:
        """End all connections that are kept; those in use end when they come back."""
        with self._lock:
            self._is_closed = True
            kept = [wire for _, wire in self._kept.values()]
            self._kept.clear()
        for wire in kept:
            wire.close()

    def _taken(self, host: str) -> Wire | None:
        """The connection to this host that was used last, if one is fit for use."""
        while True:
            with self._lock:
                found = next(
                    (key for key in reversed(self._kept) if self._kept[key][0] == host), None
                )
                if found is None:
                    return None
                _, wire = self._kept.pop(found)
            if time.monotonic() - wire.idle_since_s < _REST_S and wire.is_quiet():
                return wire
            wire.close()

    def _keep(self, host: str, wire: Wire) -> None:
        wire.idle_since_s = time.monotonic()
        with self._lock:
            self._kept[id(wire)] = (host, wire)
            spare = self._spare(host)
        for each in spare:
            each.close()

    def _spare(self, host: str) -> list[Wire]:
        """Take out what is too much: all that a close has left, the oldest of one host, the oldest of all, the rested."""
        keys = list(self._kept)
        of_host = [key for key in keys if self._kept[key][0] == host]
        late_s = time.monotonic() - _REST_S
        out = set(keys[: len(keys) if self._is_closed else max(0, len(keys) - _KEPT_MAX)])
        out.update(of_host[: max(0, len(of_host) - _KEPT_OF_HOST)])
        out.update(key for key in keys if self._kept[key][1].idle_since_s < late_s)
        return [self._kept.pop(key)[1] for key in out]
