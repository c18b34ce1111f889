"""Is a right that the key lacks called by its name, once, for as long as it is missing?"""

from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from reconciler.db import queries
from reconciler.db.session import Database
from reconciler.poll import Depth, Poller, RecentSweep, sweep_events, sweep_money, sweep_recent
from reconciler.simulator import till
from reconciler.stripe_api.problems import StripeProblem
from tests.databases import refusing
from tests.poll.account import Account

MONEY = Depth(name="money", overlap_s=2 * 86_400, lag_s=10)
EVENTS = Depth(name="events", overlap_s=120, lag_s=10)
RECENT = RecentSweep(name="recent", reach_s=2 * 86_400)


@pytest.fixture
def account(database: Database) -> Account:
    """Give an account."""
    return Account(database)


def _missing(account: Account) -> list[str]:
    with account.database.reading() as tx:
        rows = queries.open_exceptions(tx, now=account.now())
    return [each["subject"] for each in rows if each["kind"] == "read_forbidden"]


@pytest.mark.parametrize(
    ("sweep", "kind"),
    [
        (lambda poller: sweep_events(poller, EVENTS), "event"),
        (lambda poller: sweep_money(poller, MONEY), "balance_transaction"),
        (lambda poller: sweep_recent(poller, RECENT), "dispute"),
    ],
)
def test_it_names_the_kind_that_may_not_be_read(
    account: Account, sweep: Callable[[Poller], None], kind: str
) -> None:
    """A list that is forbidden is one open exception, one line of the log however often it is tried, and over once it is read."""
    everything = {"event", "balance_transaction", "payment_intent", "checkout_session", "dispute"}
    account.client.api = account.api(frozenset(everything - {kind}))
    account.wait(3600)

    with capture_logs() as lines:
        for _ in range(2):
            with pytest.raises(StripeProblem):
                sweep(account.poller)
    without = _missing(account)
    account.client.api = account.api(None)
    sweep(account.poller)

    assert (without, _missing(account)) == ([kind], [])
    assert [line["kind"] for line in lines if line["event"] == "read.forbidden"] == [kind]


def test_it_asks_nobody_any_more_about_an_object_that_is_well(account: Account) -> None:
    """An object that could not be applied is a person's matter until a list shows it again and it can."""
    intent = till.make_intent(account.world, amount=1000, currency="eur")
    account.wait(60)

    with refusing(account.database, intent), capture_logs():
        sweep_recent(account.poller, RECENT)
    broken = _missing(account)
    sweep_recent(account.poller, RECENT)

    assert broken == [f"payment_intent {intent}"]
    assert _missing(account) == []
