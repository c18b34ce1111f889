"""Do invoices come in from a file as they stand there, or not at all?"""

import json
from pathlib import Path
from typing import Any

import pytest

from reconciler.inbox import Inbox
from tests.cli.bodies import event, intent
from tests.cli.conftest import deliver, import_invoices
from tests.cli.program import Commands

HEAD = "id,currency,amount_due\n"


def listed(commands: Commands) -> list[dict[str, Any]]:
    """Return all invoices, by id."""
    found = json.loads(commands.run("invoices", "list", "--json").out)
    return sorted(found, key=lambda row: str(row["id"]))


BAD_ROWS = [
    ("id,currency,amount_due\n,usd,1\n", "has neither an id nor a number"),
    ("id,currency,amount_due\na,usd,1,2\n", "has more cells than the first line has columns"),
    ("id,currency,amount_due\na,dollars,1\n", "currency 'dollars' is no three-letter code"),
    ("id,currency,amount_due\na,usd,12.50\n", "amount_due '12.50' is no whole number of minor units"),
    ("id,currency,amount_due\na,usd,\n", "amount_due '' is no whole number of minor units"),
    ("id,currency,amount_due\na,usd,1_000\n", "amount_due '1_000' is no whole number of minor units"),
    ("id,currency,amount_due\na,usd,\u0663\n", "amount_due '\u0663' is no whole number of minor units"),
    ("id,currency,amount_due\na,usd,1000000000000000\n", "amount_due '1000000000000000' is no whole number"),
    ("id,currency,amount\na,usd,12.505\n", "12.505 has more decimals than USD, which has 2"),
    ("id,currency,amount\na,jpy,12.5\n", "12.5 has more decimals than JPY, which has 0"),
    ('id,currency,amount\na,usd,"1,250.00"\n', "'1,250.00' is not an amount: write digits and one '.'"),
    ("id,currency,amount\na,usd\n", "'' is not an amount: write digits and one '.'"),
    ("id,currency,amount_due,status\na,usd,1,payed\n", "status 'payed' is none of draft, open, paid"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "reason"), BAD_ROWS)
def test_it_names_the_line_and_the_reason(commands: Commands, text: str, reason: str) -> None:
    """A row that can't be imported is told with its line in the file, and is never guessed."""
    answer = import_invoices(commands, text)

    assert answer.code == 2
    first, last = answer.err.splitlines()
    assert first.startswith(f"reconciler: invoices.csv:2: {reason}")
    assert last.startswith("reconciler: 1 bad rows; nothing was imported")


def test_it_imports_all_or_nothing(commands: Commands) -> None:
    """All bad rows are told at once, and the good ones beside them wait for the person's word."""
    answer = import_invoices(commands, f"{HEAD}a,usd,1\nb,usd,x\nc,usd,3\na,usd,4\n")

    assert answer.code == 2
    assert "invoices.csv:3: amount_due 'x'" in answer.err
    assert "invoices.csv:5: 'a' stands twice in the file" in answer.err
    assert listed(commands) == []


def test_it_skips_bad_rows_when_told_to(commands: Commands) -> None:
    """With --skip-bad, the good rows are in and the bad ones are still told."""
    answer = import_invoices(commands, f"{HEAD}a,usd,1\nb,usd,x\nc,usd,3\n", "--skip-bad")

    assert answer.code == 0
    assert answer.out == "2 invoices imported, 1 left out.\n"
    assert "invoices.csv:3: " in answer.err
    assert [row["id"] for row in listed(commands)] == ["a", "c"]


def test_it_writes_nothing_in_a_dry_run(commands: Commands) -> None:
    """A dry run reads the file and tells what would happen."""
    answer = import_invoices(commands, f"{HEAD}a,usd,1\n", "--dry-run")

    assert answer.code == 0
    assert answer.out == "1 invoices would be imported, 0 left out.\n"
    assert listed(commands) == []


@pytest.mark.parametrize(
    "text",
    [
        "id,currency,amount_due\na,usd,1250\n",
        "id,currency,amount\na,usd,12.50\n",
        "id;currency;amount\na;USD;12.50\n",
        "id\tcurrency\tamount\na\tusd\t12.50\n",
        "\ufeffid,currency,amount\r\na,usd,12.50\r\n",
        ' id , currency , amount \n a , usd , 12.50 \n',
        '"id","currency","amount"\n"a","usd","12.50"',
    ],
)  # fmt: skip
def test_it_reads_what_spreadsheets_write(commands: Commands, text: str) -> None:
    """Separators, byte order mark, line ends, blanks and the unit of amounts: all give the same invoice."""
    answer = import_invoices(commands, text)

    assert answer.code == 0
    [invoice] = listed(commands)
    assert (invoice["id"], invoice["currency"], invoice["amount_due"]) == ("a", "usd", 1250)
    assert invoice["status"] == "open"


@pytest.mark.parametrize("head", ["id,currency,amount_due,customer_name", '"id","currency","amount_due","customer_name"'])  # fmt: skip
def test_it_keeps_quoted_text_whole(commands: Commands, head: str) -> None:
    """A separator, a quote or a line end inside quotes belongs to the text."""
    import_invoices(commands, f'{head}\na,usd,1,"Ann ""The Boss"", Inc;\nParis"\n')

    [invoice] = listed(commands)
    assert invoice["customer_name"] == 'Ann "The Boss", Inc;\nParis'


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "the first line must name the columns"),
        ("a,usd,1\n", "the first line must name the columns"),
        ("id,currency\na,usd\n", "needs a column amount_due (minor units) or amount (12.50)"),
        ("id,currency,amount,amount_due\n", "give amount or amount_due, not both"),
        ("id,currency,amount,colour\n", "unknown columns: colour"),
        (f"{HEAD}{'x' * 200_000},usd,1\n", "line 2: field larger than field limit"),
    ],
)
def test_it_refuses_a_file_that_is_no_list_of_invoices(
    commands: Commands, text: str, sentence: str
) -> None:
    """What is wrong with the file as a whole is one line."""
    answer = import_invoices(commands, text, "--skip-bad")

    assert answer.code == 2
    assert answer.err.startswith(f"reconciler: invoices.csv: {sentence}")
    assert len(answer.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "No such file or directory"), (b"id,currency,amount\n\xff,usd,1\n", "is not UTF-8 text")],
)  # fmt: skip
def test_it_refuses_a_file_that_it_cannot_read(
    commands: Commands, content: bytes | None, sentence: str
) -> None:
    """A file that isn't there, or isn't text, is one line too."""
    if content is not None:
        Path("some.csv").write_bytes(content)

    answer = commands.run("invoices", "import", "some.csv")

    assert answer.code == 2
    assert answer.err == f"reconciler: some.csv: {sentence}\n"


@pytest.mark.parametrize("name", ["=1+1", "\x1b[31mred", "\x9b2J", "\u202egnp.exe"])
@pytest.mark.parametrize("words", [("list",), ("list", "--json"), ("show",), ("show", "--json")])
def test_it_shows_hostile_text_harmlessly(
    commands: Commands, name: str, words: tuple[str, ...]
) -> None:
    """Nothing that a payer wrote steers the terminal, in tables, details or JSON."""
    import_invoices(commands, f"id,number,currency,amount_due\na,{name},usd,1\n")

    answer = commands.run("invoices", *words, *(["a"] if "show" in words else []))

    assert answer.code == 0
    assert answer.out.replace("\n", "").isprintable()


def test_it_finds_the_invoice_of_a_number_again(commands: Commands) -> None:
    """A row without an id is the invoice with that number, if there is one."""
    import_invoices(commands, "id,number,currency,amount_due\na,N-1,usd,1\n")

    import_invoices(commands, "number,currency,amount_due\nN-1,usd,2\nN-2,usd,3\n")

    assert [(row["id"], row["amount_due"]) for row in listed(commands)] == [("N-2", 3), ("a", 2)]


def test_it_keeps_what_was_paid(commands: Commands, inbox: Inbox) -> None:
    """Importing the same file again changes nothing about an invoice that was paid since."""
    import_invoices(commands, f"{HEAD}inv_1,usd,1250\n")
    deliver(inbox, event(intent()))
    [before] = listed(commands)

    import_invoices(commands, f"{HEAD}inv_1,usd,1250\n")

    [after] = listed(commands)
    assert (after["status"], after["payment_status"]) == ("paid", "paid")
    assert after["paid_at"] == before["paid_at"] is not None


def test_it_finds_the_payment_that_came_first(commands: Commands, inbox: Inbox) -> None:
    """An invoice that comes after its payment is paid at once."""
    deliver(inbox, event(intent()))

    import_invoices(commands, f"{HEAD}inv_1,usd,1250\n")

    [invoice] = listed(commands)
    assert (invoice["status"], invoice["payment_status"]) == ("paid", "paid")


def test_it_shows_an_invoice_with_its_payments(commands: Commands, inbox: Inbox) -> None:
    """People and programs see the sums, the payment, and the rule by which it belongs here."""
    import_invoices(commands, f"{HEAD}inv_1,usd,1250\n")
    deliver(inbox, event(intent()))

    people = commands.run("invoices", "show", "inv_1")
    programs = json.loads(commands.run("invoices", "show", "inv_1", "--json").out)

    assert "net             12.50 USD\n" in people.out
    assert "agreement" in people.out
    assert programs["settlement"]["net"] == 1250
    assert [row["payment_id"] for row in programs["payments"]] == ["pi_1"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("invoices", "show", "nope"), "no invoice has the id or number 'nope'"),
        (("explain", "nope"), "no invoice has the id or number 'nope'"),
        (("payments", "show", "nope"), "no payment has the id 'nope'"),
        (("events", "show", "nope"), "no event has the id 'nope'"),
        (("events", "retry", "nope"), "no event has the id 'nope'"),
        (("exceptions", "show", "7"), "no exception has the number 7"),
    ],
)
def test_it_says_that_there_is_no_such_thing(
    commands: Commands, words: tuple[str, ...], sentence: str
) -> None:
    """An id that nothing has is one line, and the exit code is 1."""
    answer = commands.run(*words)

    assert (answer.code, answer.out) == (1, "")
    assert answer.err == f"reconciler: {sentence}\n"
