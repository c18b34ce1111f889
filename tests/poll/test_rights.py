"""Is a right that the key lacks called by its name, once, for as long as it is missing?"""

from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from reconciler.db import queries
from reconciler.db.session import Database
from reconciler.poll import Depth, Poller, RecentSweep, sweep_events, sweep_money, sweep_recent
from reconciler.simulator import till
from reconciler.simulator.api import Api, Key
from reconciler.stripe_api.problems import StripeProblem
from tests.databases import refusing
from tests.poll.account import KEY, Account

MONEY = Depth(name="money", overlap_s=2 * 86_400, lag_s=10)
EVENTS = Depth(name="events", overlap_s=120, lag_s=10)
RECENT = RecentSweep(name="recent", reach_s=2 * 86_400)
EVERYTHING = frozenset(
    {"event", "balance_transaction", "payment_intent", "checkout_session", "dispute"}
)


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
        (lambda poller: sweep_recent(poller, RECENT), "payment_intent"),
        (lambda poller: sweep_recent(poller, RECENT), "dispute"),
    ],
)
def test_it_names_the_kind_that_may_not_be_read(
    account: Account, sweep: Callable[[Poller], None], kind: str
) -> None:
    """A list that is forbidden is one open exception, one line of the log however often it is tried, and over once it is read."""
    account.client.api = account.api(EVERYTHING - {kind})
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


def test_it_needs_no_right_but_that_to_its_own_lists(account: Account) -> None:
    """Without the right to read events the other sweeps do their work, and nothing but events is missed."""
    intent = till.make_intent(account.world, amount=1000, currency="eur")
    account.client.api = account.api(EVERYTHING - {"event"})
    account.wait(3600)

    with pytest.raises(StripeProblem):
        sweep_events(account.poller, EVENTS)
    sweep_money(account.poller, MONEY)
    sweep_recent(account.poller, RECENT)

    with account.database.reading() as tx:
        payment = queries.payment(tx, intent)
    assert payment is not None
    assert _missing(account) == ["event"]


def test_it_names_every_kind_where_no_list_may_be_read(account: Account) -> None:
    """A key that may read none of the recent objects is told of all three, and of none once it may."""
    account.client.api = account.api(frozenset({"event"}))
    account.wait(3600)

    with pytest.raises(StripeProblem):
        sweep_recent(account.poller, RECENT)
    without = _missing(account)
    account.client.api = account.api(None)
    sweep_recent(account.poller, RECENT)

    assert sorted(without) == ["checkout_session", "dispute", "payment_intent"]
    assert _missing(account) == []


@pytest.mark.parametrize(
    ("keys", "cause"),
    [
        ([Key(KEY, EVERYTHING - {"event"})], "rak_event_read"),
        ([Key("rk_test_another", None)], "401"),
    ],
)
def test_it_keeps_what_is_wrong_with_the_key(account: Account, keys: list[Key], cause: str) -> None:
    """The exception names the right that the key lacks, in Stripe's word, or that it is no key at all."""
    account.client.api = Api(account.world, keys, account.faults)
    account.wait(3600)

    with pytest.raises(StripeProblem):
        sweep_events(account.poller, EVENTS)

    with account.database.reading() as tx:
        [found] = queries.open_exceptions(tx, now=account.now())
    assert (found["subject"], found["fingerprint"]) == ("event", cause)


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
