"""The webhook is two processes: does it lose nothing, and leave nobody behind, however one of them ends?"""

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from reconciler.db import tables
from reconciler.db.session import Database
from tests.journeys.conftest import Server, add_invoices, start_server
from tests.journeys.programs import (
    ROOT,
    Stripe,
    children,
    free_port,
    is_ready,
    is_running,
    set_out,
    wait_until,
)
from tests.journeys.programs import Start as Run
from tests.journeys.stories import event, intent

Start = Callable[[], Server]
GONE_WITHIN_S = 15.0
SQLITE = pytest.mark.parametrize("dialect", ["sqlite"])


@pytest.fixture
def server(serve: Start) -> Server:
    """Give a webhook that can store an event."""
    return serve()


@pytest.fixture
def writer(server: Server) -> Iterator[int]:
    """Give the number of the process of a webhook that stores events; it ends with the test."""
    [pid] = children(server.process.pid)
    yield pid
    if is_running(pid):
        os.kill(pid, signal.SIGKILL)


def _paid(number: int) -> dict[str, object]:
    paid = intent(f"pi_{number}", "succeeded", 1000, invoice=f"INV-{number}")
    return event(f"evt_{number}", "payment_intent.succeeded", paid, ago_s=60)


def _is_gone(pid: int) -> bool:
    deadline = time.monotonic() + GONE_WITHIN_S
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_running(pid)


def _states(db: Database) -> dict[str, str]:
    column = tables.stripe_events.c
    with db.reading() as tx:
        return dict(map(tuple, tx.execute(select(column.id, column.state))))


def test_it_ends_as_one_when_the_process_that_stores_is_killed(
    server: Server, writer: int, database: Database, serve: Start, tmp_path: Path
) -> None:
    """It says which one died and how, exits with 3, keeps what it acknowledged, and takes the rest when started again."""
    add_invoices(
        database, *({"id": str(n), "number": f"INV-{n}", "amount_due": 1000} for n in range(2))
    )
    first = server.sender().send(_paid(0))

    os.kill(writer, signal.SIGKILL)
    code = server.process.wait(timeout=GONE_WITHIN_S)
    again = serve().sender().send(_paid(1))

    assert (first, code, again) == (200, 3, 200)
    said = (tmp_path / "serve.log").read_text()
    assert "reconciler: the process that stores events was ended by signal 9" in said
    assert _states(database) == {"evt_0": "applied", "evt_1": "applied"}


def test_it_leaves_nobody_behind_when_the_process_that_answers_is_killed(
    server: Server, writer: int, database: Database
) -> None:
    """The process that stores ends with the one that tells it what to store."""
    assert server.sender().send(_paid(0)) == http.client.OK

    server.kill()

    assert _is_gone(writer)


def test_it_ends_in_good_order_when_the_whole_group_is_told_to(
    server: Server, writer: int, database: Database
) -> None:
    """A signal that reaches both, as a service manager sends it, ends neither before its work is done."""
    assert server.sender().send(_paid(0)) == http.client.OK
    os.kill(writer, signal.SIGTERM)
    os.kill(writer, signal.SIGINT)
    second = server.sender().send(_paid(1))

    code = server.stop()

    assert (second, code) == (200, 0)
    assert _is_gone(writer)


def test_it_answers_that_it_cannot_store_while_the_process_that_stores_hangs(
    server: Server, writer: int, database: Database
) -> None:
    """Stripe is told to come again, and what was begun is stored later. A stop waits only so long for one that hangs."""
    os.kill(writer, signal.SIGSTOP)
    hanging = server.sender().send(_paid(0))
    os.kill(writer, signal.SIGCONT)
    after = server.sender().send(_paid(0))
    os.kill(writer, signal.SIGSTOP)
    code = server.stop()

    assert (hanging, after) == (503, 200)
    assert _states(database) == {"evt_0": "applied"}
    assert code == 0
    assert _is_gone(writer)


def test_it_ends_though_the_process_that_stores_hangs_with_an_event(
    server: Server, writer: int, database: Database
) -> None:
    """What nobody can store gets its 503, and a stop waits only so long for it, less than a service manager does."""
    os.kill(writer, signal.SIGSTOP)
    status = server.sender().send(_paid(0))

    code = server.stop()

    assert (status, code) == (503, 0)
    assert _is_gone(writer)


# As a supervisor may leave it to what it starts.
DEAF_TO_CHILDREN = "import os, signal, sys; signal.signal(signal.SIGCHLD, signal.SIG_IGN); os.execv(sys.argv[1], sys.argv[1:])"


@SQLITE
def test_it_learns_of_the_end_of_its_child_whoever_started_it(
    database: Database, database_url: str, schema: str, tmp_path: Path, dialect: str
) -> None:
    """A program that was started deaf to the end of children hears of that one all the same."""
    server = start_server(database_url, schema, tmp_path, sys.executable, "-c", DEAF_TO_CHILDREN)
    try:
        [writer] = children(server.process.pid)
        os.kill(writer, signal.SIGKILL)

        assert server.process.wait(timeout=GONE_WITHIN_S) == 3
    finally:
        server.end()


@SQLITE
def test_up_misses_its_webhook_though_the_process_that_stores_hangs(
    run: Run, database: Database, stripe: Stripe, dialect: str
) -> None:
    """What hangs holds nothing by which the end of its parent is noticed."""
    stripe.catch_up()
    set_out(database)
    port = free_port()
    both = run("up", port=port)
    wait_until(lambda: is_ready(port), both)
    webhook = both.children()[0]
    [writer] = children(webhook)
    os.kill(writer, signal.SIGSTOP)

    os.kill(webhook, signal.SIGKILL)
    code = both.process.wait(timeout=GONE_WITHIN_S)

    os.kill(writer, signal.SIGKILL)
    assert code == 3
    assert both.lines == ["reconciler: the webhook was ended by signal 9, so both were stopped"]


@SQLITE
def test_it_says_so_when_the_child_ends_before_anything_is_served(
    tmp_path: Path, dialect: str
) -> None:
    """A child that ends at once leaves no parent that would answer without it."""
    program = """
import signal, sys, time
from webhook.writer import WriterEnded, stored_apart
from webhook import writer
writer.obey = lambda *_: sys.exit(7)
try:
    with stored_apart(None):
        time.sleep(20)
except WriterEnded as ended:
    print(ended)
"""

    said = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        timeout=15,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )

    [*_, told] = said.stdout.splitlines()
    assert told == "the process that stores events ended with exit code 1"
