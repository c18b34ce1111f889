"""Where does Prometheus read our figures, and what if it is not Prometheus that comes?"""

import platform
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from socketserver import TCPServer
from typing import Final
from wsgiref.simple_server import WSGIRequestHandler

import structlog
from prometheus_client import (
    CollectorRegistry,
    Info,
    ProcessCollector,
    disable_created_metrics,
    make_wsgi_app,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.registry import Collector

from reconciler.metrics.counters import Instruments
from reconciler.metrics.gauges import AT_SCRAPE, Gauge, Values

log = structlog.get_logger(__name__)

# For each counter the library would give a second figure, of when it began; nobody asks for it.
disable_created_metrics()  # type: ignore[no-untyped-call]


@contextmanager
def listening(
    host: str,
    port: int,
    instruments: Instruments,
    read: Callable[[], Values] | None = None,
) -> Iterator[int]:
    """Let Prometheus read these figures, and those of the process, until the end of the block.

    `read` gives the gauges whenever somebody asks. Yields the port. Raises OSError if the address can't be bound; nothing
    but that one address is.
    """
    registry = CollectorRegistry()
    registry.register(ThisProcess())
    build = Info("reconciler_build", "What runs here.", registry=registry)
    build.info({"version": _version(), "python": platform.python_version()})
    for each in instruments:
        registry.register(each)
    if read is not None:
        registry.register(_AtScrape(read))
    server = _Server(host, port)
    server.set_app(make_wsgi_app(registry))
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    log.info("metrics.opened", host=host, port=server.server_port)
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def _version() -> str:
    try:
        return version("stripe-payment-reconciler")
    except PackageNotFoundError:
        return "unknown"


class ThisProcess(ProcessCollector):
    """Memory, time and open files of this process."""

    def __init__(self, proc: str = "/proc") -> None:
        super().__init__(proc=proc, registry=None)

    def _boot_time(self) -> float:
        """When the machine was started; the file where the library looks for it is hidden from a hardened service."""
        Path(self._proc, "self", "stat").stat()
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)


class _AtScrape(Collector):
    """Asks for its figures when it is asked. Whatever goes wrong there, the other ones are told."""

    def __init__(self, read: Callable[[], Values]) -> None:
        self._read = read

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Name the figures without reading them."""
        return map(_family, AT_SCRAPE)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Read the figures."""
        try:
            found = self._read()
        except Exception:
            log.exception("metrics.not_read")
            return
        for gauge in AT_SCRAPE:
            family = _family(gauge)
            for labels, value in sorted(found.get(gauge, {}).items()):
                family.add_metric(labels, value)
            yield family


def _family(gauge: Gauge) -> GaugeMetricFamily:
    return GaugeMetricFamily(gauge.name, gauge.words, labels=gauge.labels)


class _Request(WSGIRequestHandler):
    """One scrape. Whoever sends nothing for so long is not waited for."""

    timeout = 10

    def log_message(self, *_: object) -> None:
        """Say nothing of scrapes: there is one every few seconds."""


class _Server(ThreadingWSGIServer):
    """The library's server with a bound: whoever reaches it must not take all threads and sockets of the program."""

    _PLACES: Final = 8
    request_queue_size = 64

    def __init__(self, host: str, port: int) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._places = threading.Semaphore(self._PLACES)
        super().__init__((host, port), _Request)

    def server_bind(self) -> None:
        """Bind without asking a name server who we are, for which the standard library would wait."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]
        self.setup_environ()

    def verify_request(self, *_: object) -> bool:
        """Let a connection in while there is room."""
        return self._places.acquire(blocking=False)

    def process_request_thread(self, *asked: object) -> None:
        """Answer, and give the place back."""
        try:
            super().process_request_thread(*asked)  # type: ignore[arg-type]
        finally:
            self._places.release()

    def handle_error(self, *_: object) -> None:
        """Keep the standard library from printing a traceback because somebody went away."""
        log.debug("metrics.connection_failed")
