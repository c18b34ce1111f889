"""Several processes and many connections: one row an event, sums exact, nothing acknowledged is lost."""

import http.client
import json
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime

from sqlalchemy import func, select

from reconciler.apply import Policy
from reconciler.core.observation import Source
from reconciler.db import tables
from reconciler.db.session import Database
from reconciler.inbox import Inbox
from reconciler.stripe_api.envelope import read_event
from reconciler.verify import verify
from tests.journeys.conftest import Server, add_invoices
from tests.journeys.stories import Sender, event, intent

Start = Callable[[], Server]
AT_ONCE = 20
# `make kill` asks for more of each.
KILLS = int(os.environ.get("RECONCILER_KILLS", "12"))
IDS = int(os.environ.get("RECONCILER_IDS", "200"))
ROUNDS = int(os.environ.get("RECONCILER_ROUNDS", "300"))


def test_it_stores_one_row_for_parallel_deliveries(serve: Start, database: Database) -> None:
    """Twenty deliveries of each id to two processes at once: one row each, and no 5xx."""
    add_invoices(database, {"id": "1", "number": "INV-1", "amount_due": 1000})
    ports = [serve().port, serve().port]
    story = [
        event(f"evt_{n}", "payment_intent.succeeded", intent(f"pi_{n}", "succeeded", 100))
        for n in range(IDS)
    ]

    def deliver(worker: int) -> set[int]:
        sender = Sender(ports[worker % 2])
        statuses = {sender.send(each) for each in story}
        sender.close()
        return statuses

    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = set().union(*pool.map(deliver, range(AT_ONCE)))

    assert answers == {200}
    with database.reading() as tx:
        assert tx.scalar(select(func.count()).select_from(tables.stripe_events)) == IDS
        assert tx.scalar(select(func.count()).select_from(tables.payments)) == IDS
        states = set(tx.scalars(select(tables.stripe_events.c.state)))
    assert states == {"applied"}


def test_it_adds_up_two_payments_of_one_invoice_at_once(database: Database) -> None:
    """Two PaymentIntents of one invoice, applied at the same moment again and again: every sum is exact."""
    add_invoices(database, *({"id": f"i{n}", "amount_due": 300} for n in range(ROUNDS)))
    inbox = Inbox(db=database)
    barrier = threading.Barrier(2)

    def pay(side: int) -> None:
        for n in range(ROUNDS):
            about = intent(f"pi_{n}_{side}", "succeeded", 100 + side * 100, invoice=f"i{n}")
            told = read_event(
                json.dumps(event(f"evt_{n}_{side}", "payment_intent.succeeded", about)).encode()
            )
            barrier.wait(timeout=60)
            inbox.accept([told], source=Source.WEBHOOK, now=datetime.now(UTC))

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(pay, range(2)))

    with database.reading() as tx:
        sums = set(
            map(tuple, tx.execute(select(tables.settlements.c.received, tables.settlements.c.net)))
        )
        words = set(tx.scalars(select(tables.invoices.c.payment_status)))
    assert (sums, words) == ({(300, 300)}, {"paid"})


def test_it_loses_nothing_that_it_acknowledged(serve: Start, database: Database) -> None:
    """The server is killed again and again under load: every event that got a 200 is stored and applied."""
    add_invoices(database, {"id": "1", "number": "INV-1", "amount_due": 1000})
    acknowledged: list[str] = []
    for round_ in range(KILLS):
        server = serve()
        stop = threading.Event()

        def load(
            worker: int, port: int = server.port, round_: int = round_, stop: threading.Event = stop
        ) -> None:
            with closing(Sender(port)) as sender:
                for n in range(10_000):
                    name = f"{round_}_{worker}_{n}"
                    told = event(
                        f"evt_{name}",
                        "payment_intent.succeeded",
                        intent(f"pi_{name}", "succeeded", 100),
                    )
                    try:
                        status = sender.send(told)
                    except (OSError, http.client.HTTPException):
                        return  # The server died in the middle of an answer.
                    if status == 200:
                        acknowledged.append(told["id"])
                    if stop.is_set():
                        return

        with ThreadPoolExecutor(4) as pool:
            running = [pool.submit(load, worker) for worker in range(4)]
            time.sleep(0.05 + 0.01 * (round_ % 20))
            server.kill()
            stop.set()
            for each in running:
                each.result(timeout=30)

    with database.reading() as tx:
        stored = set(
            tx.scalars(
                select(tables.stripe_events.c.id).where(tables.stripe_events.c.state == "applied")
            )
        )
        payments = set(tx.scalars(select(tables.payments.c.id)))
    assert acknowledged
    assert set(acknowledged) <= stored
    assert {each.replace("evt_", "pi_") for each in acknowledged} <= payments
    assert verify(database, Policy(), now=datetime.now(UTC)).problems == ()
