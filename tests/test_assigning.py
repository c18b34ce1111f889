"""Does a person's word about a payment hold against everything that comes later, and can it be taken back?"""

import random
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest
from sqlalchemy import select, update

from reconciler.apply import Policy, apply_payment_state
from reconciler.assigning import By, NotDecided, assign, invoice_called, unassign
from reconciler.core.observation import (
    Assignment,
    Evidence,
    InvoiceSeen,
    Observation,
    Reference,
    ReferenceKind,
    Source,
)
from reconciler.db import exceptions, queries, tables
from reconciler.db.digest import digest
from reconciler.db.session import Database
from reconciler.verify import verify
from tests.core import builders as b
from tests.journeys.conftest import write_invoices

POLICY = Policy()
NOW = b.at(7200)
ANN = By("ann", "phoned")
NAMED = frozenset({Reference(ReferenceKind.METADATA, "INV-1")})
PAID = b.event(b.intent())


@dataclass(frozen=True, slots=True)
class Books:
    """The books, and what a test asks of them."""

    database: Database

    def tell(self, *evidence: Evidence) -> None:
        """Let evidence come in."""
        with self.database.writing() as tx:
            apply_payment_state(tx, evidence, source=Source.WEBHOOK, now=NOW, policy=POLICY)

    def assign(
        self, invoice: str, amount: str | None = None, by: By = ANN, payment: str = "pi_1"
    ) -> bool:
        """Assign a payment as a person; returns whether that was new."""
        decided = assign(self.database, POLICY, payment, invoice, amount=amount, by=by, now=NOW)
        return decided.is_new

    def unassign(self) -> bool:
        """Take the payment back; returns whether that was new."""
        return unassign(self.database, POLICY, "pi_1", by=By("bob", "a slip"), now=NOW).is_new

    def words(self, id_: str) -> tuple[str, str | None, object]:
        """What the app reads of an invoice."""
        with self.database.reading() as tx:
            row = queries.invoice(tx, id_) or {}
        return row["status"], row["payment_status"], row["paid_at"]

    def all_words(self) -> list[tuple[str, str, object]]:
        """The same of the invoices in euros; whether one was ever looked at makes no difference."""
        found = [self.words(f"i{n}") for n in range(1, 5)]
        return [(status, says or "unpaid", at) for status, says, at in found]

    def parts(self) -> dict[str, tuple[int, str]]:
        """How much of the payment is where, and by whom."""
        with self.database.reading() as tx:
            rows = (queries.payment(tx, "pi_1") or {})["allocations"]
        return {row["invoice_id"]: (row["amount"], row["decided_by"]) for row in rows}

    def open(self) -> set[tuple[str, str, int | None]]:
        """What is open."""
        with self.database.reading() as tx:
            found = queries.open_exceptions(tx, now=NOW)
        return {(row["kind"], row["subject"], row["amount"]) for row in found}

    def digest(self) -> str:
        """Everything that is a function of what was said and decided."""
        with self.database.reading() as tx:
            return digest(tx)

    def problems(self) -> tuple[object, ...]:
        """What `verify --rebuild` finds."""
        return verify(self.database, POLICY, now=NOW, rebuild=True).problems


@pytest.fixture
def books(database: Database) -> Books:
    """Give books with four open invoices over ten euros, 1 to 4, and one in dollars, 5."""
    rows = [
        {"id": f"i{n}", "number": f"INV-{n}", "currency": "usd" if n == 5 else "eur"}
        for n in range(1, 6)
    ]
    common = {"amount_due": 1000, "status": "open", "created_at": b.NOON, "updated_at": b.NOON}
    with database.writing() as tx:
        tx.execute(tables.invoices.insert(), [{**common, **row} for row in rows])
    return Books(database)


def test_it_pays_the_invoice_that_a_person_names(books: Books) -> None:
    """By number or id; the exception closes, and the invoice is paid at Stripe's moment."""
    books.tell(PAID)
    before = books.open()

    books.assign("INV-1")

    assert before == {("unmatched_payment", "pi_1", 1000)}
    assert books.open() == set()
    assert books.words("i1")[:2] == ("paid", "paid")
    assert books.parts() == {"i1": (1000, "ann")}
    assert books.problems() == ()


def test_it_splits_a_payment_and_shows_what_is_left(books: Books) -> None:
    """Each assign adds a share and keeps those before with whoever gave them; what is left stays open until it has a place."""
    books.tell(PAID)

    books.assign("i1", "4.00")
    half = books.open()
    books.assign("i2", "1.50", By("cy", "mail"))
    books.assign("i3", None, By("cy", "rest"))

    assert half == {("unmatched_payment", "pi_1", 600), ("underpaid", "i1", -600)}
    assert books.parts() == {"i1": (400, "ann"), "i2": (150, "cy"), "i3": (450, "cy")}
    assert {kind for kind, _, _ in books.open()} == {"underpaid"}
    assert books.problems() == ()


def test_it_gives_invoices_back_the_word_that_they_had(books: Books) -> None:
    """Unassign undoes our word, our status and our moment on every invoice, and the money waits for a person again."""
    books.tell(PAID)
    books.assign("i1", "4.00")
    books.assign("i2")

    books.unassign()

    assert [books.words(each) for each in ("i1", "i2")] == [("open", "unpaid", None)] * 2
    assert books.parts() == {}
    assert books.open() == {("unmatched_payment", "pi_1", 1000)}
    assert books.problems() == ()


def test_it_takes_back_what_a_rule_has_placed(books: Books) -> None:
    """A match by a name that a person takes back stays off, whatever Stripe or the app says again; an assign brings it back."""
    paid = b.event(b.intent(references=NAMED))
    books.tell(paid)

    books.unassign()
    books.tell(paid, b.read(b.intent(references=NAMED), 300), InvoiceSeen("i1"))
    after = books.words("i1"), books.open()
    books.assign("i1")

    assert after == (("open", "unpaid", None), {("unmatched_payment", "pi_1", 1000)})
    assert books.words("i1")[:2] == ("paid", "paid")
    assert books.problems() == ()


def test_it_ends_a_disagreement(books: Books) -> None:
    """Names that disagree send invoices to review until a person decides: the one is paid, the other left alone."""
    both = NAMED | {Reference(ReferenceKind.METADATA, "INV-2")}
    books.tell(b.event(b.intent(references=both)))
    before = books.words("i1")[1], books.words("i2")[1]

    books.assign("i2")
    decided = books.words("i1")[1], books.words("i2")[1]
    books.unassign()

    assert before == ("review", "review")
    assert decided == ("unpaid", "paid")
    assert (books.words("i1")[1], books.words("i2")[1]) == ("unpaid", "unpaid")
    assert books.open() == {("unmatched_payment", "pi_1", 1000)}
    assert books.problems() == ()


def test_it_lets_a_person_confirm_what_a_rule_has_placed(books: Books) -> None:
    """It was a rule's and is a person's from then on: a name that speaks against it later moves nothing. Again is nothing new."""
    books.tell(b.event(b.intent(references=NAMED)))
    before = books.parts()

    is_new = books.assign("i1")
    again = books.assign("i1")
    with books.database.writing() as tx:
        column = tables.invoices.c
        tx.execute(
            update(tables.invoices).where(column.id == "i2").values(stripe_payment_intent_id="pi_1")
        )
    books.tell(InvoiceSeen("i2"))

    assert before == {"i1": (1000, "")}
    assert (is_new, again) == (True, False)
    assert books.parts() == {"i1": (1000, "ann")}
    assert books.words("i1")[:2] == ("paid", "paid")
    assert books.open() == set()
    assert books.problems() == ()


def test_it_changes_nothing_that_stands_so_already(books: Books) -> None:
    """The same decision again is no new one, and neither is taking back what is nowhere."""
    books.tell(PAID)

    assert books.unassign() is False
    assert books.assign("i1") is True
    assert books.assign("i1") is False
    with books.database.reading() as tx:
        assert len(tx.execute(select(tables.assignments)).all()) == 1


def test_it_sends_refunds_along_with_the_money(books: Books) -> None:
    """A refund after the decision reduces the share of the invoice that has the money."""
    books.tell(PAID)
    books.assign("i1")

    books.tell(b.event(b.refund(amount_minor=300), 60))

    assert books.words("i1")[1] == "partially_refunded"
    assert books.problems() == ()


def test_it_gives_the_same_money_away_only_once(books: Books) -> None:
    """Of people who assign the same payment at the same moment one gets it; the others are told where it is."""
    books.tell(PAID)
    together = threading.Barrier(3)

    def decide(invoice: str) -> str:
        together.wait()
        try:
            books.assign(invoice)
        except NotDecided as refused:
            return str(refused)
        return "done"

    with ThreadPoolExecutor(3) as pool:
        answers = list(pool.map(decide, ["i1", "i2", "i3"]))

    assert answers.count("done") == 1
    assert sum(each.startswith("nothing is left of pi_1") for each in answers) == 2
    assert sum(amount for amount, _ in books.parts().values()) == 1000
    assert books.problems() == ()


REFUSED = {
    "a payment that is not there": ("pi_9", "i1", None, "no payment has the id 'pi_9'"),
    "a charge of a payment": ("ch_1", "i1", None, "no payment has the id 'ch_1'; it is of the payment pi_1"),
    "an invoice that is not there": ("pi_1", "i9", None, "no invoice has the id or number 'i9'"),
    "a number of two": ("pi_1", "TWIN", None, "2 invoices have the id or number 'TWIN': say id:i3 or id:i4"),
    "more than came": ("pi_1", "i1", "10.01", "only 10.00 EUR of pi_1 is left; there is nowhere"),
    "a comma": ("pi_1", "i1", "4,00", "--amount: '4,00' is not an amount"),
    "three decimals": ("pi_1", "i1", "4.000", "--amount: 4.000 has more decimals than EUR"),
    "nothing": ("pi_1", "i1", "0", "--amount: 0 is not more than nothing"),
    "less than nothing": ("pi_1", "i1", "-4", "--amount: -4 is not more than nothing"),
    "what has its place": ("pi_2", "i2", None, "nothing is left of pi_2: there is 10.00 EUR at INV-1 (agreement)."),
    "a part of what has not come": ("pi_3", "i1", "1", "no money of pi_3 has come in (processing)"),
    "what will never come": ("pi_4", "i1", None, "no money of pi_4 has come in (canceled)"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_it_says_in_one_line_why_not(books: Books, case: str) -> None:
    """What can't stand is refused with its reason, and nothing is written."""
    payment, invoice, amount, words = REFUSED[case]
    with books.database.writing() as tx:
        column = tables.invoices.c
        tx.execute(update(tables.invoices).where(column.id.in_(["i3", "i4"])).values(number="TWIN"))
    books.tell(PAID, b.event(b.charge()), b.event(b.intent(id="pi_2", references=NAMED)),
               b.event(b.intent("processing", id="pi_3")), b.event(b.intent("canceled", id="pi_4")))  # fmt: skip
    before = books.digest()

    with pytest.raises(NotDecided) as refused:
        books.assign(invoice, amount, payment=payment)

    assert str(refused.value).startswith(words)
    assert "\n" not in str(refused.value)
    assert books.digest() == before
    with books.database.reading() as tx:
        assert tx.execute(select(tables.assignments)).all() == []


ALLOWED = {
    "a void invoice": ("i1", "void", "invoice_not_payable"),
    "a draft": ("i1", "draft", "invoice_not_payable"),
    "one that was marked paid by hand": ("i1", "paid", "second_payment"),
    "another currency": ("i5", "open", "wrong_currency"),
}


@pytest.mark.parametrize("case", ALLOWED)
def test_it_lets_a_person_do_what_looks_odd_and_says_so(books: Books, case: str) -> None:
    """The money is there and the app's word is the app's: the decision stands, and an exception says what is odd."""
    invoice, word, kind = ALLOWED[case]
    with books.database.writing() as tx:
        tx.execute(
            update(tables.invoices).where(tables.invoices.c.id == invoice).values(status=word)
        )
    books.tell(PAID)

    books.assign(invoice)

    assert books.words(invoice)[0] == word
    assert {each[:2] for each in books.open()} == {(kind, invoice)}
    assert books.problems() == ()


def test_it_lets_a_person_claim_a_foreign_payment_and_give_it_back(books: Books) -> None:
    """What a rule marks as another product's pays the invoice that a person names; given back, it is foreign again."""
    books.tell(b.event(b.intent(foreign=frozenset({"stripe_invoice"}))))

    books.assign("i1")
    claimed = books.words("i1")[:2]
    books.unassign()

    assert claimed == ("paid", "paid")
    assert books.words("i1")[:2] == ("open", "unpaid")
    assert books.open() == set()
    assert books.problems() == ()


def test_it_counts_a_decision_of_today_about_old_money(books: Books) -> None:
    """Money of the time before opens nothing by itself; what a person's decision of today leaves open is open."""
    policy = Policy(rules=POLICY.rules.__class__(since_ms=b.at_ms(3600)))

    def step(invoice: str, amount: str) -> set[str]:
        assign(books.database, policy, "pi_1", invoice, amount=amount, by=ANN, now=NOW)
        return {kind for kind, _, _ in books.open()}

    with books.database.writing() as tx:
        apply_payment_state(tx, [PAID], source=Source.POLL, now=NOW, policy=policy)
    before = books.open()

    assert before == set()
    assert step("i1", "4.00") == {"unmatched_payment", "underpaid"}
    assert step("i1", "6.00") == set()
    assert verify(books.database, policy, now=NOW, rebuild=True).problems == ()


def test_it_writes_each_decision_into_the_audit_trail(books: Books) -> None:
    """Who, when, what and why stand on the payment's side and on the invoice's, and stay there."""
    books.tell(PAID)
    books.assign("i1")
    books.unassign()

    with books.database.reading() as tx:
        on_payment = exceptions.decisions(tx, ["pi_1"])
        on_invoice = queries.transitions_of(tx, ["i1"])
    assert [(row["new"], row["rule"], row["at"]) for row in on_payment] == [
        ("all to i1", "ann: phoned", NOW),
        ("to no invoice", "bob: a slip", NOW),
    ]
    told = [
        (row["old"], row["new"], row["rule"]) for row in on_invoice if row["field"] == "payment"
    ]
    assert told == [
        (None, "pi_1 10.00 EUR", "ann: phoned"),
        ("pi_1 10.00 EUR", None, "bob: a slip"),
    ]


def _history() -> list[Observation]:
    """A payment that names an invoice, and another one; refunds, a dispute, and money that comes late."""
    return [
        b.event(b.intent("processing", references=NAMED), 0, "e1"),
        b.event(b.intent(succeeded_ms=b.at_ms(9), references=NAMED), 9, "e2"),
        b.event(b.charge(), 9, "e3"),
        b.event(b.transaction(), 10, "e4"),
        b.event(b.refund("pending", 300, intent=None), 20, "e5"),
        b.event(b.refund("failed", 300, intent=None), 40, "e6"),
        b.event(b.refund("succeeded", 200, id="re_2", intent=None), 50, "e7"),
        b.event(b.dispute("needs_response", intent=None, amount_minor=800), 60, "e8"),
        b.event(b.withdrawn(800), 61, "e9"),
        b.event(b.dispute("won", intent=None, amount_minor=800), 80, "e10"),
        b.event(b.reinstated(800), 81, "e11"),
        b.event(b.intent(id="pi_2", references=NAMED), 12, "e12"),
    ]


def _decisions(chance: random.Random) -> list[Assignment]:
    """Some decisions of people, in their order; the last word of each payment counts."""
    kinds: Sequence[tuple[tuple[str, int | None], ...]] = (
        (),
        (("i1", None),),
        (("i2", 400),),
        (("i2", 400), ("i3", None)),
        (("i4", 250), ("i1", 250)),
    )
    return [
        Assignment(payment_id=chance.choice(["pi_1", "pi_2"]), shares=chance.choice(kinds), by="ann",
                   reason=f"no. {n}", decided_ms=b.at_ms(100 + n))
        for n in range(chance.randint(1, 5))
    ]  # fmt: skip


def _clear(database: Database) -> None:
    with database.writing() as tx:
        for table in reversed(tables.metadata.sorted_tables):
            if table is not tables.invoices:
                tx.execute(table.delete())
        blank = {"status": "open", "payment_status": None, "paid_at": None}
        tx.execute(update(tables.invoices).values(**blank))


@pytest.mark.parametrize("seed", range(10))
def test_it_ends_in_the_same_books_however_events_and_decisions_are_mixed(
    books: Books, seed: int
) -> None:
    """Decisions in their order among events in any order, doubled and one by one: the books are those of the decisions alone."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    decisions = _decisions(chance)
    books.tell(*_history())
    for each in decisions:
        books.tell(each)
    straight, words = books.digest(), books.all_words()
    _clear(books.database)

    events = [*_history(), *chance.sample(_history(), 4)]
    chance.shuffle(events)
    mixed: list[Evidence] = [*events]
    for place, each in zip(
        sorted(chance.sample(range(len(mixed)), len(decisions))), decisions, strict=True
    ):
        mixed.insert(place, each)
    for evidence in mixed:
        books.tell(evidence)

    assert books.digest() == straight
    assert books.all_words() == words
    assert books.problems() == ()


def test_it_guesses_nothing_between_an_id_and_a_number(database: Database) -> None:
    """A name that is one invoice's id and another's number is refused; `id:` before it says which is meant."""
    write_invoices(
        database,
        {"id": "1007", "number": "2007", "amount_due": 1000},
        {"id": "7", "number": "1007", "amount_due": 1000},
    )
    with database.reading() as tx:
        with pytest.raises(NotDecided, match="say id:1007 or id:7"):
            invoice_called(tx, POLICY, "1007")
        found = invoice_called(tx, POLICY, "id:1007")

    assert found.number == "2007"


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("decide", ["assign", "unassign"])
def test_it_ends_a_conflict_as_if_there_had_been_none(
    books: Books, at_once: bool, decide: str
) -> None:
    """An invoice that was paid before a second name came gets its word back, whichever of both was told first."""
    named = b.event(b.intent(references=NAMED))
    other = frozenset({Reference(ReferenceKind.SESSION_METADATA, "INV-2")})
    session = b.event(b.session(references=other), 20, "evt_2")
    for told in [[named, session]] if at_once else [[named], [session]]:
        books.tell(*told)

    if decide == "assign":
        books.assign("i2")
    else:
        books.unassign()

    assert books.words("i1") == ("open", "unpaid", None)
    assert books.words("i2")[0] == ("paid" if decide == "assign" else "open")
    assert books.problems() == ()
