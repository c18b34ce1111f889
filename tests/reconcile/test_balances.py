"""Is the balance at a moment that is past told right, or not at all?"""

from collections.abc import Callable
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from reconciler.db.session import Database
from reconciler.reconcile import balances
from reconciler.simulator import payouts, returns, till
from reconciler.simulator.api import Request
from reconciler.simulator.clock import Clock
from reconciler.simulator.faults import Fault, FaultKind
from reconciler.simulator.world import World
from reconciler.stripe_api.problems import StripeProblem
from tests.poll.account import START_MS, Account
from tests.stripe_api.answering import Asked, Bench, Said, bench, listed, said_json


@pytest.fixture
def account(database: Database) -> Account:
    """Give an account that keeps dollars as dollars."""
    world = World(seed=7, clock=Clock(START_MS), banks=frozenset({"eur", "usd"}))
    return Account(database, world=world)


def _earn(account: Account, amount: int, currency: str = "eur") -> str:
    intent = till.make_intent(account.world, amount=amount, currency=currency)
    till.succeed(account.world, intent)
    till.settle(account.world, intent)
    return intent


def _all_that_moved(account: Account, until_ms: int) -> dict[str, int]:
    total: dict[str, int] = {}
    for each in account.world.every("balance_transaction"):
        if each["created"] * 1000 < until_ms:
            total[each["currency"]] = total.get(each["currency"], 0) + each["net"]
    return total


def test_it_counts_back_what_moved_since(account: Account) -> None:
    """What stood there then is all that had moved until then, whatever came, went, or was paid out since."""
    early = _earn(account, 10_000)
    _earn(account, 700, "usd")
    account.wait(3 * 86_400)
    until_ms = account.world.clock.now_ms() // 1000 * 1000
    expected = _all_that_moved(account, until_ms)
    _earn(account, 5000)
    returns.refund(account.world, early, 300)
    returns.dispute(account.world, _earn(account, 400))
    payouts.pay_out(account.world)
    account.wait(60)

    then = balances.closing(account.poller, until_ms)
    now = balances.closing(account.poller, account.world.clock.now_ms() // 1000 * 1000)

    assert then == expected
    assert now == _all_that_moved(account, account.world.clock.now_ms())
    assert then != now


@pytest.mark.parametrize(("times", "is_known"), [(0, True), (1, True), (2, True), (3, False)])
def test_it_asks_anew_when_money_moves_meanwhile(
    account: Account, times: int, is_known: bool
) -> None:
    """Money that moves between the questions would be counted once or never: all is asked for again, three times at most."""
    _earn(account, 10_000)
    account.wait(60)
    until_ms = account.world.clock.now_ms() // 1000 * 1000
    expected = _all_that_moved(account, until_ms)
    left = [times]

    def meanwhile(asked: Request) -> None:
        if asked.path.endswith("balance_transactions") and left[0]:
            left[0] -= 1
            _earn(account, 100)

    account.client.meanwhile = meanwhile

    with capture_logs():
        found = balances.closing(account.poller, until_ms)

    assert found == ({"usd": 0, **expected} if is_known else None)


def test_it_says_what_it_may_not_read(account: Account) -> None:
    """A right that the key lacks can be given to it: whoever asks hears of it."""
    account.client.api = account.api(frozenset({"balance_transaction"}))

    with capture_logs(), pytest.raises(StripeProblem) as problem:
        balances.closing(account.poller, account.world.clock.now_ms())

    assert problem.value.right == "rak_balance_read"


def test_it_does_not_take_an_outage_for_nothing(account: Account) -> None:
    """While Stripe gives no answer, whoever asks must hear of it."""
    account.faults.script(Fault(kind=FaultKind.ERROR_500, path="/v1/balance", times=8))

    with capture_logs(), pytest.raises(StripeProblem):
        balances.closing(account.poller, account.world.clock.now_ms())


def _answering(balance: object, page: Callable[[Asked], Said]) -> Bench:
    return bench(lambda asked: said_json(balance) if asked.path == "/v1/balance" else page(asked))


def _money(amount: int, currency: str = "eur") -> dict[str, object]:
    return {"amount": amount, "currency": currency}


FUNDS = {"available": [_money(5)], "pending": [_money(6)]}
WHOLE = {"object": "balance", "available": [_money(1), _money(2, "USD")], "pending": [_money(3)]}
SHAPES = [
    (WHOLE, {"eur": 4, "usd": 2}),
    (WHOLE | {"instant_available": [_money(9)], "connect_reserved": [_money(9)]}, {"eur": 4, "usd": 2}),
    (WHOLE | {"issuing": {"available": [_money(7)]}}, {"eur": 11, "usd": 2}),
    (WHOLE | {"refund_and_dispute_prefunding": FUNDS}, {"eur": 15, "usd": 2}),
    (WHOLE | {"risk_reserved": FUNDS, "issuing": None}, {"eur": 15, "usd": 2}),
    ({"object": "balance", "available": "a lot"}, None),
    ({"object": "list", "data": []}, None),
]  # fmt: skip


@pytest.mark.parametrize(("shape", "expected"), SHAPES)
def test_it_reads_every_balance_on_which_money_falls(
    database: Database, shape: object, expected: dict[str, int] | None
) -> None:
    """Reserves that have a balance of their own are added; what is only another view of the same money is not."""
    asking = _answering(shape, lambda _: listed())
    account = Account(database)

    with capture_logs():
        found = balances.closing(replace(account.poller, gateway=asking.gateway), 1_000_000)

    assert found == expected


def test_it_stops_where_too_much_has_moved(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list of more pages than are read makes the balance unknown, and never a balance of half of it."""
    monkeypatch.setattr(balances, "PAGES_MAX", 2)
    pages = iter(range(10**6))
    moved = {"net": 1, "currency": "eur"}
    asking = _answering(
        WHOLE, lambda _: listed({"id": f"txn_{next(pages)}", **moved}, has_more=True)
    )

    with capture_logs():
        found = balances.closing(
            replace(Account(database).poller, gateway=asking.gateway), 1_000_000
        )

    assert found is None
    assert len(asking.asked) == 3
