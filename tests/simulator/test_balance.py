"""Does the simulated Stripe say how much money the account holds?"""

from reconciler.simulator import payouts, returns, till
from reconciler.simulator.api import Api, Key, Request
from reconciler.simulator.world import DAY_MS, Json, World
from tests.simulator.app import new_world

KEY = "rk_test_balance"


def ask(world: World, path: str, *query: tuple[str, str], right: str = "balance") -> Json:
    """What is answered to a key with one right."""
    api = Api(world, [Key(KEY, frozenset({right}))])
    headers = {"Authorization": f"Bearer {KEY}"}
    found: Json = api.answer(Request("GET", f"/v1/{path}", query, headers)).json
    return found


def earn(world: World, amount: int, currency: str = "eur") -> str:
    """Let a card pay; returns the PaymentIntent."""
    intent = till.make_intent(world, amount=amount, currency=currency)
    till.succeed(world, intent)
    till.settle(world, intent)
    return intent


def wait(world: World, days: float) -> None:
    """Let time pass."""
    world.clock.advance(int(days * DAY_MS))


def held(world: World) -> dict[str, tuple[int, int]]:
    """What is available and what is pending, by currency."""
    told = ask(world, "balance")
    pending = {each["currency"]: each["amount"] for each in told["pending"]}
    return {
        each["currency"]: (each["amount"], pending[each["currency"]]) for each in told["available"]
    }


def test_it_says_what_is_available_and_what_is_pending() -> None:
    """What came waits two days; what left, by a refund or towards the bank, is missing at once."""
    world = new_world()
    intent = earn(world, 10_000)

    fresh = held(world)
    wait(world, 2)
    ripe = held(world)
    returns.refund(world, intent, 1_000)
    earn(world, 5_000)
    refunded = held(world)
    payouts.pay_out(world)

    assert fresh == {"eur": (0, 9_825)}
    assert ripe == {"eur": (9_825, 0)}
    assert refunded == {"eur": (8_825, 4_900)}
    assert held(world) == {"eur": (0, 4_900)}


def test_it_says_nothing_of_an_empty_account_but_zero() -> None:
    """An account on which nothing moved holds nothing of its own currencies; it is one in test mode."""
    world = new_world()
    world.banks = frozenset({"usd"})

    told = ask(world, "balance")

    assert (told["object"], told["livemode"]) == ("balance", False)
    assert held(world) == {"eur": (0, 0), "usd": (0, 0)}


def test_it_keeps_currencies_apart_that_have_a_bank_account() -> None:
    """Dollars with a bank account of their own stay dollars, without a rate; pounds without one become euro."""
    world = new_world()
    world.banks = frozenset({"usd"})
    for currency in ("usd", "gbp"):
        earn(world, 1_000, currency)

    moved = {each["currency"]: each["exchange_rate"] for each in world.rows("balance_transaction")}

    assert held(world) == {"eur": (0, 1_128), "usd": (0, 960)}
    assert moved == {"usd": None, "eur": 1.17}


def test_it_needs_the_right_to_the_balance() -> None:
    """A key without it is refused and told which right it lacks."""
    told = ask(new_world(), "balance", right="payout")

    assert "'rak_balance_read'" in told["error"]["message"]


def test_it_refuses_parameters_of_the_balance() -> None:
    """Nothing can be asked of the balance but itself."""
    told = ask(new_world(), "balance", ("limit", "3"))

    assert told["error"]["code"] == "parameter_unknown"


def test_it_does_not_tell_what_is_in_a_payout_that_was_asked_for() -> None:
    """A payout by hand leaves the balance at once and makes the next one smaller; its composition is refused."""
    world = new_world()
    earn(world, 10_000)
    wait(world, 2)

    by_hand = payouts.pay_out_by_hand(world, 2_000, "eur")
    left = held(world)
    (automatic,) = payouts.pay_out(world)
    payouts.tell_composition(world, automatic)

    right = "balance_transaction"
    refused, told = (
        ask(world, "balance_transactions", ("payout", each), right=right)
        for each in (by_hand, automatic)
    )
    assert left == {"eur": (7_825, 0)}
    assert world.get(automatic)["amount"] == 7_825
    assert not world.get(by_hand)["automatic"]
    assert "only be filtered on automatic" in refused["error"]["message"]
    assert sum(each["net"] for each in told["data"]) == 0
