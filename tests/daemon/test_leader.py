"""Does one daemon lead, and does another take over without the two ever working at once?"""

from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from reconciler.daemon import Leader
from reconciler.daemon.leader import TTL
from reconciler.db import evidence
from reconciler.db.leases import LeaseLost
from reconciler.db.session import Database, Tx, open_database
from reconciler.poll import Poller, RecentSweep, read_due, sweep_recent
from reconciler.simulator import till
from reconciler.simulator.api import Request
from tests.db.scratch import lock_of_a_stranger
from tests.journeys.programs import let_lease_run_out
from tests.poll.account import Account

RECENT = RecentSweep(name="recent", reach_s=2 * 86_400)


def _passes(database: Database, leader: Leader) -> bool:
    with leader.reign(), database.writing() as tx:
        return _is_open(tx, leader)


def _is_open(tx: Tx, leader: Leader) -> bool:
    try:
        leader.fence(tx)
    except LeaseLost:
        return False
    return True


def test_it_stands_by_while_another_leads(database: Database) -> None:
    """The second daemon does not lead, says so once, and passes no fence."""
    first, second = Leader(database), Leader(database)

    with capture_logs() as lines:
        gained = [first.tend(), second.tend(), first.tend(), second.tend()]

    assert gained == [True, False, False, False]
    assert (first.leads, second.leads) == (True, False)
    assert (_passes(database, first), _passes(database, second)) == (True, False)
    assert [line["event"] for line in lines] == ["daemon.led", "daemon.stood_by"]


def test_it_takes_over_when_the_lease_has_run_out(database: Database) -> None:
    """A leader that was paused for too long finds that another one leads: it passes no fence and stands by."""
    now_s = [0.0]
    first, second = Leader(database, monotonic=lambda: now_s[0]), Leader(database)
    first.tend()
    let_lease_run_out(database)
    now_s[0] = TTL.total_seconds()

    gained = second.tend()
    paused = first.leads, _passes(database, first)
    with capture_logs() as lines:
        first.tend()

    assert (gained, second.leads) == (True, True)
    assert paused == (False, False)
    assert [line["event"] for line in lines] == ["lease.lost", "daemon.stood_by"]


def test_it_takes_over_at_once_from_one_that_resigned(database: Database) -> None:
    """A daemon that ends hands the lease over; the next one waits for nothing."""
    first, second = Leader(database), Leader(database)
    first.tend()

    first.resign()

    assert (first.leads, second.tend()) == (False, True)


def test_it_bears_a_database_that_is_away(
    database: Database, database_url: str, schema: str
) -> None:
    """While nothing can be written the lease is kept as long as it lasts, and then no job begins; later it is there again."""
    now_s = [0.0]
    impatient = open_database(database_url, schema=schema, busy_timeout_s=0.1)
    leader = Leader(impatient, monotonic=lambda: now_s[0])
    leader.tend()
    stranger = lock_of_a_stranger(database_url, schema)

    with capture_logs() as lines:
        leader.tend()
    kept = leader.leads
    now_s[0] = TTL.total_seconds()
    over = leader.leads
    stranger.close()
    gained = leader.tend()
    impatient.close()

    assert (kept, over, gained) == (True, False, True)
    assert [line["event"] for line in lines] == ["lease.not_renewed"]


def test_it_lets_nothing_through_that_was_begun_before_it_was_lost(database: Database) -> None:
    """A job begun under a lease that was lost and had again passes no fence; one begun under the new one does."""
    first, second = Leader(database), Leader(database)
    first.tend()
    with first.reign():
        let_lease_run_out(database)
        second.tend()
        first.tend()
        second.resign()
        gained = first.tend()
        with database.writing() as tx:
            old = _is_open(tx, first)

    assert (gained, old, _passes(database, first)) == (True, False, True)


def test_it_does_not_come_back_after_its_end(database: Database) -> None:
    """A renewal that was under way when the daemon ended does not take the lease again."""
    leader = Leader(database)
    leader.tend()

    leader.resign()

    assert (leader.tend(), Leader(database).tend()) == (False, True)


def _may_ask(leader: Leader) -> bool:
    try:
        leader.require()
    except LeaseLost:
        return False
    return True


def test_it_asks_nothing_on_behalf_of_a_reign_that_is_over(database: Database) -> None:
    """A job may ask Stripe for as long as its daemon leads, and no more once it has not, though it leads again."""
    now_s = [0.0]
    first, second = Leader(database, monotonic=lambda: now_s[0]), Leader(database)
    first.tend()

    with first.reign():
        may = [_may_ask(first)]
        now_s[0] = TTL.total_seconds()
        may.append(_may_ask(first))
        let_lease_run_out(database)
        second.tend()
        second.resign()
        first.tend()
        may.append(_may_ask(first))
    with first.reign():
        may.append(_may_ask(first))

    assert may == [True, False, False, True]


@pytest.mark.parametrize("work", [lambda poller: sweep_recent(poller, RECENT), read_due])
def test_it_ends_the_work_of_a_reign_that_is_over(
    database: Database, work: Callable[[Poller], object]
) -> None:
    """Lists that are walked side by side, and reads by id, end with the next question once the daemon does not lead."""
    now_s = [0.0]
    leader = Leader(database, monotonic=lambda: now_s[0])
    account = Account(database, before_asking=leader.require)
    made = [till.make_intent(account.world, amount=1000, currency="eur") for _ in range(20)]
    with database.writing() as tx:
        evidence.ask(tx, [("payment_intent", each) for each in made], "event", account.now())
    leader.tend()

    def pause(_: Request) -> None:
        now_s[0] = TTL.total_seconds()

    account.client.meanwhile = pause
    with leader.reign(), pytest.raises(LeaseLost):
        work(account.poller)

    assert len(account.client.asked) == 1
