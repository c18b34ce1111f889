"""Stripe is away, slow or out of its mind for a while: nothing is taken for an answer, and afterwards the books become right."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from reconciler.core.observation import Source
from reconciler.db import queries
from reconciler.db.session import Database
from reconciler.db.tables import cursors, fetches, stripe_events, sweep_runs
from reconciler.poll import read_due
from reconciler.simulator import returns, till
from reconciler.simulator.faults import Fault, FaultKind
from reconciler.simulator.server import SimulatedStripe
from reconciler.stripe_api.envelope import read_event
from reconciler.stripe_api.problems import StripeProblem
from reconciler.stripe_api.translate import UnreadableObject
from tests.journeys.conftest import billed, problems
from tests.journeys.programs import Start, Stripe, free_port, set_out, wait_until
from tests.journeys.timelapse import UNHASTY, Timelapse, timelapse
from tests.stripe_api import shapes

HOURS = timedelta(hours=4)
# Every list is asked for once while Stripe misbehaves, and once more soon after.
TIMING = replace(
    UNHASTY, events_s=18_000, deep_s=18_000, open_s=18_000, money_s=18_000, recent_s=18_000
)
ALWAYS = 10**6


def _scripted(kind: FaultKind, **more: object) -> Callable[[Timelapse], None]:
    def begin(months: Timelapse) -> None:
        months.faults.script(Fault(kind=kind, times=ALWAYS, **more))  # type: ignore[arg-type]

    return begin


FAULTS = {
    "nobody answers": Timelapse.close_stripe,
    "too slow": _scripted(FaultKind.STALL, stall_s=60),
    "too many requests": _scripted(FaultKind.RATE_LIMITED),
    "too many requests, come back": _scripted(FaultKind.RATE_LIMITED, retry_after_s=5),
    "an error": _scripted(FaultKind.ERROR_500),
    "an error that stays": _scripted(FaultKind.NO_RETRY),
    "a page of a proxy": _scripted(FaultKind.HTML),
    "a page of a proxy that says so": _scripted(FaultKind.HTML_502),
    "half a body": _scripted(FaultKind.CUT_BODY),
    "an empty object": _scripted(FaultKind.EMPTY_OBJECT),
    "pages that are empty and promise more": _scripted(FaultKind.EMPTY_PAGE),
}
# By its id an object can be read meanwhile.
OF_LISTS = "pages that are empty and promise more"


def _states(database: Database) -> set[str]:
    """How sweeps have ended, but for those that asked Stripe nothing."""
    state = sweep_runs.c.state
    asks = sweep_runs.c.sweep.not_in(["open", "invoices"])
    with database.reading() as tx:
        return set(tx.scalars(select(state).where(asks)))


def _cursors(database: Database) -> list[str]:
    with database.reading() as tx:
        return list(tx.scalars(select(cursors.c.name)))


def _words(database: Database) -> list[str | None]:
    with database.reading() as tx:
        return [row["payment_status"] for row in queries.invoices(tx)]


def _waiting(database: Database) -> list[str]:
    """Objects that wait to be read, and events that wait for them or were given up."""
    with database.reading() as tx:
        objects = tx.scalars(select(fetches.c.object_id)).all()
        state = stripe_events.c.state
        left = tx.scalars(select(stripe_events.c.id).where(state.not_in(["applied", "ignored"])))
        return [*objects, *left]


def _tell_thinly(months: Timelapse, *intents: str) -> None:
    """Let events come that only name these PaymentIntents, so that each must be read."""
    for each in intents:
        event = shapes.thin_event(
            "v1.payment_intent.succeeded",
            ("payment_intent", each),
            id=f"evt_{each}",
            created=months.now().isoformat(),
        )
        told = [read_event(shapes.body(event))]
        months.poller.inbox.accept(told, source=Source.WEBHOOK, now=months.now())


def _insist(months: Timelapse) -> None:
    """Ask for what waits to be read, again and again, as a daemon does within minutes."""
    for _ in range(3):
        with suppress(StripeProblem, UnreadableObject):
            read_due(months.poller)
        months.world.clock.advance(60_000)


@pytest.mark.parametrize("fault", FAULTS)
def test_it_takes_nothing_for_an_answer_and_makes_up_for_it(database: Database, fault: str) -> None:
    """While it lasts every sweep fails and no cursor moves; hours later the books are right, and nobody is called any more."""
    with timelapse(database, timing=TIMING, read_timeout_s=0.2) as months:
        paid, returned = (months.intent(months.bill(n, 5000), 5000) for n in (1, 2))
        till.succeed(months.world, paid)
        _tell_thinly(months, paid, returned)
        FAULTS[fault](months)
        _insist(months)
        months.run(HOURS)
        till.succeed(months.world, returned)
        returns.refund(months.world, returned, 5000)
        meanwhile = _words(database), _states(database), _cursors(database)
        months.faults.heal()
        if fault == "nobody answers":
            months.open_stripe()

        months.run(HOURS)
        _insist(months)

        words = ["paid", "unpaid"] if fault == OF_LISTS else [None, None]
        assert meanwhile == (words, {"failed"}, [])
        assert _waiting(database) == []
        assert sorted(map(str, _words(database))) == ["paid", "refunded"]
        assert months.alerts() == set()
        assert months.problems() == []


@pytest.mark.parametrize("dialect", ["sqlite"])
def test_it_waits_for_a_stripe_that_is_away(
    run: Start, database: Database, stripe: Stripe, dialect: str
) -> None:
    """A daemon that is started while nobody answers stays, and does its work as soon as somebody does."""
    till.succeed(stripe.world, billed(database, stripe, 1, 5000))
    stripe.catch_up()
    set_out(database)
    port = free_port()

    daemon = run("daemon", STRIPE_API_BASE=f"http://127.0.0.1:{port}")
    wait_until(lambda: "stripe.asked_in_vain" in daemon.log.read_text(), daemon)
    with SimulatedStripe(stripe.api, port=port):  # type: ignore[arg-type]
        wait_until(lambda: problems(database, stripe) == [], daemon)
        code = daemon.stop()

    assert code == 0
    assert daemon.lines == []
