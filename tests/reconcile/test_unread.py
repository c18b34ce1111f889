"""Does a run that could not read something say so, and put right what it could read?"""

import pytest
from structlog.testing import capture_logs

from reconciler.core.report import RunHead, RunState
from reconciler.db import runs
from reconciler.db.session import Database
from reconciler.reconcile.running import run
from reconciler.reconcile.statement import report_of
from reconciler.simulator import till
from reconciler.simulator.api import Api
from reconciler.simulator.faults import Fault, FaultKind
from tests.poll.account import Account
from tests.reconcile.days import DAY_S, days, everything, kinds, reconciled, today

RIGHTS = frozenset(
    {
        "balance",
        "balance_transaction",
        "charge",
        "checkout_session",
        "dispute",
        "payment_intent",
        "payout",
        "refund",
    }
)
# Of each right that a key may lack: what Stripe calls it, and the lists that can't be read without it, as far as it is a list.
LACKING = [
    ("balance", "rak_balance_read", set()),
    ("balance_transaction", "rak_balance_transaction_source_read", {"balance_transactions"}),
    ("charge", "rak_charge_read", {"balance_transactions", "refunds"}),
    ("checkout_session", "rak_checkout_session_read", {"checkout_sessions"}),
    ("dispute", "rak_dispute_read", {"balance_transactions", "disputes"}),
    ("payment_intent", "rak_payment_intent_read", {"payment_intents"}),
    ("payout", "rak_payout_read", set()),
    ("refund", "rak_charge_read", {"balance_transactions", "refunds"}),
]


@pytest.fixture
def account(database: Database, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Give an account whose lists are told in pages of a few objects, so that they can be cut."""
    monkeypatch.setattr("reconciler.stripe_api.pager.PAGE", 4)
    return Account(database)


def _broken(database: Database, head: RunHead, account: Account) -> set[str]:
    lists = report_of(database, head.id, now=account.now()).lists
    return {each.name for each in lists if not each.is_complete}


@pytest.mark.parametrize(("lacked", "called", "lists"), LACKING)
def test_it_names_the_right_that_is_missing(
    account: Account, database: Database, lacked: str, called: str, lists: set[str]
) -> None:
    """A run whose key lacks a right is not complete and names it; all other lists are read; with the right it goes on to its end."""
    first, made = today(account), everything(account)
    account.wait(DAY_S)
    account.client.api = account.api(RIGHTS - {lacked})
    with capture_logs():
        cut = reconciled(account, days(account, first))
    broken = _broken(database, cut, account)
    found = kinds(database, cut)
    account.client.api = account.api(None)
    # What could not be read by its id was put off.
    account.wait(7)

    whole = run(account.poller, cut.id)

    assert cut.state is RunState.CUT_OFF
    assert f"give it the right {called}" in cut.error
    assert broken == lists
    assert found.get("missing_here")
    assert (whole.state, whole.error) == (RunState.COMPLETE, "")
    payments = {id_ for id_ in made.values() if id_.startswith("pi_")}
    assert kinds(database, whole)["missing_here"] == payments


@pytest.mark.parametrize("lacked", sorted(RIGHTS))
def test_it_foresees_no_less_than_it_may_read(
    account: Account, database: Database, lacked: str
) -> None:
    """A dry run says the same of a missing right, and never looks complete either."""
    first = today(account)
    everything(account)
    account.wait(DAY_S)
    account.client.api = account.api(RIGHTS - {lacked})

    with capture_logs():
        head = reconciled(account, days(account, first), is_dry=True)

    assert head.state is RunState.CUT_OFF
    assert "give it the right rak_" in head.error
    assert list(runs.differences(database, head.id))


def test_it_ends_at_once_with_a_key_that_is_none(account: Account) -> None:
    """A key that was revoked reads nothing: no other list is asked for."""
    account.wait(DAY_S)
    account.client.api = Api(account.world, [], account.faults)

    with capture_logs():
        head = reconciled(account, days(account, today(account)))

    assert head.state is RunState.CUT_OFF
    assert "was revoked" in head.error
    assert len(account.client.asked) == 1


def _paid_later(account: Account) -> str:
    """A payment that no list of the range has: made a month ago, paid now."""
    made = till.make_intent(account.world, amount=1000, currency="eur")
    till.start_debit(account.world, made)
    account.wait(30 * DAY_S)
    till.finish_debit(account.world, made)
    return made


def test_it_is_not_complete_without_an_object_of_the_range(
    account: Account, database: Database
) -> None:
    """A payment that can't be read by its id is named, asked for by each later part of the run, and told when it is there."""
    made = _paid_later(account)
    first = today(account)
    account.wait(DAY_S)
    account.faults.script(
        Fault(kind=FaultKind.ERROR_500, path=f"/v1/payment_intents/{made}", times=8)
    )

    with capture_logs():
        cut = reconciled(account, days(account, first))
        again = reconciled(account, days(account, first))
    whole = run(account.poller, cut.id)

    for each in (cut, again):
        assert each.state is RunState.CUT_OFF
        assert f"payment_intent {made} could not be read" in each.error
    assert (whole.state, whole.error) == (RunState.COMPLETE, "")
    assert {made} <= kinds(database, whole)["missing_here"]


def test_it_minds_no_object_of_other_days(account: Account, database: Database) -> None:
    """What waits to be read of another time keeps no run from being complete."""
    made = _paid_later(account)
    first = today(account)
    account.wait(DAY_S)
    account.faults.script(
        Fault(kind=FaultKind.ERROR_500, path=f"/v1/payment_intents/{made}", times=8)
    )
    with capture_logs():
        reconciled(account, days(account, first, first))
    account.wait(3 * DAY_S)
    later = today(account)
    account.wait(DAY_S)

    head = reconciled(account, days(account, later, later))

    assert (head.state, head.error) == (RunState.COMPLETE, "")
