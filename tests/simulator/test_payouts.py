"""Does the simulated Stripe pay out what is available, tell what is in it, and is that none of our business?"""

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from reconciler.db import events, tables
from reconciler.db.session import Database
from reconciler.poll import Depth, sweep_events
from reconciler.simulator import payouts, returns, till
from reconciler.simulator.api import Api, Key, Request
from reconciler.simulator.delivery import thin
from reconciler.simulator.moves import converted
from reconciler.simulator.stage import Stage
from reconciler.simulator.stories import STORIES
from reconciler.simulator.truth import truth_of
from reconciler.simulator.world import DAY_MS, Json, World
from tests.poll.account import Account
from tests.simulator.app import END_MS, START_MS, App, new_world, told

KEY = "sk_test_payouts"
SENT = "payout.created payout.updated payout.reconciliation_completed"
PAID = "payment_intent.created charge.succeeded payment_intent.succeeded charge.updated"


@pytest.fixture
def world() -> World:
    """Give a world in which nothing has happened."""
    return new_world()


def earn(world: World, amount: int, currency: str = "eur") -> str:
    """Let a card pay; returns the PaymentIntent."""
    intent = till.make_intent(world, amount=amount, currency=currency)
    till.succeed(world, intent)
    till.settle(world, intent)
    return intent


def wait(world: World, days: float) -> None:
    """Let time pass."""
    world.clock.advance(int(days * DAY_MS))


def listed(world: World, path: str, *query: tuple[str, str]) -> list[Json]:
    """What Stripe lists, newest first."""
    headers = {"Authorization": f"Bearer {KEY}"}
    asked = Request("GET", f"/v1/{path}", (("limit", "100"), *query), headers)
    found: list[Json] = Api(world, [Key(KEY)]).answer(asked).json["data"]
    return found


def sent(world: World) -> str:
    """Pay out what is available in one currency, until its composition is told; returns the payout."""
    (payout,) = payouts.pay_out(world)
    payouts.submit(world, payout)
    payouts.tell_composition(world, payout)
    return payout


def facts(obj: Json, *names: str) -> tuple[Any, ...]:
    """Some fields of an object."""
    return tuple(obj[name] for name in names)


def test_it_pays_out_what_is_available_by_then(world: World) -> None:
    """A payout is the sum of what is left of all money that came two days ago or earlier; later money has to wait."""
    earn(world, 10_000)
    wait(world, 1)
    earn(world, 5_000)

    early = payouts.pay_out(world)
    wait(world, 1)
    (first,) = payouts.pay_out(world)
    at_once = payouts.pay_out(world)
    wait(world, 1)
    (second,) = payouts.pay_out(world)

    assert (early, at_once) == ([], [])
    # Less the fees: 1.5 % and 25 cents.
    assert [world.get(each)["amount"] for each in (first, second)] == [9_825, 4_900]


def test_it_makes_a_payout_as_stripe_shows_it(world: World) -> None:
    """A new payout waits, names its own balance transaction, and arrives at the beginning of a day in UTC."""
    earn(world, 10_000)
    wait(world, 2)

    (id_,) = payouts.pay_out(world)

    (payout,) = listed(world, "payouts", ("expand[]", "data.balance_transaction"))
    own = payout["balance_transaction"]
    assert id_.startswith("po_")
    assert facts(payout, "id", "object", "currency", "livemode") == (id_, "payout", "eur", False)
    assert facts(payout, "status", "reconciliation_status") == ("pending", "in_progress")
    assert facts(payout, "automatic", "method", "type") == (True, "standard", "bank_account")
    assert payout["failure_balance_transaction"] is None
    assert payout["arrival_date"] % 86_400 == 0
    assert 86_400 < payout["arrival_date"] - payout["created"] <= 2 * 86_400
    assert facts(own, "type", "reporting_category", "source") == ("payout", "payout", id_)
    assert facts(own, "amount", "fee", "net") == (-9_825, 0, -9_825)
    assert own["available_on"] == payout["arrival_date"]


def test_it_goes_from_pending_to_paid(world: World) -> None:
    """A payout is pending, in transit and paid in turn, and is told completely before or after it is paid."""
    earn(world, 10_000)
    wait(world, 2)
    (id_,) = payouts.pay_out(world)
    words = ("status", "reconciliation_status")

    payouts.submit(world, id_)
    submitted = facts(world.get(id_), *words)
    payouts.arrive(world, id_)
    arrived = facts(world.get(id_), *words)
    payouts.tell_composition(world, id_)

    assert (submitted, arrived) == (("in_transit", "in_progress"), ("paid", "in_progress"))
    assert facts(world.get(id_), *words) == ("paid", "completed")
    assert {each["status"] for each in world.every("balance_transaction")} == {"available"}


def test_it_lists_what_is_in_a_payout_once_that_is_known(world: World) -> None:
    """The list of a payout is empty until its composition is told; then it holds all, its own too, and adds up to 0."""
    intent = earn(world, 10_000)
    returns.refund(world, intent, 1_000)
    earn(world, 5_000)
    wait(world, 2)
    earn(world, 700)
    (id_,) = payouts.pay_out(world)
    within = ("payout", id_)

    before = listed(world, "balance_transactions", within)
    payouts.tell_composition(world, id_)
    after = listed(world, "balance_transactions", within, ("expand[]", "data.source"))

    assert before == []
    assert Counter(each["type"] for each in after) == {"charge": 2, "refund": 1, "payout": 1}
    assert sum(each["net"] for each in after) == 0
    assert {each["source"]["object"] for each in after} == {"charge", "refund", "payout"}
    assert not any({"payout", "paid_in"} & each.keys() for each in after)


def test_it_makes_one_payout_a_currency(world: World) -> None:
    """Money that settles in two currencies goes by two payouts, each with what is its own."""
    earn(world, 10_000)
    world.settles_in = "usd"
    earn(world, 20_000, "usd")
    wait(world, 2)

    made = [world.get(each) for each in payouts.pay_out(world)]
    for each in made:
        payouts.tell_composition(world, each["id"])

    assert [facts(each, "currency", "amount") for each in made] == [("eur", 9_825), ("usd", 19_675)]
    for each in made:
        rows = listed(world, "balance_transactions", ("payout", each["id"]))
        assert {row["currency"] for row in rows} == {each["currency"]}
        assert len(rows) == 2


@pytest.mark.parametrize("refunded", [9_825, 10_000])
def test_it_pays_nothing_out_of_an_empty_balance(world: World, refunded: int) -> None:
    """Where nothing is left, or less, no payout is made, and the next one takes the loss along."""
    intent = earn(world, 10_000)
    wait(world, 2)
    # What is given back is missing at once.
    returns.refund(world, intent, refunded)

    nothing = payouts.pay_out(world)
    earn(world, 10_000)
    wait(world, 2)
    (id_,) = payouts.pay_out(world)

    assert nothing == []
    assert world.get(id_)["amount"] == 2 * 9_825 - refunded


@pytest.mark.parametrize("arrives_first", [True, False])
def test_it_can_fail_even_after_it_was_paid(world: World, *, arrives_first: bool) -> None:
    """A payout that comes back has the money in a balance transaction of its own, which the next payout takes."""
    earn(world, 10_000)
    wait(world, 2)
    first = sent(world)
    if arrives_first:
        payouts.arrive(world, first)

    payouts.fail(world, first)
    second = sent(world)

    failed = world.get(first)
    back = world.get(failed["failure_balance_transaction"])
    assert facts(failed, "status", "failure_code") == ("failed", "account_closed")
    assert facts(back, "type", "reporting_category") == ("payout_failure", "payout_reversal")
    assert facts(back, "amount", "source") == (9_825, first)
    assert world.get(second)["amount"] == 9_825
    rows = [listed(world, "balance_transactions", ("payout", each)) for each in (first, second)]
    types = [sorted(each["type"] for each in found) for found in rows]
    assert types == [["charge", "payout"], ["payout", "payout_failure"]]


@pytest.mark.parametrize(
    ("name", "types"),
    [
        ("paid_out", f"{PAID} {SENT} payout.paid"),
        ("payout_failed", f"{PAID} {SENT} payout.paid payout.failed {SENT} payout.paid"),
    ],
)
def test_it_says_what_stripe_says_of_payouts(name: str, types: str) -> None:
    """A payout's story makes the events that Stripe makes of it, in its order."""
    world, _ = told(STORIES[name])

    made = [each.event for each in world.happenings]

    assert [each["type"] for each in made] == types.split()
    submitted = [each["data"] for each in made if each["type"] == "payout.updated"]
    assert {each["previous_attributes"]["status"] for each in submitted} == {"pending"}


def test_it_pays_out_on_short_days_too() -> None:
    """Where a day lasts a minute, money is available after two of them, and arrives within two more."""
    world = new_world()
    stage = Stage(world, day_ms=60_000)
    stage.add(STORIES["paid_out"], START_MS)

    stage.play(END_MS)

    (payout,) = world.every("payout")
    assert payout["status"] == "paid"
    assert 60 < payout["arrival_date"] - payout["created"] <= 120


def test_it_takes_along_what_other_stories_brought() -> None:
    """Payouts in the midst of all stories take all that is available, each movement once, and change no invoice's truth."""
    worlds = new_world(), new_world()
    for world in worlds:
        stage = Stage(world)
        for story in STORIES.values():
            is_mute = world is worlds[1] and story.name in {"paid_out", "payout_failed"}
            play = STORIES["card_paid"].play if is_mute else story.play
            stage.add(replace(story, play=play), START_MS)
        stage.play(END_MS)

    told_with, told_without = (truth_of(each).invoices for each in worlds)

    assert worlds[0].every("payout")
    assert not worlds[1].every("payout")
    assert [_words(each) for each in told_with.values()] == [
        _words(each) for each in told_without.values()
    ]
    for payout in worlds[0].every("payout"):
        rows = listed(worlds[0], "balance_transactions", ("payout", payout["id"]))
        assert sum(each["net"] for each in rows) == 0


def _words(truth: Any) -> tuple[str | None, str, int, int, int]:
    return (truth.payment_status, truth.status, truth.received, truth.refunded, truth.disputed)


def test_it_is_ignored_when_it_comes_by_webhook(database: Database) -> None:
    """Every event of a payout, thin ones too, is stored as ignored: none fails, waits, or asks for a read."""
    app = App(database, new_world())

    told(STORIES["payout_failed"], app.world)
    about = [each for each in app.world.happenings if each.event["type"].startswith("payout.")]
    for each in about:
        app.hear(json.dumps(thin(each.event, f"evt_thin_{each.event['id']}", each.at_ms)).encode())

    with database.reading() as tx:
        rows = tx.execute(tables.stripe_events.select()).mappings().all()
    states = Counter(row["state"] for row in rows if "payout." in row["type"])
    assert states == {"ignored": 2 * len(about)}
    assert len(about) == 9
    assert app.open_fetches() == set()


def test_it_is_not_asked_for_by_the_sweep(database: Database) -> None:
    """The sweep over Stripe's events names the types that it wants, and no payout is among them."""
    account = Account(database)
    earn(account.world, 10_000)
    account.world.day_ms = 60_000
    earn(account.world, 10_000)
    account.wait(300)
    payouts.arrive(account.world, sent(account.world))
    account.wait(600)

    sweep_events(account.poller, Depth(name="events", overlap_s=120, lag_s=10))

    with database.reading() as tx:
        counted = events.counts(tx)
    assert len([each for each in account.world.happenings if "payout." in each.event["type"]]) == 4
    assert counted == {"applied": 8}


def test_it_books_in_what_the_account_settles_in(world: World) -> None:
    """Dollars are paid out in euro, at the rate at which they came."""
    earn(world, 10_000, "usd")
    wait(world, 2)

    (id_,) = payouts.pay_out(world)

    gross = converted(10_000, "usd", "eur")
    assert facts(world.get(id_), "currency", "amount") == ("eur", gross - (gross * 15 // 1000 + 25))
