"""Is every run of a sweep counted once, by how it ended?"""

from contextlib import suppress

import pytest

from reconciler.db import queries
from reconciler.db.leases import LeaseLost
from reconciler.db.session import Database, StorageUnavailable
from reconciler.metrics import OF_DAEMON
from reconciler.poll.runs import recorded
from reconciler.stripe_api.problems import ProblemKind, Stopped, StripeProblem
from tests.metrics.scraping import counted, growth
from tests.poll.account import Account

RUNS = "reconciler_sweep_runs_total"
COUNT = "reconciler_sweep_duration_seconds_count"
AWAY = StripeProblem(ProblemKind.UNAVAILABLE, "/v1/events: Stripe gives no answer")


@pytest.fixture
def account(database: Database) -> Account:
    """Give an account, of which nothing is asked here."""
    return Account(database)


@pytest.fixture(
    params=[None, Stopped(), LeaseLost(), AWAY, StorageUnavailable("away"), ValueError("canary")]
)
def end(request: pytest.FixtureRequest) -> Exception | None:
    """Give the way in which a run ends."""
    given: Exception | None = request.param
    return given


def test_it_counts_a_run_as_its_row_tells_it(account: Account, end: Exception | None) -> None:
    """Row and counter agree on how a run ended, and however that was, it is counted once with its duration."""
    before = counted(OF_DAEMON)

    with suppress(Exception), recorded(account.poller, "money"):
        if end is not None:
            raise end

    after = counted(OF_DAEMON)
    with account.database.reading() as tx:
        [run] = queries.last_runs(tx)
    assert growth(before, after, RUNS) == {
        frozenset({("sweep", "money"), ("state", run["state"])}): 1
    }
    assert growth(before, after, COUNT) == {frozenset({("sweep", "money")}): 1}
    assert "canary" not in after.text


def test_it_counts_from_nothing_as_soon_as_a_run_begins(account: Account, dialect: str) -> None:
    """Every way to end is told with 0 before the first run has ended: a rise from nothing can't be seen."""
    never_run = f"new to {dialect}"

    with recorded(account.poller, never_run):
        told = counted(OF_DAEMON)

    for state in ("done", "cut", "failed"):
        assert told.value(RUNS, sweep=never_run, state=state) == 0
