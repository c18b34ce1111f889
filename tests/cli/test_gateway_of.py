"""Can a command ask Stripe while it holds the database?"""

import pytest
from pydantic import SecretStr

from reconciler.cli.context import gateway_of
from reconciler.cli.running import poller_of
from reconciler.config import Settings
from reconciler.config.sections import Stripe
from reconciler.config.settings import Secrets
from reconciler.daemon import Leader
from reconciler.db.leases import LeaseLost
from reconciler.db.session import Database
from reconciler.stripe_api.problems import Stopped, StripeProblem
from tests.simulator.inprocess import Unhurried

SETTINGS = Settings(
    stripe=Stripe(mode="test"),
    secrets=Secrets(stripe_api_key=SecretStr("rk_test_0123456789")),
    # Nobody listens there: a question that is asked all the same fails in another way.
    stripe_api_base="http://127.0.0.1:9",
)


@pytest.mark.parametrize("way", ["reading", "writing"])
def test_it_never_asks_stripe_while_a_transaction_is_open(database: Database, way: str) -> None:
    """A question inside a transaction is refused before it is asked; with a stop set, none is asked at all."""
    stop = Unhurried()
    gateway = gateway_of(SETTINGS, stop)

    with getattr(database, way)(), pytest.raises(RuntimeError, match="transaction was open"):
        gateway.ask("/v1/events")

    stop.set()
    with pytest.raises(Stopped):
        gateway.ask("/v1/events")


def test_it_asks_stripe_nothing_while_another_daemon_leads(database: Database) -> None:
    """The way to Stripe of a daemon is closed to a job that was begun under no lease, or under one that is over."""
    leader = Leader(database)
    poller = poller_of(SETTINGS, database, leader, Unhurried())

    with leader.reign(), pytest.raises(LeaseLost):
        poller.gateway.ask("/v1/events")

    leader.tend()
    with leader.reign(), pytest.raises(StripeProblem):
        poller.gateway.ask("/v1/events", tries=1)
