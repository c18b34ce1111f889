"""Does `payments refresh` book what Stripe says of one payment now, by the door that all go through?"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import select

from reconciler.db import tables
from reconciler.db.session import Database
from reconciler.simulator import returns, till
from reconciler.simulator.api import Api, Key
from reconciler.simulator.clock import Clock
from reconciler.simulator.faults import Fault, FaultKind, Faults
from reconciler.simulator.server import SimulatedStripe
from reconciler.simulator.world import World
from tests.cli.conftest import import_invoices
from tests.cli.program import Answer, Commands

API_KEY = "rk_test_canary0123456789"
CSV = "id,number,currency,amount_due\n1,INV-1,eur,5000\n"
PAID = "50.00 EUR received, 0.00 EUR refunded, 0.00 EUR disputed."


@dataclass(frozen=True, slots=True)
class Shop:
    """An account in which INV-1 was paid, and books that have not heard of it."""

    commands: Commands
    world: World
    faults: Faults
    intent_id: str
    base_url: str

    @property
    def charge_id(self) -> str:
        """Its charge."""
        return str(self.world.get(self.intent_id)["latest_charge"])

    def refresh(self, *arguments: str, **environ: str) -> Answer:
        """Read a payment again."""
        variables = {"STRIPE_API_KEY": API_KEY, "STRIPE_API_BASE": self.base_url, "COLUMNS": "200"}
        return self.commands.run("payments", "refresh", *arguments, **{**variables, **environ})


@pytest.fixture
def shop(commands: Commands) -> Iterator[Shop]:
    """Give a shop that answers on a socket."""
    world = World(seed=5, clock=Clock(int(time.time() * 1000) - 60_000))
    intent = till.make_intent(world, amount=5000, currency="eur", metadata={"invoice_id": "INV-1"})
    till.succeed(world, intent)
    world.clock.reach(int(time.time() * 1000))
    world.clock.run(1.0)
    assert commands.run("init", "--since", "2020-01-01").code == 0
    assert import_invoices(commands, CSV).code == 0
    faults = Faults()
    with SimulatedStripe(Api(world, [Key(API_KEY)], faults)) as server:
        yield Shop(commands, world, faults, intent, server.base_url)


def _source(database: Database) -> str | None:
    with database.reading() as tx:
        return tx.scalar(select(tables.payments.c.first_seen_source))


@pytest.mark.parametrize("by", ["intent_id", "charge_id"])
def test_it_books_what_stripe_says_and_then_finds_nothing_new(
    shop: Shop, database: Database, by: str
) -> None:
    """A payment that no webhook told of is booked in a person's name, with its invoice; asked again, it says so and changes nothing."""
    id_ = getattr(shop, by)

    first = shop.refresh(id_)
    shop.world.clock.advance(5000)
    again = shop.refresh(id_)

    told = f"Payment {shop.intent_id} is succeeded: {PAID}"
    assert (first.code, first.out) == (
        0,
        f"{id_} was read from Stripe: the books have changed. {told}\n",
    )
    assert (again.code, again.out) == (0, f"{id_} was read from Stripe: nothing new. {told}\n")
    assert _source(database) == "manual"
    assert "paid" in shop.commands.run("invoices", "show", "1").out
    assert API_KEY not in first.everything + again.everything


def test_it_tells_of_money_that_went_back(shop: Shop) -> None:
    """A refund that no event told of is in the books after one look at the payment, and the JSON has the sums."""
    shop.refresh(shop.intent_id)
    returns.refund(shop.world, shop.intent_id, 1200)

    told = json.loads(shop.refresh(shop.intent_id, "--json").out)
    shop.world.clock.advance(5000)
    again = json.loads(shop.refresh(shop.intent_id, "--json").out)

    assert (told["id"], told["is_changed"], again["is_changed"]) == (shop.intent_id, True, False)
    assert told["payment"]["amount_refunded"] == again["payment"]["amount_refunded"] == 1200


@pytest.mark.parametrize("word", ["INV-1", "evt_1", "re_1", "pi", "", "pi_\x1b[2J", "cus_pi_1"])
def test_it_refuses_what_names_no_payment(shop: Shop, word: str) -> None:
    """Any other id is one line with the mend and exit code 2, before Stripe is asked."""
    shop.faults.script(Fault(kind=FaultKind.NO_RETRY, path="*", times=100))

    answer = shop.refresh(word)

    assert (answer.code, answer.out) == (2, "")
    assert "is no payment's id: name a PaymentIntent (pi_...) or a charge" in answer.err
    assert answer.err.count("reconciler: ") == 1


def test_it_says_why_there_is_no_answer(shop: Shop, database: Database) -> None:
    """An unknown payment and a silent Stripe are one line and exit code 3, a missing key exit code 2; nothing is booked."""
    unknown, keyless = shop.refresh("pi_none"), shop.refresh(shop.intent_id, STRIPE_API_KEY="")
    shop.faults.script(Fault(kind=FaultKind.NO_RETRY, path="/v1/payment_intents/*", times=100))
    silent = shop.refresh(shop.intent_id)

    assert (unknown.code, "Stripe: " in unknown.err, "no such object" in unknown.err) == (
        3,
        True,
        True,
    )
    assert (silent.code, "Stripe: " in silent.err) == (3, True)
    assert (keyless.code, "STRIPE_API_KEY" in keyless.err) == (2, True)
    assert (unknown.out, silent.out, keyless.out) == ("", "", "")
    assert _source(database) is None
