"""Do invoices come in from a file as they stand there, or not at all?"""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from reconciler.inbox import Inbox
from tests.cli.bodies import event, intent
from tests.cli.conftest import deliver, import_invoices
from tests.cli.program import MODE, Commands, Program

NO_INVOICE = "no invoice, or more than one, has the id or number 'nope': `reconciler invoices list` shows them"
HEAD = "id,currency,amount_due\n"


def listed(commands: Commands) -> list[dict[str, Any]]:
    """Return all invoices, by id."""
    found = json.loads(commands.run("invoices", "list", "--json").out)
    return sorted(found, key=lambda row: str(row["id"]))


def imported(
    verb: str = "imported", *, new: int = 0, changed: int = 0, unchanged: int = 0, left_out: int = 0
) -> str:
    """Say what an import says that did so much."""
    return (
        f"{new + changed} invoices {verb}: {new} new, {changed} changed;"
        f" {unchanged} unchanged, {left_out} rows left out.\n"
    )


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
    ("id;currency;amount\na;eur;1 234,50\n", "'1 234,50' is not an amount: write digits and one '.'"),
    ("id;currency;amount\na;eur;12,50\n", "'12,50' is not an amount: write digits and one '.'"),
    ("id;currency;amount\na;eur;1.234,50\n", "'1.234,50' is not an amount: write digits and one '.'"),
    ("id,currency,amount\na,usd,$12.50\n", "'$12.50' is not an amount: write digits and one '.'"),
    ("id,currency,amount\na,usd,1e3\n", "'1e3' is not an amount: write digits and one '.'"),
    ("id,currency,amount\na,usd\n", "'' is not an amount: write digits and one '.'"),
    ("id,currency,amount_due\na\x00,usd,1\n", "holds a NUL character"),
    ("id,currency,amount_due,status\na,usd,1,payed\n", "status 'payed' is none of draft, open, paid"),
    ("id,currency,amount_due,created_at\na,usd,1,31.12.2025\n", "created_at '31.12.2025' is no date: write 2026-03-01"),
    ("id,currency,amount_due,created_at\na,usd,1,2026-02-30\n", "created_at '2026-02-30' is no date"),
    ("id,currency,amount_due,created_at\na,usd,1,0001-01-01\n", "created_at '0001-01-01' is no date"),
    ("id,currency,amount_due,created_at\na,usd,1,9999-12-31T23:00-05:00\n", "created_at '9999-12-31T23:00-05:00' is no date"),
    ("id,currency,amount_due,status,paid_at\na,usd,1,paid,yes\n", "paid_at 'yes' is no date"),
    ("id,currency,amount_due,status,paid_at\na,usd,1,open,2026-03-01\n", "has a paid_at, and its status does not say `paid`"),
    ("id,currency,amount_due,paid_at\na,usd,1,2026-03-01\n", "has a paid_at, and its status does not say `paid`"),
    ("id,currency,amount_due,status,stripe_payment_intent_id\na,usd,1,paid,pi_1\n", "is `paid` and names an object of Stripe's: give its paid_at or created_at"),
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
    assert "invoices.csv:5: 'a' names the invoice of line 2 too" in answer.err
    assert listed(commands) == []


def test_it_skips_bad_rows_when_told_to(commands: Commands) -> None:
    """With --skip-bad, the good rows are in and the bad ones are still told."""
    answer = import_invoices(commands, f"{HEAD}a,usd,1\nb,usd,x\nc,usd,3\n", "--skip-bad")

    assert answer.code == 0
    assert answer.out == imported(new=2, left_out=1)
    assert "invoices.csv:3: " in answer.err
    assert [row["id"] for row in listed(commands)] == ["a", "c"]


def test_it_tells_in_a_dry_run_what_would_be(commands: Commands) -> None:
    """A dry run counts what is new, changed and unchanged, and writes nothing; the import then does just that."""
    import_invoices(commands, f"{HEAD}a,usd,1\nb,usd,2\n")
    before = listed(commands)
    text = f"{HEAD}a,usd,1\nb,usd,3\nc,usd,4\nd,usd,5\n"

    dry = import_invoices(commands, text, "--dry-run")
    after_dry = listed(commands)
    wet = import_invoices(commands, text)

    assert (dry.code, dry.out) == (0, imported("would be imported", new=2, changed=1, unchanged=1))
    assert after_dry == before
    assert wet.out == imported(new=2, changed=1, unchanged=1)
    assert [row["amount_due"] for row in listed(commands)] == [1, 3, 4, 5]
    assert import_invoices(commands, text).out == imported(unchanged=4)


def test_it_tells_in_a_dry_run_what_is_bad(commands: Commands) -> None:
    """A dry run refuses what the import would refuse."""
    answer = import_invoices(commands, f"{HEAD}a,usd,x\n", "--dry-run")

    assert answer.code == 2
    assert "invoices.csv:2: amount_due 'x'" in answer.err


@pytest.mark.parametrize(
    "text",
    [
        "id,currency,amount_due\na,usd,1250\n",
        "id,currency,amount\na,usd,12.50\n",
        "id;currency;amount\na;USD;12.50\n",
        "id\tcurrency\tamount\na\tusd\t12.50\n",
        "\ufeffid,currency,amount\r\na,usd,12.50\r\n",
        ' id , currency , amount \n a , usd , 12.50 \n',
        "ID,Currency,AMOUNT_DUE\na,USD,1250\n",
        "id|currency|amount|\na|usd|12.50|\n",
        "id,currency,amount\ra,usd,12.50\r",
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


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le-with-mark", "utf-16-be-with-mark"])  # fmt: skip
def test_it_reads_the_unicode_that_spreadsheets_write(commands: Commands, encoding: str) -> None:
    """UTF-8 with or without its mark, and UTF-16 with its mark: a name is the same in all of them."""
    name, is_marked, _ = encoding.partition("-with-mark")
    text = "id;currency;amount;customer_name\na;eur;12.50;Zo\u00eb \u20ac \U0001f600\n"
    Path("some.csv").write_bytes((("\ufeff" if is_marked else "") + text).encode(name))

    answer = commands.run("invoices", "import", "some.csv")

    assert answer.code == 0
    [invoice] = listed(commands)
    assert invoice["customer_name"] == "Zo\u00eb \u20ac \U0001f600"


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
        ("id,currency,Amount Due\na,usd,12\n", "needs a column amount_due (minor units) or amount"),
        ("id,currency,amount,Amount Due\n", "unknown columns: amount due"),
        ("id,currency,amount,Currency\na,usd,1,eur\n", "columns that stand twice: currency"),
        ("\n\n", "the first line must name the columns"),
        ("id,curr\x00ency,amount\na,usd,1\n", "holds NUL characters; save it as CSV UTF-8"),
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
    [
        (None, "No such file or directory"),
        (b"id,currency,amount\n\xff,usd,1\n", "is not UTF-8 text; save it as CSV UTF-8"),
        ("id,currency,amount,customer_name\na,eur,1,Zo\u00eb\n".encode("cp1252"), "is not UTF-8 text; save it as CSV UTF-8"),
        ("id,currency,amount\na,eur,1\n".encode("utf-16-le"), "holds NUL characters; save it as CSV UTF-8"),
        ("id,currency,amount\na,eur,1\n".encode("utf-16")[:-1], "is not UTF-8 text; save it as CSV UTF-8"),
    ],
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


NUMBERED = "id,number,currency,amount_due\n"
BY_NUMBER = "number,currency,amount_due\n"
COLLISIONS = {
    "an id that is a later row's number": (
        "",
        f"{NUMBERED}X,,usd,1\n,X,usd,2\n",
        "3: 'X' names the invoice of line 2 too",
    ),
    "a number that is a later row's id": (
        "",
        f"{NUMBERED}A,X,usd,1\nX,N-2,usd,2\n",
        "3: 'X' names the invoice of line 2 too",
    ),
    "a number of two rows": (
        "",
        f"{NUMBERED}A,N-1,usd,1\nB,N-1,usd,2\n",
        "3: 'N-1' names the invoice of line 2 too",
    ),
    "a row by id and one by its number in the table": (
        f"{NUMBERED}A,N-1,usd,1\n",
        f"{NUMBERED}A,N-2,usd,1\n,N-1,usd,2\n",
        "3: is the invoice 'A' of line 2",
    ),
    "a number that another invoice has": (
        f"{NUMBERED}A,N-1,usd,1\n",
        f"{NUMBERED}B,N-1,usd,2\n",
        "2: 'N-1' names the invoice 'A' too",
    ),
    "an id that is another's number": (
        f"{NUMBERED}A,N-1,usd,1\n",
        f"{HEAD}N-1,usd,2\n",
        "2: 'N-1' names the invoice 'A' too",
    ),
    "a number that is another's id": (
        f"{NUMBERED}A,N-1,usd,1\n",
        f"{NUMBERED}B,A,usd,2\n",
        "2: 'A' names the invoice 'A' too",
    ),
    "a number without an id that is another's id": (
        f"{NUMBERED}A,N-1,usd,1\n",
        f"{BY_NUMBER}A,usd,2\n",
        "2: 'A' is the id of an invoice with another number; give the id",
    ),
    "a number that a row of the file keeps, for it gives none": (
        f"{NUMBERED}A,N-1,usd,1\n",
        f"{HEAD}A,usd,2\nN-1,usd,3\n",
        "3: 'N-1' names the invoice 'A' too",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", COLLISIONS)
def test_it_refuses_to_give_one_name_to_two_invoices(commands: Commands, case: str) -> None:
    """A value that would fit two invoices is told with its line: a payment that says it would find neither."""
    there, text, sentence = COLLISIONS[case]
    if there:
        import_invoices(commands, there)
    before = listed(commands)

    answer = import_invoices(commands, text)

    assert answer.code == 2
    assert answer.err.splitlines()[0] == f"reconciler: invoices.csv:{sentence}"
    assert len(answer.err.splitlines()) == 2
    assert listed(commands) == before


def test_it_lets_invoices_exchange_their_numbers(commands: Commands) -> None:
    """What counts is who bears a number after the import."""
    import_invoices(commands, f"{NUMBERED}A,N-1,usd,1\nB,N-2,usd,2\n")

    answer = import_invoices(commands, f"{NUMBERED}A,N-2,usd,1\nB,N-1,usd,2\n")

    assert answer.out == imported(changed=2)
    assert [(row["id"], row["number"]) for row in listed(commands)] == [("A", "N-2"), ("B", "N-1")]


def test_it_leaves_out_who_would_take_the_number_of_one_left_out(commands: Commands) -> None:
    """With --skip-bad, an invoice that is left out keeps its number, and nobody else gets it."""
    there = f"{NUMBERED}A,N-1,usd,1\nB,N-2,usd,2\nC,N-3,usd,3\n"
    import_invoices(commands, there)

    # B may not have C's number, keeps its own, and so A may not have that.
    answer = import_invoices(commands, f"{NUMBERED}A,N-2,usd,1\nB,N-3,usd,2\n", "--skip-bad")

    assert answer.out == imported(left_out=2)
    assert [row["number"] for row in listed(commands)] == ["N-1", "N-2", "N-3"]


def test_it_adds_nothing_to_a_table_of_the_apps(commands: Commands, program: Program) -> None:
    """Where the invoices are the app's own, the import is one line of refusal."""
    program.configure(f'{MODE}[invoices]\ntable = "factures"\n')

    answer = import_invoices(commands, f"{HEAD}a,usd,1\n")

    assert (answer.code, answer.out) == (2, "")
    assert (
        answer.err == "reconciler: invoices live in the app's table factures: it alone adds any\n"
    )


def test_it_keeps_what_was_paid(commands: Commands, inbox: Inbox) -> None:
    """Importing the same file again changes nothing about an invoice that was paid since."""
    import_invoices(commands, f"{HEAD}inv_1,usd,1250\n")
    deliver(inbox, event(intent()))
    [before] = listed(commands)

    import_invoices(commands, f"{HEAD}inv_1,usd,1250\n")

    [after] = listed(commands)
    assert (after["status"], after["payment_status"]) == ("paid", "paid")
    assert after["paid_at"] == before["paid_at"] is not None


@pytest.mark.parametrize("word", ["open", "draft", "void"])
def test_it_says_which_status_it_does_not_take(commands: Commands, inbox: Inbox, word: str) -> None:
    """A file that knows of no payment takes our `paid` from no invoice, and that is said: all of them, or how many."""
    head = "id,currency,amount_due,status,customer_name\n"
    import_invoices(commands, f"{HEAD}inv_1,usd,1250\n")
    deliver(inbox, event(intent()))
    text = f"{head}inv_1,usd,1250,{word},Ann\nb,usd,1,open,Bob\n"

    dry = import_invoices(commands, text, "--dry-run")
    programs = import_invoices(commands, text, "--dry-run", "--json")
    wet = import_invoices(commands, text)
    same = import_invoices(commands, f"{head}inv_1,usd,1250,paid,Ann\n")

    named = f"invoices.csv:2: inv_1 says `{word}` and stays `paid`, as its payment made it.\n"
    assert dry.out == imported("would be imported", new=1, changed=1) + named
    assert json.loads(programs.out) == {
        "dry_run": True, "new": 1, "changed": 1, "unchanged": 0, "left_out": [],
        "status_kept": [{"line": 2, "invoice_id": "inv_1", "said": word}],
    }  # fmt: skip
    assert wet.out.startswith(imported(new=1, changed=1) + "Of 1 invoices the file says another")
    assert same.out == imported(unchanged=1)
    paid, _ = sorted(listed(commands), key=lambda row: row["id"] != "inv_1")
    assert (paid["status"], paid["payment_status"]) == ("paid", "paid")
    assert paid["customer_name"] == "Ann"


@pytest.mark.parametrize(
    ("before", "after"),
    [("open", "void"), ("draft", "open"), ("open", "uncollectible"), ("open", "paid"), ("paid", "open"), ("void", "open")],
)  # fmt: skip
def test_it_takes_the_status_that_the_app_gives(
    commands: Commands, before: str, after: str
) -> None:
    """Every word but a `paid` that we wrote is the app's own, and so is what it says next; no word changes none."""
    head = "id,currency,amount_due,status\n"
    import_invoices(commands, f"{head}a,usd,1,{before}\n")

    silent = import_invoices(commands, f"{head}a,usd,1,\n")
    answer = import_invoices(commands, f"{head}a,usd,1,{after}\n")

    assert silent.out == imported(unchanged=1)
    assert answer.out == imported(changed=1)
    assert [row["status"] for row in listed(commands)] == [after]


def test_it_judges_the_new_word_at_once(commands: Commands, inbox: Inbox) -> None:
    """An invoice that is opened finds its money, and one that is voided beside its money calls a person."""
    head = "id,currency,amount_due,status\n"
    import_invoices(commands, f"{head}inv_1,usd,1250,draft\ninv_2,usd,2000,open\n")
    part = intent("pi_2", metadata={"invoice_id": "inv_2"})
    deliver(inbox, event(intent()), event(part))

    import_invoices(commands, f"{head}inv_1,usd,1250,open\ninv_2,usd,2000,void\n")

    found = json.loads(commands.run("exceptions", "list", "--json").out)
    assert [row["status"] for row in listed(commands)] == ["paid", "void"]
    assert ("invoice_not_payable", "inv_2") in {(row["kind"], row["subject"]) for row in found}


def test_it_keeps_what_the_file_does_not_say(commands: Commands) -> None:
    """An empty cell is like a column that is not there: what is stored stays, Stripe's ids among it."""
    names = ("number", "customer_name", "customer_email", "user_id", "stripe_payment_intent_id",
             "stripe_checkout_session_id", "stripe_payment_link_id", "created_at")  # fmt: skip
    head = f"id,currency,amount_due,{','.join(names)}\n"
    row = "N-1,Ann,ann@example.org,u1,pi_1,cs_1,plink_1,2026-03-01"
    import_invoices(commands, f"{head}a,usd,1,{row}\nb,usd,1,{row.replace('1', '2')}\n")
    before = listed(commands)

    mixed = import_invoices(commands, f"{head}a,usd,1,{',' * 7}\nb,usd,1,,Bob,,,,,,\n")
    import_invoices(commands, f"{HEAD}a,usd,1\n")

    kept, changed = listed(commands)
    assert mixed.out == imported(changed=1, unchanged=1)
    assert kept == before[0]
    assert {name: changed[name] for name in names} == {
        **{name: before[1][name] for name in names},
        "customer_name": "Bob",
    }


@pytest.mark.parametrize(
    ("cell", "stored"),
    [
        ("2026-03-01", "2026-03-01T00:00:00Z"),
        ("2026-03-01 09:30", "2026-03-01T09:30:00Z"),
        ("2026-03-01T09:30:00Z", "2026-03-01T09:30:00Z"),
        ("2026-03-01T09:30:00.5+02:00", "2026-03-01T07:30:00.500000Z"),
    ],
)
def test_it_knows_when_invoices_were_made_and_paid(
    commands: Commands, cell: str, stored: str
) -> None:
    """A day or a moment without a zone is UTC; both columns are taken for a new invoice and for one that is there."""
    head = "id,currency,amount_due,status,created_at,paid_at\n"
    import_invoices(commands, f"{HEAD}b,usd,1\n")

    import_invoices(commands, f"{head}a,usd,1,paid,{cell},{cell}\nb,usd,1,paid,{cell},{cell}\n")

    for row in listed(commands):
        moments = {datetime.fromisoformat(row[name]) for name in ("created_at", "paid_at")}
        assert moments == {datetime.fromisoformat(stored)}


@pytest.mark.parametrize(
    ("cells", "is_asked_for"),
    [
        ("pi_1,,2026-02-01", False),
        ("pi_1,2026-02-01,", False),
        ("pi_1,2026-02-01,2026-03-05", True),
        ("pi_1,2026-03-05,2026-02-01", False),
        ("pi_1,2026-03-05,", True),
        (",,", False),
    ],
)
def test_it_asks_for_no_payment_of_before_the_first_day(
    commands: Commands, program: Program, cells: str, is_asked_for: bool
) -> None:
    """An invoice that comes in as `paid` counts from its own dates, not from today."""
    program.configure(f'{MODE}[matching]\nsince = "2026-03-01"\n[exceptions]\ngrace_s = 0\n')
    head = "id,currency,amount_due,status,stripe_payment_intent_id,created_at,paid_at\n"

    answer = import_invoices(commands, f"{head}a,usd,1,paid,{cells}\n")

    found = json.loads(commands.run("exceptions", "list", "--json").out)
    assert answer.out == imported(new=1)
    kinds = [row["kind"] for row in found]
    assert kinds == (["paid_here_not_at_stripe"] if is_asked_for else [])


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
        (("invoices", "show", "nope"), NO_INVOICE),
        (("explain", "nope"), NO_INVOICE),
        (
            ("payments", "show", "nope"),
            "no payment has the id 'nope'; `reconciler payments list` shows them",
        ),
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
