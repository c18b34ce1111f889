"""Do the real programs tell Prometheus what they do, at addresses of their own, and nobody's secrets?"""

import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from reconciler.db import queries
from reconciler.db.session import Database
from reconciler.simulator import till
from tests import service_manager
from tests.journeys.conftest import add_invoices
from tests.journeys.programs import (
    KEY,
    Running,
    Start,
    Stripe,
    free_port,
    set_out,
    wait_until,
)
from tests.journeys.stories import SECRET, Sender, event, failed, intent
from tests.metrics.scraping import Scrape, scrape

SQLITE = pytest.mark.parametrize("dialect", ["sqlite"])
SERVE, DAEMON = "RECONCILER_METRICS__SERVE", "RECONCILER_METRICS__DAEMON"
OUTCOMES = (
    "stored",
    "refused",
    "too_slow",
    "too_large",
    "client_gone",
    "no_room",
    "not_stored",
    "failed",
)


def _at(port: int) -> str:
    return f"127.0.0.1:{port}"


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return False
    return True


def _serving(run: Start, *, port: int, metrics: int) -> Running:
    server = run("serve", port=port, **{SERVE: _at(metrics)})
    wait_until(lambda: _answers(port), server)
    return server


@SQLITE
def test_it_counts_webhooks_by_what_became_of_them(run: Start, dialect: str) -> None:
    """Stored and refused ones are told apart, each outcome is there from the start, and a stop closes the listener."""
    port, metrics = free_port(), free_port()
    server = _serving(run, port=port, metrics=metrics)
    none = scrape(metrics)
    sender = Sender(port)
    paid = intent("pi_canary1", "succeeded", 1000, receipt_email="canary@example.com")
    answers = [
        sender.send(event("evt_canary1", "payment_intent.succeeded", paid)),
        sender.send(event("evt_canary1", "payment_intent.succeeded", paid)),
        sender.send(
            event("evt_canary2", "canary.type", failed("pi_canary2", 500, invoice="canary"))
        ),
        sender.send(event("evt_canary3", "payment_intent.succeeded", paid), secret="whsec_other"),
    ]
    sender.close()

    told = scrape(metrics)
    code = server.stop()

    assert answers == [200, 200, 200, 400]
    assert none.under("reconciler_webhooks_total", "outcome") == dict.fromkeys(OUTCOMES, 0)
    counts = {**dict.fromkeys(OUTCOMES, 0), "stored": 3, "refused": 1}
    assert told.under("reconciler_webhooks_total", "outcome") == counts
    assert told.value("reconciler_webhook_duration_seconds_count") == 4
    for canary in ("canary", "pi_", "evt_", SECRET, "whsec_"):
        assert canary not in told.text
    assert code == 0
    assert not _answers(metrics)


def _is(port: int, holds: Callable[[Scrape], bool]) -> bool:
    return _answers(port) and holds(scrape(port))


def _paid(database: Database) -> bool:
    with database.reading() as tx:
        return (queries.invoice(tx, "1") or {})["payment_status"] == "paid"


def test_it_tells_of_both_programs_without_a_name_or_a_secret(
    run: Start, database: Database, stripe: Stripe
) -> None:
    """`up` tells at both addresses: sweeps, requests by their path, lags; no id, no key, no payer and no unknown path."""
    add_invoices(database, {"id": "1", "number": "canary-1", "amount_due": 1000})
    named = {"invoice_id": "canary-1"}
    paid = till.make_intent(
        stripe.world,
        amount=1000,
        currency="eur",
        metadata=named,
        receipt_email="canary@example.com",
    )
    till.succeed(stripe.world, paid)
    stripe.catch_up()
    set_out(database)
    serve, daemon, port = free_port(), free_port(), free_port()

    both = run(
        "up",
        port=port,
        **{SERVE: _at(serve), DAEMON: _at(daemon), "RECONCILER_SWEEPS__OPEN_S": "1"},
    )
    wait_until(lambda: _paid(database) and _answers(port), both)
    done = {"sweep": "recent", "state": "done"}
    runs = "reconciler_sweep_runs_total"
    wait_until(lambda: _is(daemon, lambda told: bool(told.value(runs, **done))), both)
    # What the database tells is kept for a few seconds.
    lag = "reconciler_sweep_lag_seconds"
    wait_until(lambda: _is(daemon, lambda told: "recent" in told.under(lag, "sweep")), both)
    told = scrape(daemon)
    code = both.stop()

    requests = {
        dict(labels)["path"]
        for name, labels in told.samples
        if name == "reconciler_stripe_requests_total"
    }
    lists = {"/v1/events", "/v1/balance_transactions", "/v1/payment_intents", "/v1/disputes"}
    assert lists <= requests
    assert "other" not in requests
    assert told.value("reconciler_daemon_leads") == told.value("reconciler_database_up") == 1
    assert told.value(runs, sweep="events", state="failed") == 0
    assert 0 < (told.value(lag, sweep="recent") or 0) < 60
    assert 0 < (told.value("reconciler_cursor_lag_seconds", cursor="events") or 0) < 60
    assert told.under("reconciler_exceptions_open", "kind")["event_dead"] == 0
    happened = [each.event for each in stripe.world.happenings]
    ids = {id_ for each in happened for id_ in (each["id"], each["data"]["object"]["id"])}
    for canary in (*ids, "canary", "req_", KEY, "postgres", "sqlite"):
        assert canary not in told.text
    assert code == 0
    assert (_answers(serve), _answers(daemon)) == (False, False)


@SQLITE
@pytest.mark.parametrize(
    ("command", "key"),
    [("serve", "serve"), ("daemon", "daemon"), ("up", "serve"), ("up", "daemon")],
)
def test_it_says_that_the_port_of_its_metrics_is_taken(
    run: Start, database: Database, dialect: str, tmp_path: Path, command: str, key: str
) -> None:
    """It ends with 3 before it is ready, and one line names the setting, the address and both ways out."""
    set_out(database)
    with (
        closing(socket.create_server(("127.0.0.1", 0))) as other,
        service_manager.listening(tmp_path) as manager,
    ):
        taken = _at(other.getsockname()[1])
        variable = f"RECONCILER_METRICS__{key.upper()}"
        refused = run(command, NOTIFY_SOCKET=manager.address, **{variable: taken})
        code = refused.process.wait(timeout=20)
        told = manager.heard()

    [said, *why] = refused.lines
    place = f"reconciler: [metrics] {key}: {taken} can't be bound (Address already in use)"
    assert code == 3
    assert said == f'{place}: choose another, or "" for none'
    assert [line.partition(" failed, so")[0] for line in why] == {
        ("up", "serve"): ["reconciler: the webhook"],
        ("up", "daemon"): ["reconciler: the daemon"],
    }.get((command, key), [])
    assert told == []


@SQLITE
def test_it_listens_nowhere_when_it_is_told_so(run: Start, dialect: str) -> None:
    """With an empty address a program opens no listener but its own."""
    port = free_port()
    server = run("serve", port=port)
    wait_until(lambda: _answers(port), server)

    assert "metrics.opened" not in server.log.read_text()
    assert server.stop() == 0
