"""Can a person see why an invoice is as it is, and whose word that was?"""

import json
import os

import pytest

from reconciler.inbox import Inbox
from tests.cli.bodies import event, intent
from tests.cli.conftest import deliver, import_invoices
from tests.cli.program import Commands

INVOICES = "id,number,currency,amount_due,user_id\ninv_1,2026-001,usd,1250,user_7\n"
LONG = "x" * 60


@pytest.fixture
def paid(commands: Commands, inbox: Inbox) -> Commands:
    """Give the commands on books with one invoice that was paid, and whose user is told."""
    import_invoices(commands, INVOICES)
    deliver(inbox, event(intent()))
    return commands


@pytest.mark.parametrize("key", ["inv_1", "2026-001"])
def test_it_tells_the_whole_story(paid: Commands, key: str) -> None:
    """By id or by number: the money, the event, the rule, each change and the notification."""
    answer = paid.run("explain", key)

    assert answer.code == 0
    told = " ".join(answer.out.split())
    for words in (
        "Invoice 2026-001 over 12.50 USD",
        "status paid payment_status paid: exactly what is due is held",
        "received 12.50 USD, refunded 0.00 USD, disputed 0.00 USD; 12.50 USD is held",
        "pi_1 (succeeded) pays 12.50 USD: everything that names an invoice names this one.",
        "pi_1 was first told by a webhook",
        "payment_intent.succeeded by webhook (evt_pi_1_succeeded)",
        "-> payment pi_1 belongs to invoice inv_1 with 12.50 USD: everything that names an invoice",
        "-> invoice: status open -> paid",
        "(received 12.50 USD, held 12.50 USD, due 12.50 USD)",
        "-> user user_7 is told: invoice paid",
    ):
        assert words in told
    assert max(map(len, answer.out.splitlines())) <= int(os.environ["COLUMNS"])


def test_it_names_a_payment_that_is_not_allocated(commands: Commands, inbox: Inbox) -> None:
    """A payment whose names disagree pays neither invoice, and the story of each says so."""
    import_invoices(
        commands,
        "id,currency,amount_due,stripe_payment_intent_id\ninv_1,usd,1250,\ninv_2,usd,1250,pi_1\n",
    )
    deliver(inbox, event(intent()))

    answer = commands.run("explain", "inv_2")

    told = " ".join(answer.out.split())
    assert "Invoice inv_2 over 12.50 USD status open payment_status review:" in told
    assert "pi_1 names it, and names another invoice too: nothing is allocated." in told
    assert " pays " not in told


def test_it_tells_that_nothing_has_happened_yet(commands: Commands) -> None:
    """An invoice that no payment names has no payment, and no story."""
    import_invoices(commands, INVOICES)

    answer = commands.run("explain", "inv_1")

    assert answer.code == 0
    assert answer.out.splitlines() == [
        "Invoice 2026-001 over 12.50 USD",
        "  status          open",
        "  payment_status  no payment",
        "  paid at         -",
    ]


def test_it_tells_programs_too(paid: Commands) -> None:
    """With --json, every part of the story is there with its ids."""
    story = json.loads(paid.run("explain", "inv_1", "--json").out)

    assert story["settlement"]["net"] == 1250
    assert [row["rule"] for row in story["allocations"]] == ["agreement"]
    assert [row["id"] for row in story["events"]] == ["evt_pi_1_succeeded"]
    assert [row["kind"] for row in story["notifications"]] == ["invoice_paid"]
    assert [len(step["causes"]) for step in story["steps"]] == [1]


@pytest.mark.parametrize("name", ["invoices", "payments", "events"])
def test_it_fits_the_terminal(commands: Commands, inbox: Inbox, name: str) -> None:
    """However long the ids, no line of a table is wider than 80 columns, and no letter is lost."""
    import_invoices(commands, f"id,currency,amount_due\n{LONG},usd,1250\n")
    deliver(inbox, event(intent(f"pi_{LONG}", metadata={"invoice_id": LONG})))

    answer = commands.run(name, "list")

    assert answer.code == 0
    assert max(map(len, answer.out.splitlines())) <= int(os.environ["COLUMNS"])
    assert answer.out.count("x") >= len(LONG)


@pytest.mark.parametrize(
    "words",
    [
        ("payments", "list"),
        ("payments", "show", "pi_1"),
        ("events", "list"),
        ("events", "show", "evt_pi_1_succeeded"),
        ("invoices", "list"),
        ("invoices", "show", "inv_1"),
        ("exceptions", "list"),
    ],
)
def test_it_shows_everything_as_json(paid: Commands, words: tuple[str, ...]) -> None:
    """Whatever is shown to people is told to programs too, as one JSON document."""
    people, programs = paid.run(*words), paid.run(*words, "--json")

    assert (people.code, programs.code) == (0, 0)
    assert people.out
    json.loads(programs.out)


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_it_calls_for_a_person(commands: Commands, inbox: Inbox, options: tuple[str, ...]) -> None:
    """Where an exception is open, `exceptions list` shows it and the exit code is 1."""
    import_invoices(commands, INVOICES)
    deliver(inbox, event(intent(amount=2000, amount_received=2000)))

    answer = commands.run("exceptions", "list", *options)

    assert answer.code == 1
    assert "overpaid" in answer.out
    assert "inv_1" in answer.out


def test_it_shows_one_exception(commands: Commands, inbox: Inbox) -> None:
    """An exception is shown by its number with the amounts and ids that make it true."""
    import_invoices(commands, INVOICES)
    deliver(inbox, event(intent(amount=2000, amount_received=2000)))
    [found] = json.loads(commands.run("exceptions", "list", "--json").out)

    answer = commands.run("exceptions", "show", str(found["id"]))

    assert answer.code == 0
    assert "amount   7.50 USD" in answer.out
