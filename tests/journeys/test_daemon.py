"""The daemon and `up` as a service manager runs them: nothing is lost, and they end when they should."""

import os
import signal
import socket
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from reconciler.db import queries, sweeps, tables
from reconciler.db.session import Database
from reconciler.simulator import till
from tests.db.scratch import lock_of_a_stranger
from tests.journeys.conftest import billed, problems
from tests.journeys.programs import (
    Running,
    Start,
    Stripe,
    free_port,
    is_ready,
    is_running,
    let_lease_run_out,
    set_out,
    wait_until,
)

SQLITE = pytest.mark.parametrize("dialect", ["sqlite"])


def _cursor(database: Database) -> datetime | None:
    with database.reading() as tx:
        return sweeps.position(tx, "events")


def _stored(database: Database) -> set[str]:
    with database.reading() as tx:
        return {each["id"] for each in queries.events(tx, limit=1000)}


def _states(database: Database, sweep: str) -> list[str]:
    with database.reading() as tx:
        return [each["state"] for each in queries.last_runs(tx) if each["sweep"] == sweep]


def test_it_loses_nothing_when_the_daemon_is_killed(
    run: Start, database: Database, stripe: Stripe
) -> None:
    """Killed after the first page of three was stored, the daemon takes in everything when it is started again."""
    till.succeed(stripe.world, billed(database, stripe, 1, 1000))
    for _ in range(240):
        till.make_intent(stripe.world, amount=100, currency="eur")
    stripe.catch_up()
    before = set_out(database)
    stripe.api.is_stalling = True

    first = run("daemon")
    wait_until(lambda: stripe.api.stalls("/v1/events"), first)
    first.kill()
    killed = len(_stored(database)), _cursor(database)
    stripe.api.is_stalling = False
    let_lease_run_out(database)
    restarted = datetime.now(UTC)
    second = run("daemon")
    everything = {each.event["id"] for each in stripe.world.happenings}
    wait_until(lambda: _stored(database) == everything and _cursor(database) != before, second)
    code = second.stop()

    column = tables.sweep_runs.c
    with database.reading() as tx:
        sources = queries.events_by_source(tx, before)
        asked = select(column.state).where(column.sweep == "events").order_by(column.id)
        runs = list(tx.scalars(asked))
    assert killed == (101, before)
    assert problems(database, stripe) == []
    assert sources == {"poll": len(everything)}
    assert runs[:2] == ["cut", "done"]
    assert _cursor(database) >= restarted - timedelta(seconds=12)
    assert code == 0
    assert second.lines == []


@pytest.mark.parametrize(("dialect", "drip_s"), [("sqlite", 0.0), ("postgresql", 0.2)])
def test_it_ends_in_the_middle_of_a_page_and_goes_on_there(
    run: Start, database: Database, stripe: Stripe, dialect: str, drip_s: float
) -> None:
    """SIGTERM ends the daemon with 0 while an answer is held back or dribbles; the next one begins where the cursor stands."""
    till.succeed(stripe.world, billed(database, stripe, 1, 1000))
    for _ in range(120):
        till.make_intent(stripe.world, amount=100, currency="eur")
    stripe.catch_up()
    before = set_out(database)
    stripe.api.drip_s = drip_s
    stripe.api.is_stalling = True
    # The answer is waited for much longer than the end of the program is.
    first = run("daemon", RECONCILER_STRIPE__READ_TIMEOUT_S="60")
    wait_until(lambda: stripe.api.stalls("/v1/events"), first)

    code = first.stop()

    stopped = len(_stored(database)), _cursor(database)
    stripe.api.is_stalling = False
    second = run("daemon")
    everything = {each.event["id"] for each in stripe.world.happenings}
    wait_until(lambda: _stored(database) == everything and _cursor(database) != before, second)
    assert (code, second.stop()) == (0, 0)
    assert (first.lines, second.lines) == ([], [])
    assert stopped == (101, before)
    assert problems(database, stripe) == []


def test_it_ends_in_time_while_the_database_is_locked(
    run: Start, database: Database, database_url: str, schema: str, stripe: Stripe
) -> None:
    """SIGTERM waits for no writer, however patient the settings are: nothing is lost but the handing over of the lease."""
    stripe.catch_up()
    set_out(database)
    program = run("daemon", RECONCILER_DATABASE__BUSY_TIMEOUT_S="60")
    wait_until(lambda: _states(database, "events")[-1:] == ["done"], program)

    with closing(lock_of_a_stranger(database_url, schema)):
        code = program.stop()

    assert (code, program.lines) == (0, [])


@SQLITE
def test_it_refuses_wrong_settings(run: Start, dialect: str) -> None:
    """A key of the other mode is refused before anything starts: one line, exit code 2."""
    refused = [
        run(command, RECONCILER_STRIPE__MODE="live", STRIPE_API_BASE="")
        for command in ("daemon", "up")
    ]

    for each in refused:
        assert each.process.wait(timeout=20) == 2
        assert len(each.lines) == 1
        assert each.lines[0].startswith("reconciler: STRIPE_API_KEY: is a test key")


@SQLITE
def test_it_says_that_its_port_is_taken(run: Start, database: Database, dialect: str) -> None:
    """A port that somebody else listens on ends the program with 3 and a line that names it; `up` ends both."""
    set_out(database)
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = other.getsockname()[1]
        refused = [run(command, port=port) for command in ("serve", "up")]
        codes = [each.process.wait(timeout=20) for each in refused]

    said = [line.partition(" (")[0] for each in refused for line in each.lines]
    taken = f"reconciler: [webhook] listen: 127.0.0.1:{port} can't be bound"
    why = "reconciler: the webhook failed, so both were stopped; its own line above says why"
    assert codes == [3, 3]
    assert said == [taken, taken, why]


def _up(run: Start, database: Database, stripe: Stripe) -> tuple[Running, list[int]]:
    """Start both programs, and wait until both do their work; return their ids, the webhook's first."""
    stripe.catch_up()
    set_out(database)
    port = free_port()
    both = run("up", port=port)
    wait_until(lambda: _states(database, "events")[-1:] == ["done"] and is_ready(port), both)
    children = both.children()
    assert len(children) == 2
    return both, children


def _are_gone(pids: list[int]) -> bool:
    return not any(map(is_running, pids))


@SQLITE
def test_it_ends_both_programs_together(
    run: Start, database: Database, stripe: Stripe, dialect: str
) -> None:
    """SIGTERM to `up` stops the webhook and the daemon, and is no failure."""
    both, children = _up(run, database, stripe)

    code = both.stop()

    assert code == 0
    assert _are_gone(children)
    assert both.lines == []


@SQLITE
def test_it_ends_the_other_when_one_dies(
    run: Start, database: Database, stripe: Stripe, dialect: str
) -> None:
    """When the daemon is killed, `up` ends the webhook too and says so in one line, with exit code 3."""
    both, children = _up(run, database, stripe)

    os.kill(children[1], signal.SIGKILL)
    code = both.process.wait(timeout=20)

    assert code == 3
    assert _are_gone(children)
    assert both.lines == ["reconciler: the daemon was ended by signal 9, so both were stopped"]


@SQLITE
def test_it_leaves_no_orphans(run: Start, database: Database, stripe: Stripe, dialect: str) -> None:
    """When `up` itself is killed, the webhook and the daemon end by themselves."""
    both, children = _up(run, database, stripe)

    both.kill()

    wait_until(lambda: _are_gone(children), both)
    assert both.lines == []
