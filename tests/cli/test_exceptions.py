"""Can the person who looks after the money work the queue: see the facts, decide, take it back, and be told what came of it?"""

import json
import re
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import delete, select

from reconciler.apply import Policy, apply_payment_state
from reconciler.cli.meanings import MEANINGS
from reconciler.core.exceptions import ExceptionKind
from reconciler.core.ledger import Rules
from reconciler.core.observation import InvoiceSeen, Source
from reconciler.db import alerts, tables
from reconciler.db.session import Database
from reconciler.inbox import Inbox
from reconciler.stripe_api.envelope import read_event
from tests.cli.bodies import event, intent
from tests.cli.conftest import deliver, import_invoices
from tests.cli.program import MODE, Answer, Commands

INVOICES = """number,currency,amount,customer_email,status
INV-007,usd,12.50,bob@example.org,open
INV-008,usd,12.50,,open
INV-009,usd,5.00,,open
INV-010,eur,12.50,,open
INV-011,usd,12.50,,void
"""
BY = ("--by", "ann", "--reason", "phoned")
MANUAL = Path(__file__).parents[2] / "docs" / "exceptions.md"


@pytest.fixture
def inbox(database: Database) -> Inbox:
    """Give an inbox whose exceptions count at once."""
    return Inbox(db=database, policy=Policy(rules=Rules(grace_s=0)))


@pytest.fixture
def queue(commands: Commands, inbox: Inbox) -> Commands:
    """Give the commands on books with a payment of 12.50 USD whose payer typed something like the number of an invoice."""
    Path("config.toml").write_text(f"{MODE}[exceptions]\ngrace_s = 0\n")
    import_invoices(commands, INVOICES)
    typed = intent(metadata={"invoice_id": "inv 7"}, receipt_email="bob@example.org")
    deliver(inbox, event(typed))
    return commands


def decide(commands: Commands, *words: str) -> Answer:
    """Let Ann decide."""
    return commands.run("exceptions", *words, *BY)


def listed(commands: Commands) -> list[tuple[str, str, int | None]]:
    """What is open."""
    found = json.loads(commands.run("exceptions", "list", "--json").out)
    return [(row["kind"], row["subject"], row["amount"]) for row in found]


def tag(commands: Commands) -> str:
    """Under which tag the one open exception is listed."""
    [row] = json.loads(commands.run("exceptions", "list", "--json").out)
    return str(row["tag"])


def test_it_fits_a_terminal_however_long_names_are(commands: Commands, inbox: Inbox) -> None:
    """What is told of an exception is broken where the terminal ends, under its own words, and no word of it is lost."""
    Path("config.toml").write_text(f"{MODE}[exceptions]\ngrace_s = 0\n")
    named = " ".join(f"word{n}" for n in range(30))
    deliver(inbox, event(intent(metadata={"invoice_id": named})))

    answer = commands.run("exceptions", "show", "1")

    assert max(map(len, answer.out.splitlines())) <= 80
    assert named in " ".join(answer.out.split())


LONG_ID = "pi_9T0U8NdauuDakMK9X0lYd1Ra"
UUID = "0b1f2c3d-1111-4222-8333-444455556666"
LISTED = [
    ([(ExceptionKind.EVENT_DEAD, LONG_ID)], True),
    ([(ExceptionKind.INVOICE_CHANGED_AFTER_PAID, UUID), (ExceptionKind.EVENT_DEAD, LONG_ID)], False),
    ([(ExceptionKind.EVENT_DEAD, "1")], True),
]  # fmt: skip


@pytest.mark.parametrize(("rows", "has_day"), LISTED)
def test_it_breaks_no_id_in_the_list(
    commands: Commands, database: Database, rows: list[tuple[ExceptionKind, str]], has_day: bool
) -> None:
    """An id is on one line of a terminal of 80 columns, to be copied; where there is no room, the day is left out."""
    now = datetime.now(UTC)
    with database.writing() as tx:
        for kind, subject in rows:
            alerts.open_alert(tx, kind=kind, subject=subject, fingerprint="", now=now)
        # As wide as amounts of money are.
        tx.execute(tables.exceptions.update().values(amount=-123456, currency="eur"))

    lines = commands.run("exceptions", "list").out.splitlines()

    assert max(map(len, lines)) <= 80
    assert {subject for _, subject in rows} <= {word for line in lines for word in line.split()}
    assert ("since" in lines[0].split()) == has_day
    assert "subject" in lines[0].split()


def test_it_breaks_lines_about_decisions_where_the_terminal_ends(
    commands: Commands, inbox: Inbox
) -> None:
    """However long a reason and the names are, what was decided is told within the terminal, and no word of it is lost."""
    Path("config.toml").write_text(f"{MODE}[exceptions]\ngrace_s = 0\n")
    import_invoices(commands, f"id,number,currency,amount\n{UUID},INV-2026-000000123,usd,5.00\n")
    deliver(inbox, event(intent(LONG_ID, metadata={})))
    because = " ".join(f"word{n}" for n in range(30))
    reason = ("--by", "ann", "--reason", because)

    said = [
        commands.run("exceptions", *words)
        for words in (
            ("assign", LONG_ID, UUID, "--amount", "5", *reason),
            ("show", "1"),
            ("resolve", "1", *reason),
            ("resolve", "1", *reason),
            ("unassign", LONG_ID, *reason),
        )
    ]

    assert [answer.code for answer in said] == [0] * 5
    assert max(len(line) for answer in said for line in answer.out.splitlines()) <= 80
    assert [because in " ".join(each.out.split()) for each in said] == [True, True, False, True, False]  # fmt: skip
    assert [LONG_ID in each.out for each in said] == [True, True, True, False, True]


def test_it_shows_the_facts_and_who_may_be_meant(queue: Commands) -> None:
    """What it is, how much, since when, of whom, under which names; candidates with reasons, best first; what can be done."""
    answer = queue.run("exceptions", "show", "1")

    lines = answer.out.splitlines()
    assert answer.code == 0
    assert lines[:2] == [
        "Exception 1: unmatched_payment, open.",
        "Money came in that is at no invoice.",
    ]
    for words in (
        "amount    12.50 USD",
        "payment   pi_1, succeeded",
        "payer     bob@example.org",
        "frozen_metadata inv 7",
        "none is assigned by itself",
        'reconciler exceptions assign pi_1 INVOICE --reason "..."',
        f'reconciler exceptions resolve 1@{tag(queue)} --reason "..."',
    ):
        assert words in answer.out
    candidates = [line.split()[0] for line in lines if line.startswith("INV-")]
    assert candidates == ["INV-007", "INV-008"]


def test_it_shows_what_is_missing_of_an_invoice(queue: Commands) -> None:
    """The amount beside a candidate is what it still waits for, and is called so."""
    decide(queue, "assign", "pi_1", "INV-009", "--amount", "5")
    decide(queue, "unassign", "pi_1")
    decide(queue, "assign", "pi_1", "INV-007", "--amount", "4.50")

    answer = queue.run("exceptions", "show", "1")

    assert re.search(r"^invoice +missing +status +why *$", answer.out, re.MULTILINE)
    assert re.search(r"^INV-007 +8.00 USD +open ", answer.out, re.MULTILINE)


def test_it_tells_programs_the_same(queue: Commands) -> None:
    """With --json the reasons are words that stay, and amounts are minor units."""
    story = json.loads(queue.run("exceptions", "show", "1", "--json").out)

    assert (story["kind"], story["subject"], story["amount"]) == ("unmatched_payment", "pi_1", 1250)
    assert story["payment"]["customer_email"] == "bob@example.org"
    best = story["candidates"][0]
    assert (best["id"], best["missing"]) == ("INV-007", 1250)
    assert best["reasons"] == ["same_amount", "same_email", "look_alike", "close_in_time"]


def test_it_assigns_nothing_by_itself(queue: Commands) -> None:
    """However good a candidate is, looking at it changes nothing."""
    queue.run("exceptions", "show", "1")

    assert listed(queue) == [("unmatched_payment", "pi_1", 1250)]
    assert json.loads(queue.run("payments", "show", "pi_1", "--json").out)["allocations"] == []


def test_it_assigns_and_says_what_came_of_it(queue: Commands) -> None:
    """The invoice is paid, the queue is empty, and `verify` agrees."""
    answer = decide(queue, "assign", "pi_1", "INV-007")

    assert answer.code == 0
    assert "12.50 USD of pi_1 is at INV-007: assigned by ann at " in answer.out
    assert "Invoice INV-007: paid, paid.\n" in answer.out
    assert listed(queue) == []
    assert queue.run("verify", "--rebuild").code == 0


def test_it_splits_and_takes_back(queue: Commands) -> None:
    """Two parts, what is left in between, too much, and all of it back: each is one line that says how it stands."""
    first = decide(queue, "assign", "pi_1", "INV-009", "--amount", "5")
    too_much = decide(queue, "assign", "pi_1", "INV-007", "--amount", "7.51")
    second = decide(queue, "assign", "pi_1", "INV-007", "--amount", "7.50")
    back = decide(queue, "unassign", "pi_1")

    assert "Open: unmatched_payment of pi_1, 7.50 USD (exceptions show 1).\n" in first.out
    assert too_much.code == 1
    assert too_much.err.startswith("reconciler: only 7.50 USD of pi_1 is left; there is 5.00 USD")
    assert "Open: underpaid of INV-007, -5.00 USD (exceptions show " in second.out
    assert "Nothing of pi_1 is at any invoice.\n" in back.out
    assert "Invoice INV-009: open, unpaid.\n" in back.out
    assert listed(queue) == [("unmatched_payment", "pi_1", 1250)]
    assert queue.run("verify", "--rebuild").code == 0


def test_it_tells_who_decided_when_and_why(queue: Commands) -> None:
    """A decision is seen where people look: at the exception, the payment and the invoice."""
    decide(queue, "assign", "pi_1", "INV-009", "--amount", "5")

    shown = queue.run("exceptions", "show", "1")
    payment = queue.run("payments", "show", "pi_1")
    programs = json.loads(queue.run("payments", "show", "pi_1", "--json").out)
    story = queue.run("explain", "INV-009")
    invoice = queue.run("invoices", "show", "INV-009")

    assert "assigned by ann at" in " ".join(invoice.out.split())
    for answer in (shown, payment, story):
        assert "ann: phoned" in answer.out or "ann decided so: phoned" in answer.out
    assert "pi_1: a part to INV-009 (ann: phoned)" in shown.out
    assert [(row["new"], row["rule"]) for row in programs["decisions"]] == [
        ("a part to INV-009", "ann: phoned")
    ]


def test_it_resolves_until_the_amounts_change(queue: Commands, inbox: Inbox) -> None:
    """What a person has seen to stays off the list while it says the same, and comes back when the money is another."""
    answer = decide(queue, "resolve", "1")
    again = queue.run("exceptions", "resolve", "1", "--by", "bob", "--reason", "me too")
    quiet = listed(queue)
    shown = queue.run("exceptions", "show", "1")
    deliver(inbox, event(intent(metadata={"invoice_id": "inv 7"}), "charge.refunded"))
    still = listed(queue)
    decide(queue, "assign", "pi_1", "INV-009", "--amount", "5")

    assert "Resolved unmatched_payment of pi_1, 12.50 USD." in answer.out
    assert again.code == 0
    assert again.out.startswith("Nothing changed: ann resolved it at ")
    assert quiet == still == []
    assert "resolved" in shown.out
    assert "by ann: phoned" in shown.out
    assert listed(queue) == [("unmatched_payment", "pi_1", 750)]
    assert queue.run("verify", "--rebuild").code == 0


def test_it_resolves_only_what_a_person_has_seen(queue: Commands) -> None:
    """With its tag an exception is resolved as it was shown; after a change it is one line that sends back to look again."""
    seen = tag(queue)
    shown = json.loads(queue.run("exceptions", "show", "1", "--json").out)["tag"]
    decide(queue, "assign", "pi_1", "INV-009", "--amount", "5")

    stale = decide(queue, "resolve", f"1@{seen}")
    left_open = listed(queue)
    fresh = decide(queue, "resolve", f"1@{tag(queue)}")
    again = decide(queue, "resolve", f"1@{seen}")

    assert shown == seen
    assert (stale.code, stale.out) == (2, "")
    assert stale.err == (
        "reconciler: exception 1 has changed since you saw it: unmatched_payment of pi_1, 7.50 USD."
        " Look again: reconciler exceptions show 1\n"
    )
    assert left_open == [("unmatched_payment", "pi_1", 750)]
    assert fresh.code == 0
    assert fresh.out.startswith("Resolved unmatched_payment of pi_1, 7.50 USD.")
    assert listed(queue) == []
    assert (again.code, again.out[:16]) == (0, "Nothing changed:")


@pytest.mark.parametrize("number", ["0", "-1", "x", "1@", "1@ABC", "1@a1b2c3x", "9" * 19, "\uff11"])
def test_it_takes_only_a_number_of_an_exception(queue: Commands, number: str) -> None:
    """What can't be a number of an exception, with a tag or without, is wrong use, and nothing is decided."""
    answer = queue.run("exceptions", "resolve", *BY, "--", number)

    assert answer.code == 2
    assert listed(queue) == [("unmatched_payment", "pi_1", 1250)]


def test_it_says_that_an_exception_has_closed_by_itself(queue: Commands) -> None:
    """Resolving what is over changes nothing, and says so."""
    decide(queue, "assign", "pi_1", "INV-007")

    answer = decide(queue, "resolve", "1")

    assert answer.code == 0
    assert answer.out.startswith("Nothing changed: it is over since ")


ALERTS = [
    (ExceptionKind.EVENT_DEAD, "evt_1", "ValueError: no id"),
    (ExceptionKind.READ_FORBIDDEN, "charge ch_9", "there is no such object"),
    (ExceptionKind.SWEEP_FAILING, "money", "Stripe is away"),
    (ExceptionKind.WRONG_ACCOUNT_OR_MODE, "acct_9 live", "acct_9 live"),
    (ExceptionKind.PUSH_REFUSED, "push.example.com", "403 key"),
]


@pytest.mark.parametrize(("kind", "subject", "cause"), ALERTS)
def test_it_resolves_what_is_about_the_program(
    commands: Commands, database: Database, kind: ExceptionKind, subject: str, cause: str
) -> None:
    """An alert is shown with its cause; resolved, it opens again for another cause only."""

    def ring(why: str) -> None:
        with database.writing() as tx:
            now = datetime.now(UTC)
            alerts.open_alert(tx, kind=kind, subject=subject, fingerprint=why, now=now)

    ring(cause)
    shown = commands.run("exceptions", "show", "1")
    decide(commands, "resolve", "1")
    ring(cause)
    quiet = listed(commands)
    ring(f"another {cause}")

    assert cause in shown.out
    assert quiet == []
    assert listed(commands) == [(kind.value, subject, None)]


def test_it_shows_an_invoice_with_what_it_received(commands: Commands, inbox: Inbox) -> None:
    """An exception about an invoice shows its sums and its payments with the rule that brought each."""
    import_invoices(commands, "id,number,currency,amount_due\ninv_1,N-1,usd,1000\n")
    deliver(inbox, event(intent()))

    answer = commands.run("exceptions", "show", "1")

    for words in (
        "More is held than the invoice asks for.",
        "amount   2.50 USD",
        "invoice       N-1 (id inv_1)",
        "received      12.50 USD",
        "paid by pi_1  12.50 USD, succeeded (agreement)",
    ):
        assert words in answer.out


def test_it_shows_a_dispute_with_its_deadline(commands: Commands, inbox: Inbox) -> None:
    """An exception about a dispute shows by when it must be answered, and the payment and invoice that it is about."""
    import_invoices(commands, "id,currency,amount_due\ninv_1,usd,1250\n")
    dispute = {
        "id": "dp_1",
        "object": "dispute",
        "amount": 1250,
        "charge": "ch_1",
        "created": int(time.time()) - 20,
        "currency": "usd",
        "evidence_details": {"due_by": 1_800_000_000},
        "payment_intent": "pi_1",
        "reason": "fraudulent",
        "status": "needs_response",
    }
    deliver(inbox, event(intent()), event(dispute, "charge.dispute.created"))
    found = json.loads(commands.run("exceptions", "list", "--json").out)
    [number] = [row["id"] for row in found if row["kind"] == "dispute_open"]

    answer = commands.run("exceptions", "show", str(number))

    for words in (
        "dp_1, needs_response",
        "fraudulent",
        "2027-01-15 08:00:00",
        "pi_1, succeeded",
        "inv_1",
    ):
        assert words in answer.out


PAYERS_WORDS = [
    ({"client_reference_id": "inv_1"}, "By client_reference_id, which", "named by client_reference_id"),
    ({"payment_link": "plink_1"}, "By the Payment Link, which", "same Payment Link"),
]  # fmt: skip


@pytest.mark.parametrize(("carried", "by", "why"), PAYERS_WORDS)
def test_it_says_why_a_payers_word_did_not_count(
    commands: Commands, inbox: Inbox, carried: dict[str, str], by: str, why: str
) -> None:
    """What the payer controls, and the amount does not bear out, is told by its name, with the invoice that it names."""
    Path("config.toml").write_text(f"{MODE}[exceptions]\ngrace_s = 0\n")
    head = "id,currency,amount_due,stripe_payment_link_id"
    import_invoices(commands, f"{head}\ninv_1,usd,99900,plink_1\n")
    session = {
        "id": "cs_1",
        "object": "checkout.session",
        **carried,
        "created": int(time.time()) - 20,
        "currency": "usd",
        "amount_total": 1250,
        "mode": "payment",
        "payment_intent": "pi_1",
        "payment_status": "paid",
        "status": "complete",
        "metadata": {},
    }
    deliver(inbox, event(intent(metadata={})), event(session, "checkout.session.completed"))

    answer = commands.run("exceptions", "show", "1")

    words = " ".join(answer.out.split())
    assert f"{by} the payer controls, it names an invoice of another amount or currency" in words
    assert why in words


WRONG = [
    (("assign", "pi_1", "INV-007", "--amount", "12,50", *BY), 2, "--amount: '12,50' is not an amount: write digits and one '.', like 1234.50"),
    (("assign", "pi_9", "INV-007", *BY), 1, "no payment has the id 'pi_9'; `reconciler payments list` shows them"),
    (("assign", "pi_1", "INV-999", *BY), 1, "no invoice has the id or number 'INV-999'; `reconciler invoices list` shows them"),
    (("assign", "pi_\udcff", "INV-007", *BY), 1, "nothing has the id or number 'pi_\\udcff'"),
    (("unassign", "pi_9", *BY), 1, "no payment has the id 'pi_9'; `reconciler payments list` shows them"),
    (("resolve", "99", *BY), 1, "no exception has the number 99"),
    (("assign", "pi_1", "INV-007", "--by", "ann", "--reason", "  "), 2, 'a decision needs its reason: --reason "phoned the customer"'),
    (("resolve", "1", "--by", " ", "--reason", "x"), 2, "who decides is not known: say --by NAME"),
    (("resolve", "1", "--by", "ann", "--reason", "two\nlines"), 2, "--reason: must be one line of plain text, at most 1000 characters"),
    (("resolve", "1", "--by", "\x1b[31m", "--reason", "x"), 2, "--by: must be one line of plain text, at most 100 characters"),
]  # fmt: skip


@pytest.mark.parametrize(("words", "code", "line"), WRONG)
def test_it_refuses_in_one_line(
    queue: Commands, words: tuple[str, ...], code: int, line: str
) -> None:
    """What can't be decided is one line with the mend, and nothing is decided."""
    answer = queue.run("exceptions", *words)

    assert (answer.code, answer.err) == (code, f"reconciler: {line}\n")
    assert listed(queue) == [("unmatched_payment", "pi_1", 1250)]


@pytest.mark.parametrize(
    ("names", "who"),
    [({"SUDO_USER": "ann", "USER": "root"}, "ann"), ({"SUDO_USER": "", "USER": "bob"}, "bob")],
)
def test_it_knows_who_decides(queue: Commands, names: dict[str, str], who: str) -> None:
    """Without --by it is whoever called sudo, else the user."""
    queue.run("exceptions", "resolve", "1", "--reason", "donation", **names)

    story = json.loads(queue.run("exceptions", "show", "1", "--json").out)
    assert (story["resolved_by"], story["reason"]) == (who, "donation")


@pytest.mark.parametrize(
    "words", [("resolve", "1"), ("assign", "pi_1", "INV-007"), ("unassign", "pi_1")]
)
def test_it_tells_programs_what_became_of_a_decision(
    queue: Commands, words: tuple[str, ...]
) -> None:
    """With --json each decision answers with one document, and says whether it was a new one."""
    if words[0] == "unassign":
        decide(queue, "assign", "pi_1", "INV-007")

    first = json.loads(queue.run("exceptions", *words, *BY, "--json").out)
    second = json.loads(queue.run("exceptions", *words, *BY, "--json").out)

    assert (first["is_new"], second["is_new"]) == (True, False)


def test_it_has_a_meaning_for_every_kind() -> None:
    """No kind of exception is shown without what it means and what to do, and the manual has a line for each too."""
    manual = MANUAL.read_text()

    assert set(MEANINGS) == set(ExceptionKind)
    for kind, meaning in MEANINGS.items():
        assert f"`{kind.value}`" in manual
        assert max(len(meaning.words), len(meaning.mend)) < 100


def test_it_shows_hostile_text_harmlessly(commands: Commands, inbox: Inbox) -> None:
    """Nothing that a payer typed steers the terminal of whoever looks at it."""
    Path("config.toml").write_text(f"{MODE}[exceptions]\ngrace_s = 0\n")
    read = read_event(event(intent(metadata={"invoice_id": "\x1b[2J\u202eevil"})))
    inbox.accept([read], source=Source.WEBHOOK, now=datetime.now(UTC))

    for options in ((), ("--json",)):
        answer = commands.run("exceptions", "show", "1", *options)
        assert answer.code == 0
        assert answer.out.replace("\n", "").isprintable()


def test_it_says_that_the_invoice_of_the_money_is_gone(queue: Commands, database: Database) -> None:
    """Whoever deleted an invoice with money is told where the money is, and how it comes to another one."""
    [(_, payment, _)] = listed(queue)
    decide(queue, "assign", payment, "INV-007")
    with database.writing() as tx:
        gone = tables.invoices.c.number == "INV-007"
        id_ = str(tx.scalar(select(tables.invoices.c.id).where(gone)))
        tx.execute(delete(tables.invoices).where(gone))
        seen, now = [InvoiceSeen(id_)], datetime.now(UTC)
        policy = Policy(rules=Rules(grace_s=0))
        apply_payment_state(tx, seen, source=Source.POLL, now=now, policy=policy)

    [row] = json.loads(queue.run("exceptions", "list", "--json").out)
    shown = " ".join(queue.run("exceptions", "show", str(row["id"])).out.split())
    back = decide(queue, "unassign", payment)
    again = decide(queue, "assign", payment, "INV-008")

    assert (row["kind"], row["amount"]) == ("unmatched_payment", 1250)
    assert f"12.50 USD of {id_}, which is gone" in shown
    assert "take the payment back from it (unassign)" in shown
    assert (back.code, again.code) == (0, 0)
    assert listed(queue) == []
