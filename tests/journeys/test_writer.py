"""The webhook is two processes: does it lose nothing, and leave nobody behind, however one of them ends?"""

import http.client
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from reconciler.db import tables
from reconciler.db.session import Database
from tests.journeys.conftest import Server, add_invoices
from tests.journeys.programs import children, is_running
from tests.journeys.stories import event, intent

Start = Callable[[], Server]
GONE_WITHIN_S = 15.0


@pytest.fixture
def server(serve: Start) -> Server:
    """Give a webhook that can store an event."""
    return serve()


@pytest.fixture
def writer(server: Server) -> Iterator[int]:
    """Give the number of the process of a webhook that stores events; it goes on, and is let go, with the test."""
    [pid] = children(server.process.pid)
    yield pid
    if is_running(pid):
        os.kill(pid, signal.SIGCONT)


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
    assert "reconciler: the database: the process that stores events was ended by signal 9" in said
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
