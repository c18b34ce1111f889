"""Does the story of an invoice tell every payment that came to it and left it, by whose word and once?"""

import json

import pytest

from reconciler.inbox import Inbox
from tests.cli.bodies import event, intent
from tests.cli.conftest import deliver, import_invoices
from tests.cli.program import Commands

INVOICES = """\
id,number,currency,amount_due
inv_1,,usd,1250
inv_2,2026-002,usd,1250
"""
MOVED = (
    "payment pi_1 left invoice inv_1 with nothing yet. It belongs to invoice inv_2:"
    " everything that names an invoice names this one"
)


@pytest.fixture
def told(commands: Commands, inbox: Inbox) -> Commands:
    """Give the commands on books with two invoices, after a payment on its way that names the first."""
    import_invoices(commands, INVOICES)
    on_its_way = intent(status="processing", amount_received=0)
    deliver(inbox, event(on_its_way, "payment_intent.processing"))
    return commands


def _story(commands: Commands, invoice: str = "inv_1") -> str:
    """What `explain` says, whatever the width of the terminal."""
    answer = commands.run("explain", invoice)
    assert answer.code == 0
    assert max(map(len, answer.out.splitlines())) <= 80
    return " ".join(answer.out.split())


def _session(number: str) -> dict[str, object]:
    """A completed Checkout Session of the payment that names an invoice by another way."""
    return {
        "id": "cs_1",
        "object": "checkout.session",
        "mode": "payment",
        "status": "complete",
        "payment_status": "paid",
        "payment_intent": "pi_1",
        "amount_total": 1250,
        "currency": "usd",
        "created": intent()["created"],
        "metadata": {"invoice_id": number},
    }


def test_it_tells_of_money_that_later_evidence_took_elsewhere(told: Commands, inbox: Inbox) -> None:
    """A payment that a rule moved is in the story of the invoice that it left, with its events and the rule; it is told once."""
    deliver(inbox, event(intent(metadata={"invoice_id": "2026-002"})))

    left, came = _story(told), _story(told, "inv_2")

    assert "payment_intent.processing by webhook (evt_pi_1_processing)" in left
    assert "payment_intent.succeeded by webhook (evt_pi_1_succeeded)" in left
    assert left.count("payment pi_1 belongs to invoice inv_1 with nothing yet: everything") == 1
    assert left.count(MOVED) == 1
    assert left.count("belongs to invoice inv_2") == 1
    assert came.count("payment pi_1 belongs to invoice inv_2 with 12.50 USD: everything") == 1
    assert came.count("belongs to invoice inv_2") == 1


def test_it_tells_of_names_that_disagree_and_who_ended_that(told: Commands, inbox: Inbox) -> None:
    """Money that a second name took away, and the decision about it, are in the stories of both invoices for good."""
    deliver(inbox, event(intent()))
    deliver(inbox, event(_session("2026-002"), "checkout.session.completed"))
    told.run("exceptions", "assign", "pi_1", "2026-002", "--reason", "mail", "--by", "ann")

    left, came = _story(told), _story(told, "inv_2")

    assert "belongs to invoice inv_1 with 12.50 USD instead of nothing yet ->" in left
    assert (
        "payment pi_1 left invoice inv_1 with 12.50 USD. It belongs to no invoice:"
        " its names disagree about the invoice" in left
    )
    for story in (left, came):
        assert (
            "payment pi_1 names the invoice beside another one: nothing of it is allocated" in story
        )
        assert "payment pi_1 no longer keeps the invoice in review (ann: mail)" in story
        assert "checkout.session.completed by webhook" in story
        assert "payment pi_1: all to inv_2 (ann: mail)" in story
    assert "invoice: what covered its 12.50 USD was taken back" in left
    assert came.count("payment pi_1 belongs to invoice inv_2 with 12.50 USD (ann: mail)") == 1


def test_it_tells_of_a_part_that_went_to_another_invoice(commands: Commands, inbox: Inbox) -> None:
    """A payment that several invoices share is told on each with its part, and with the invoices beside it."""
    import_invoices(
        commands,
        "id,currency,amount_due,stripe_payment_intent_id\ninv_1,usd,1000,pi_1\ninv_2,usd,250,pi_1\n",
    )
    deliver(inbox, event(intent(metadata={})))

    story = _story(commands, "inv_2")

    assert story.count("belongs to invoice") == 1
    assert "payment pi_1 belongs to invoice inv_2 with 2.50 USD, beside inv_1: several" in story


def test_it_tells_of_everybody_who_gave_a_share(commands: Commands, inbox: Inbox) -> None:
    """Two shares of one payment that two people gave to one invoice: both stand in the story, each with the reason."""
    import_invoices(commands, INVOICES)
    deliver(inbox, event(intent(metadata={})))
    assign = ("exceptions", "assign", "pi_1", "inv_1")
    commands.run(*assign, "--amount", "4.00", "--reason", "phoned", "--by", "ann")
    commands.run(*assign, "--reason", "the rest", "--by", "bob")

    story = _story(commands)
    [row] = json.loads(commands.run("explain", "inv_1", "--json").out)["allocations"]

    assert "pays 12.50 USD: ann decided so: phoned; bob decided so: the rest." in story
    assert "payment pi_1 belongs to invoice inv_1 with 4.00 USD (ann: phoned)" in story
    assert "invoice inv_1 with 12.50 USD instead of 4.00 USD (bob: the rest)" in story
    assert row["deciders"] == [
        {"by": "ann", "reason": "phoned"},
        {"by": "bob", "reason": "the rest"},
    ]


def test_it_tells_who_took_it_back(commands: Commands, inbox: Inbox) -> None:
    """What a rule had placed and a person took back is still in the invoice's story, with what Stripe said of it."""
    import_invoices(commands, INVOICES)
    deliver(inbox, event(intent()))
    commands.run("exceptions", "unassign", "pi_1", "--reason", "a slip", "--by", "bob")

    story = _story(commands)

    assert "payment_intent.succeeded by webhook (evt_pi_1_succeeded)" in story
    assert "payment pi_1: to no invoice (bob: a slip)" in story
    assert "payment pi_1 left invoice inv_1 with 12.50 USD (bob: a slip)" in story
    assert "invoice: what covered its 12.50 USD was taken back" in story
    assert "belongs to no invoice" not in story
