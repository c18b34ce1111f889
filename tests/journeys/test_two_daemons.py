"""Two daemons on one database: one works, the other takes over, and neither undoes what the other has done."""

import signal
from datetime import datetime

import pytest

from reconciler.daemon.leader import LEASE
from reconciler.db import leases, queries, sweeps
from reconciler.db.leases import Lease
from reconciler.db.session import Database
from reconciler.simulator import till
from tests.journeys.conftest import billed, problems
from tests.journeys.programs import Running, Start, Stripe, let_lease_run_out, set_out, wait_until


def _lease(database: Database) -> Lease | None:
    with database.reading() as tx:
        return leases.current(tx, LEASE)


def _leads(database: Database, daemon: Running) -> bool:
    found = _lease(database)
    return found is not None and f" {daemon.process.pid} " in found.holder


def _says(daemon: Running, event: str) -> bool:
    return f'"{event}"' in daemon.log.read_text()


def _cursor(database: Database) -> datetime | None:
    with database.reading() as tx:
        return sweeps.position(tx, "events")


def _is_paid(database: Database) -> bool:
    with database.reading() as tx:
        return (queries.invoice(tx, "1") or {})["payment_status"] == "paid"


def _pay(database: Database, stripe: Stripe) -> None:
    till.succeed(stripe.world, billed(database, stripe, 1, 1000))


def _two(run: Start, database: Database, stripe: Stripe) -> tuple[Running, Running]:
    """Start a daemon that leads, and one that stands by."""
    stripe.catch_up()
    set_out(database)
    first = run("daemon")
    wait_until(lambda: _leads(database, first), first)
    second = run("daemon")
    wait_until(lambda: _says(second, "daemon.stood_by"), second)
    return first, second


def test_it_takes_over_from_one_that_was_killed(
    run: Start, database: Database, stripe: Stripe
) -> None:
    """When the leader dies, the other one leads as soon as the lease is over, and finds what was paid meanwhile."""
    first, second = _two(run, database, stripe)

    first.kill()
    _pay(database, stripe)
    let_lease_run_out(database)

    wait_until(lambda: _is_paid(database), second)
    assert _leads(database, second)
    assert second.stop() == 0
    assert problems(database, stripe) == []


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_it_takes_over_at_once_from_one_that_ends(
    run: Start, database: Database, stripe: Stripe, dialect: str
) -> None:
    """A leader that is stopped hands over; the other one leads without waiting for the lease to be over."""
    first, second = _two(run, database, stripe)

    held = _lease(database)

    code = first.stop()

    wait_until(lambda: _leads(database, second), second)
    assert code == 0
    assert held is not None
    assert (_lease(database) or held).token == held.token + 1


def test_it_moves_no_cursor_once_it_was_paused(
    run: Start, database: Database, stripe: Stripe
) -> None:
    """A leader that was paused in the middle of a list finds another one leading: it is not let through to the cursor."""
    _pay(database, stripe)
    for _ in range(120):
        till.make_intent(stripe.world, amount=100, currency="eur")
    stripe.api.stall_s = 7.0
    stripe.api.is_stalling = True
    stripe.catch_up()
    set_out(database)
    first = run("daemon")
    # Two lists stall, and the other jobs have ended: nothing is being written when it is paused.
    for path in ("/v1/events", "/v1/payment_intents"):
        wait_until(lambda path=path: stripe.api.stalls(path), first)
    for name in ("open", "invoices", "money"):
        wait_until(lambda name=name: f'"sweep": "{name}"' in first.log.read_text(), first)
    first.process.send_signal(signal.SIGSTOP)
    stripe.api.is_stalling = False
    let_lease_run_out(database)
    second = run("daemon")
    wait_until(lambda: _leads(database, second), second)
    before = _cursor(database)
    wait_until(lambda: _cursor(database) != before, second)

    first.process.send_signal(signal.SIGCONT)
    wait_until(lambda: _says(first, "daemon.stood_by"), first)
    wait_until(lambda: _says(first, "job.fenced"), first)

    assert _leads(database, second)
    assert second.stop() == 0
    assert problems(database, stripe) == []
