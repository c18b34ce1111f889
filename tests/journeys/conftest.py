"""How is the real server started and stopped in a test?"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.apply import Policy, apply_payment_state
from reconciler.core.observation import InvoiceSeen, Source
from reconciler.db import events, tables
from reconciler.db.session import Database
from reconciler.simulator import till
from reconciler.simulator.world import AppInvoice
from tests import truth
from tests.journeys.programs import (
    ROOT,
    Running,
    Start,
    Stripe,
    environment,
    free_port,
    is_ready,
    simulated_stripe,
)
from tests.journeys.programs import start as start_program
from tests.journeys.stories import SECRET, Sender
from tests.journeys.timelapse import Timelapse, timelapse

STARTED_WITHIN_S = 30


@dataclass
class Server:
    """One `reconciler serve` process."""

    process: subprocess.Popen[bytes]
    port: int
    senders: list[Sender] = field(default_factory=list)

    def sender(self) -> Sender:
        """Open a way to send events to this server; it is closed with the test."""
        self.senders.append(Sender(self.port))
        return self.senders[-1]

    def kill(self) -> None:
        """End the process without any warning."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def end(self) -> None:
        """Close what the test opened, and leave no process behind."""
        for sender in self.senders:
            sender.close()
        if self.process.poll() is None:
            self.kill()

    def stop(self) -> int:
        """Ask the process to end and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=20)


def start_server(database_url: str, schema: str, folder: Path, *by_way_of: str) -> Server:
    """Start `reconciler serve` on a database, by another program if need be, and wait until it can store an event."""
    port = free_port()
    environment = {
        **{k: v for k, v in os.environ.items() if not k.startswith(("RECONCILER_", "STRIPE_"))},
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": database_url,
        "RECONCILER_DATABASE__SCHEMA": schema,
        "RECONCILER_STRIPE__MODE": "test",
        "RECONCILER_WEBHOOK__LISTEN": f"127.0.0.1:{port}",
        "RECONCILER_METRICS__SERVE": "",
        "STRIPE_WEBHOOK_SECRET": SECRET,
    }
    with (folder / "serve.log").open("ab") as log:
        process = subprocess.Popen(
            [*by_way_of, sys.executable, "-m", "reconciler", "serve"],
            cwd=folder,
            env=environment,
            stdout=log,
            stderr=log,
        )
    deadline = time.monotonic() + STARTED_WITHIN_S
    while not is_ready(port):
        assert process.poll() is None, (folder / "serve.log").read_text()
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.05)
    return Server(process, port)


@pytest.fixture
def serve(database_url: str, schema: str, tmp_path: Path) -> Iterator[Callable[[], Server]]:
    """Give a function that starts a server process on the test's database."""
    servers: list[Server] = []

    def start() -> Server:
        servers.append(start_server(database_url, schema, tmp_path))
        return servers[-1]

    yield start
    for server in servers:
        server.end()


def write_invoices(db: Database, *rows: dict[str, object]) -> None:
    """Put invoices into the embedded table as an app would, which tells nobody."""
    now = datetime.now(UTC)
    defaults = {"currency": "eur", "status": "open", "created_at": now, "updated_at": now}
    names = ("number", "user_id", "stripe_payment_intent_id", "stripe_payment_link_id")
    with db.writing() as tx:
        whole = [{**dict.fromkeys(names), **defaults, **row} for row in rows]
        tx.execute(tables.invoices.insert(), whole)


def add_invoices(db: Database, *rows: dict[str, object]) -> None:
    """Put invoices into the embedded table, and let them be seen."""
    write_invoices(db, *rows)
    with db.writing() as tx:
        events.settle_setting(tx, "mode", "test")
        seen = [InvoiceSeen(str(row["id"])) for row in rows]
        now = datetime.now(UTC)
        apply_payment_state(tx, seen, source=Source.MANUAL, now=now, policy=Policy())


def billed(db: Database, stripe: Stripe, number: int, amount: int) -> str:
    """Bill an amount as an app would, and make the PaymentIntent that is to pay it; returns its id."""
    name = f"INV-{number}"
    add_invoices(db, {"id": str(number), "number": name, "amount_due": amount})
    known = AppInvoice(id=str(number), number=name, currency="eur", amount_due=amount)
    stripe.world.invoices[known.id] = known
    named = {"invoice_id": name}
    intent = till.make_intent(stripe.world, amount=amount, currency="eur", metadata=named)
    stripe.world.meant[intent] = known.id
    return intent


def problems(db: Database, stripe: Stripe) -> list[str]:
    """What is not as it is in truth."""
    return truth.problems(db, stripe.world, Policy(), now=datetime.now(UTC))


@pytest.fixture
def stripe() -> Iterator[Stripe]:
    """Give an account on a socket; its events are made a minute ago."""
    with simulated_stripe() as account:
        yield account


@pytest.fixture
def run(database_url: str, schema: str, stripe: Stripe, tmp_path: Path) -> Iterator[Start]:
    """Give a function that starts a program on the test's database; none outlives the test."""
    running: list[Running] = []

    def begin(command: str, *, port: int | None = None, **environ: str) -> Running:
        given = {**environment(database_url, schema, stripe.base_url, port), **environ}
        running.append(start_program(tmp_path, command, **given))
        return running[-1]

    yield begin
    for each in running:
        each.kill_all()
    for each in running:
        told = [line for line in each.log.read_text().splitlines() if "Traceback" in line]
        assert told == []


@pytest.fixture
def months(database: Database) -> Iterator[Timelapse]:
    """Give an account, a database and a daemon whose time leaps."""
    with timelapse(database) as months:
        yield months
