"""`serve`, `daemon` and `up`: the programs that stay."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import FrameType
from typing import Final

from starlette.applications import Starlette

from reconciler import daemon as daemon_jobs
from reconciler import metrics, signals, systemd
from reconciler.cli.context import (
    Config,
    Refused,
    app,
    database,
    gateway_of,
    inbox_of,
    now,
    settings_of,
)
from reconciler.cli.guard import guarded
from reconciler.cli.outbox import outbox_of
from reconciler.cli.output import complain
from reconciler.cli.subscribing import push_of
from reconciler.config import Address, Settings, require
from reconciler.core.observation import moment
from reconciler.daemon import Figures, Leader, Timing, beat, jobs_of
from reconciler.db.session import Database
from reconciler.poll import Poller
from webhook.app import WebhookSettings, create_app
from webhook.app import serve as run_server
from webhook.writer import WriterEnded, stored_apart

# systemd waits longer than that before it kills (TimeoutStopSec=), and both children need less unless the database hangs.
END_WITHIN_S: Final = 15.0


@app.command()
def serve(config: Config = None) -> None:
    """Run the webhook endpoint until SIGTERM."""
    settings = settings_of(config)
    require(settings, "mode", "webhook_secret", "push_secret")
    webhook = settings.webhook
    told = WebhookSettings(
        secrets=tuple(each.get_secret_value() for each in settings.secrets.stripe_webhook_secret),
        max_body_bytes=webhook.max_body_bytes,
        body_timeout_s=webhook.body_timeout_s,
        tolerance_s=webhook.tolerance_s,
    )
    with database(settings) as db:
        here, push = inbox_of(settings, db), push_of(settings, db)
        # Parent and child each open connections of their own.
        db.close()
        try:
            with (
                stored_apart(here) as inbox,
                _metrics_at("serve", settings.metrics.serve, metrics.OF_SERVE),
            ):
                code = _answering(create_app(inbox, told, push=push), webhook.listen)
        except WriterEnded as ended:
            raise Refused(str(ended), 3) from None
    sys.exit(code)


def _answering(webhook: Starlette, at: Address) -> int:
    """Answer at an address until SIGTERM."""
    try:
        return run_server(webhook, host=at.host, port=at.port)
    except OSError as error:
        words = f"[webhook] listen: {at} can't be bound ({error.strerror})"
        raise Refused(f"{words}: choose another", 3) from None


@app.command()
def daemon(config: Config = None) -> None:
    """Sweep, retry and re-read until SIGTERM."""
    settings = settings_of(config)
    require(settings, "mode", "api_key")
    stop = threading.Event()
    with database(settings) as db:
        leader = Leader(db)
        poller = poller_of(settings, db, leader, stop)
        with _metrics_at(
            "daemon", settings.metrics.daemon, metrics.OF_DAEMON, _figures(poller, leader).read
        ):
            manual = poller_of(settings, db, leader, stop)
            with outbox_of(settings, db, leader, stop) as outbox:
                jobs = jobs_of(poller, _timing(settings), manual, outbox)
                code = daemon_jobs.run(jobs, db, stop, leader)
    sys.exit(code)


def poller_of(settings: Settings, db: Database, leader: Leader, stop: threading.Event) -> Poller:
    """What the sweeps of a daemon need; they ask Stripe only while it leads, and each question is a sign of life."""

    def look() -> None:
        beat()
        leader.require()

    return Poller(
        db=db,
        gateway=gateway_of(settings, stop, before_asking=look),
        inbox=inbox_of(settings, db),
        now=_alive_now,
        fence=leader.fence,
    )


def _alive_now() -> datetime:
    """What time it is; whoever asks is at work, also where a run of finance adds up for minutes and asks Stripe nothing."""
    beat()
    return now()


def _figures(poller: Poller, leader: Leader) -> Figures:
    since_ms = poller.inbox.policy.rules.since_ms
    return Figures(
        poller.db,
        leads=lambda: leader.leads,
        now=poller.now,
        counts_from=moment(since_ms) if since_ms else None,
    )


@contextmanager
def _metrics_at(
    key: str,
    address: Address | None,
    instruments: metrics.Instruments,
    read: Callable[[], metrics.Values] | None = None,
) -> Iterator[None]:
    """Let Prometheus read at an address until the end of the block; None is nowhere."""
    with ExitStack() as stack:
        if address is not None:
            listening = metrics.listening(address.host, address.port, instruments, read)
            try:
                stack.enter_context(listening)
            except OSError as error:
                words = f"[metrics] {key}: {address} can't be bound ({error.strerror})"
                raise Refused(f'{words}: choose another, or "" for none', 3) from None
        yield


def _timing(settings: Settings) -> Timing:
    sweeps = settings.sweeps
    return Timing(
        events_s=sweeps.events_s,
        lag_s=sweeps.events_lag_s,
        overlap_s=sweeps.events_overlap_s,
        deep_s=sweeps.events_deep_s,
        deep_overlap_s=sweeps.events_deep_overlap_s,
        open_s=sweeps.open_s,
        money_s=sweeps.money_s,
        recent_s=sweeps.recent_s,
        invoices_s=sweeps.invoices_s,
        night=sweeps.night_utc,
    )


@app.command()
def up(config: Config = None) -> None:
    """Run `serve` and `daemon` together; they stop together, and when one fails, both end."""
    settings = settings_of(config)
    require(settings, "mode", "webhook_secret", "api_key", "push_secret")
    with database(settings):
        pass  # What would stop both is said once, before either starts.
    systemd.forget()
    spawn = multiprocessing.get_context("spawn")
    children = {
        # Should this program fail where it must not, its children are ended with it (`daemon`), and not waited for.
        name: spawn.Process(target=be_child, args=(command, config), name=name, daemon=True)
        for name, command in (("webhook", serve), ("daemon", daemon))
    }
    asked: list[int] = []

    def end(number: int, _frame: FrameType | None) -> None:
        asked.append(number)
        for child in children.values():
            if child.is_alive():
                child.terminate()

    for each in children.values():
        each.start()
    for number in signals.ending():
        signal.signal(number, end)
    ended = multiprocessing.connection.wait([each.sentinel for each in children.values()])
    first = next(each for each in children.values() if each.sentinel in ended)
    # It closes its end of a pipe a little before it is gone, and has its own exit code to give.
    first.join(END_WITHIN_S)
    for each in children.values():
        _end(each)
    if asked:
        sys.exit(130 if asked[0] == signal.SIGINT else 0)
    sys.exit(_told(first))


def _end(child: BaseProcess) -> None:
    if child.is_alive():
        child.terminate()
    child.join(END_WITHIN_S)
    if child.is_alive():
        child.kill()
        child.join()


def _told(child: BaseProcess) -> int:
    """Say why both were stopped, and return the exit code."""
    code = child.exitcode or 0
    if code > 0:
        complain(f"the {child.name} failed, so both were stopped; its own line above says why")
        return code
    how = f"was ended by signal {-code}" if code else "was ended by somebody else"
    complain(f"the {child.name} {how}, so both were stopped")
    return 3


def be_child(command: Callable[[Path | None], None], config: Path | None) -> None:
    """Be one of these programs in a process of its own, and end with its parent, however that ends."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    guarded(lambda: command(config))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        multiprocessing.connection.wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
