"""Whether everything that needs a person is found, once, and nothing else."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from reconciler.core.decision import Change, Decision, decide
from reconciler.core.exceptions import ExceptionKind
from reconciler.core.invoice import Invoice, Written
from reconciler.core.known import Known, absorb, books
from reconciler.core.ledger import Ledger, Rules, Standing
from reconciler.core.observation import Assignment, Observation, Reference, ReferenceKind
from tests.core import builders as b

NAMED = frozenset({Reference(ReferenceKind.METADATA, "inv_1")})
PAID = b.event(b.intent(references=NAMED))
OPEN = b.invoice("inv_1", amount_due_minor=1000, status="open")
LATER_MS = b.at_ms(7200)
NOTHING_BEFORE = Ledger()
PLAIN_RULES = Rules()


def _decide(
    told: Sequence[Observation],
    invoices: Sequence[Invoice] = (OPEN,),
    ledger: Ledger = NOTHING_BEFORE,
    rules: Rules = PLAIN_RULES,
) -> Decision:
    """Decide about everything at once, as if nothing had been known before."""
    after = books(absorb(Known(), told))
    seen = frozenset(each.id for each in invoices)
    full = replace(ledger, invoices={each.id: each for each in invoices})
    return decide(Change(before={}, after=after, invoices_seen=seen), full, rules, LATER_MS)


def _found(decision: Decision) -> set[tuple[str, str]]:
    return {(each.kind.value, each.subject) for each in decision.opened}


CASES = {
    "a payment that names no invoice": (
        [b.event(b.intent())],
        [OPEN],
        {("unmatched_payment", "pi_1")},
    ),
    "names that disagree": (
        [b.event(b.intent(references=NAMED | {Reference(ReferenceKind.METADATA, "inv_2")}))],
        [OPEN, b.invoice("inv_2", status="open")],
        {("conflicting_references", "pi_1")},
    ),
    "less than the total": (
        [PAID],
        [replace(OPEN, amount_due_minor=1500)],
        {("underpaid", "inv_1")},
    ),
    "more than the total": (
        [PAID],
        [replace(OPEN, amount_due_minor=700)],
        {("overpaid", "inv_1")},
    ),
    "a half that came, was given back, and came again": (
        [
            b.event(b.intent(amount_minor=500, references=NAMED)),
            b.event(b.refund("succeeded", 500)),
            b.event(b.intent(id="pi_2", amount_minor=500, references=NAMED)),
        ],
        [OPEN],
        {("underpaid", "inv_1")},
    ),
    "a whole of which a half was given back": (
        [PAID, b.event(b.refund("succeeded", 500))],
        [OPEN],
        set(),
    ),
    "a second payment of the whole": (
        [PAID, b.event(b.intent(id="pi_2", references=NAMED))],
        [OPEN],
        {("second_payment", "inv_1")},
    ),
    "money for an invoice that was marked paid by hand": (
        [PAID],
        [replace(OPEN, status="paid")],
        {("second_payment", "inv_1")},
    ),
    "money that the app itself calls paid, and stores": (
        [PAID],
        [replace(OPEN, status="paid", payment_intent_id="pi_1")],
        set(),
    ),
    "less money than the app calls paid": (
        [PAID],
        [replace(OPEN, status="paid", payment_intent_id="pi_1", amount_due_minor=1500)],
        {("underpaid", "inv_1")},
    ),
    "money for an invoice that the app calls paid by another one": (
        [PAID],
        [replace(OPEN, status="paid", payment_intent_id="pi_9")],
        {("second_payment", "inv_1")},
    ),
    "money in another currency": (
        [b.event(b.intent(references=NAMED, currency="jpy"))],
        [OPEN],
        {("wrong_currency", "inv_1")},
    ),
    "both terminal words": (
        [PAID, b.event(b.intent("canceled", received_minor=0, references=NAMED), 5)],
        [OPEN],
        {("conflicting_facts", "pi_1")},
    ),
    "a word that we do not know": (
        [b.event(b.intent("requires_magic", references=NAMED))],
        [OPEN],
        {("conflicting_facts", "pi_1")},
    ),
    "a refund whose amount changed": (
        [PAID, b.event(b.refund("succeeded", 100)), b.event(b.refund("succeeded", 200), 9)],
        [OPEN],
        {("conflicting_facts", "pi_1")},
    ),
    "money for a void invoice": (
        [PAID],
        [replace(OPEN, status="void")],
        {("invoice_not_payable", "inv_1")},
    ),
    "a refund that failed": (
        [PAID, b.event(b.refund("failed", 300))],
        [OPEN],
        {("refund_failed", "re_1")},
    ),
    "an open dispute": (
        [PAID, b.event(b.dispute("needs_response"))],
        [OPEN],
        {("dispute_open", "dp_1")},
    ),
    "an inquiry, which has a deadline too": (
        [PAID, b.event(b.dispute("warning_needs_response"))],
        [OPEN],
        {("dispute_open", "dp_1")},
    ),
    "a lost dispute": (
        [PAID, b.event(b.dispute("lost")), b.event(b.withdrawn(1000))],
        [OPEN],
        {("dispute_lost", "dp_1")},
    ),
    "money of a dispute that came back in another currency before it was won": (
        [
            PAID,
            b.event(b.dispute("under_review")),
            b.event(b.withdrawn(1100, currency="usd")),
            b.event(b.reinstated(1100, currency="usd")),
        ],
        [OPEN],
        {("dispute_open", "dp_1"), ("dispute_fx", "dp_1")},
    ),
    "more refunded than was received": (
        [PAID, b.event(b.refund("succeeded", 1200))],
        [OPEN],
        {("net_below_zero", "inv_1")},
    ),
    "paid here, and no money at Stripe": (
        [],
        [replace(OPEN, status="paid", payment_intent_id="pi_9")],
        {("paid_here_not_at_stripe", "inv_1")},
    ),
    "a payment that fits": ([PAID], [OPEN], set()),
    "a foreign payment": (
        [b.event(b.intent(foreign=frozenset({"stripe_invoice"})))],
        [OPEN],
        set(),
    ),
    "a failed attempt": (
        [b.event(b.intent("requires_payment_method", failures=b.DECLINED, references=NAMED))],
        [OPEN],
        set(),
    ),
    "a closed inquiry": ([PAID, b.event(b.dispute("warning_closed"))], [OPEN], set()),
    "a refund that stands": ([PAID, b.event(b.refund("succeeded", 300))], [OPEN], set()),
    "a credit that names a payment of other invoices": (
        [],
        [replace(OPEN, amount_due_minor=-400, payment_intent_id="pi_9")],
        set(),
    ),
    "an invoice that was paid by hand and names nothing of Stripe's": (
        [],
        [replace(OPEN, status="paid")],
        set(),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_it_finds_what_needs_a_person(case: str) -> None:
    """Each kind of exception is opened by its own story, and a story that is in order opens none."""
    told, invoices, expected = CASES[case]

    assert _found(_decide(told, invoices)) == expected


def test_it_finds_a_total_that_changed_after_the_invoice_was_paid() -> None:
    """The total at which an invoice was first covered is remembered; another total since then is told."""
    first = _decide([PAID])
    standing = first.invoices[0].standing
    changed = replace(OPEN, status="paid", amount_due_minor=900)

    second = _decide([PAID], [changed], Ledger(standings={"inv_1": standing}))

    assert ("invoice_changed_after_paid", "inv_1") in _found(second)


def test_it_opens_nothing_for_facts_before_the_first_day() -> None:
    """Facts older than `since` belong to the time before us."""
    rules = Rules(since_ms=b.at_ms(3600))

    assert _found(_decide([b.event(b.intent())], rules=rules)) == set()


@pytest.mark.parametrize(
    ("same", "expected"), [(True, set()), (False, {("unmatched_payment", "pi_1")})]
)
def test_it_holds_a_persons_resolve_while_the_fingerprint_is_the_same(
    same: bool, expected: set[tuple[str, str]]
) -> None:
    """What a person has resolved stays so, until the amounts or ids that made it true are others."""
    [finding] = _decide([b.event(b.intent())]).opened
    fingerprint = finding.fingerprint if same else "999 eur unmatched"
    ledger = Ledger(resolved={("unmatched_payment", "pi_1"): fingerprint})

    assert _found(_decide([b.event(b.intent())], ledger=ledger)) == expected


def test_it_closes_what_is_over() -> None:
    """An exception that is not found again is closed by the same decision."""
    ledger = Ledger(
        open_exceptions={("underpaid", "inv_1"): "old", ("refund_failed", "re_9"): "other"}
    )

    decision = _decide([PAID], ledger=ledger)

    assert decision.cleared == {("underpaid", "inv_1")}


def test_it_takes_our_own_paid_for_no_hand_of_a_person() -> None:
    """Money for an invoice that we marked paid is no second payment."""
    standing = _decide([PAID]).invoices[0].standing
    ours = Standing(
        settlement=standing.settlement,
        written=Written(prior_status="open"),
        covered_due_minor=1000,
    )

    decision = _decide([PAID], [replace(OPEN, status="paid")], Ledger(standings={"inv_1": ours}))

    assert _found(decision) == set()


def test_it_asks_about_our_own_paid_that_has_no_money() -> None:
    """An invoice that we marked paid, and whose money turned out to be another's, needs a person."""
    standing = _decide([PAID]).invoices[0].standing
    ours = replace(standing, written=Written(prior_status="open"))

    decision = _decide([], [replace(OPEN, status="paid")], Ledger(standings={"inv_1": ours}))

    assert _found(decision) == {("paid_here_not_at_stripe", "inv_1")}


def _in(currency: str, **changed: object) -> Observation:
    fields = {"id": f"pi_{currency}", "currency": currency, "references": NAMED, **changed}
    return b.event(b.intent(**fields))


@pytest.mark.parametrize(
    ("told", "invoice", "stake"),
    [
        pytest.param([_in("jpy")], OPEN, (1000, "jpy"), id="the money in the wrong currency"),
        pytest.param([_in("jpy"), _in("eur", amount_minor=400)], OPEN, (1000, "jpy"), id="beside some in the right one"),
        pytest.param([_in("usd"), _in("jpy")], OPEN, (1000, "jpy"), id="of two currencies, the first"),
        pytest.param([PAID], replace(OPEN, status="void"), (1000, "eur"), id="the money for a void invoice"),
        pytest.param([PAID, b.event(b.refund("succeeded", 1200))], OPEN, (-200, "eur"), id="what is gone too much"),
        pytest.param([PAID], replace(OPEN, amount_due_minor=1500), (-500, "eur"), id="what is missing"),
        pytest.param([PAID], replace(OPEN, amount_due_minor=700), (300, "eur"), id="what is too much"),
    ],
)  # fmt: skip
def test_it_tells_the_money_at_stake(
    told: Sequence[Observation], invoice: Invoice, stake: tuple[int, str]
) -> None:
    """An exception's amount is the money that a person is asked about, in its own currency."""
    found = [each for each in _decide(told, [invoice]).opened if each.kind != "underpaid"]
    [finding] = found or _decide(told, [invoice]).opened

    assert (finding.amount_minor, finding.currency) == stake


def test_it_asks_again_when_money_in_the_wrong_currency_changes() -> None:
    """The fingerprint holds the money in other currencies: what a person resolved is asked again when some of it is gone."""
    [before] = _decide([_in("jpy")]).opened
    refund = b.refund("succeeded", 300, intent="pi_jpy", charge="ch_jpy", currency="jpy")
    ledger = Ledger(resolved={("wrong_currency", "inv_1"): before.fingerprint})

    again = _decide([_in("jpy"), b.event(refund)], ledger=ledger)

    assert [(each.kind.value, each.amount_minor) for each in again.opened] == [
        ("wrong_currency", 700)
    ]


def _decided(*shares: tuple[str, int | None]) -> Ledger:
    """What stands before: a person has said where the payment belongs."""
    decision = Assignment(
        payment_id="pi_1", shares=shares, by="ann", reason="phoned", decided_ms=b.at_ms(3600)
    )
    return Ledger(assignments={"pi_1": decision})


LEFT_OVER = {
    "nowhere": ((), 1000),
    "a part": ((("inv_1", 400),), 600),
    "a part, and the rest": ((("inv_1", 400), ("inv_2", None)), None),
    "all": ((("inv_1", None),), None),
}


@pytest.mark.parametrize("case", LEFT_OVER)
def test_it_shows_what_a_decision_leaves_over(case: str) -> None:
    """Money that a person has put nowhere waits for a person, with just that amount."""
    shares, left_minor = LEFT_OVER[case]
    invoices = [OPEN, b.invoice("inv_2", status="open")]

    opened = _decide([PAID], invoices, _decided(*shares)).opened

    found = [each.amount_minor for each in opened if each.kind is ExceptionKind.UNMATCHED_PAYMENT]
    assert found == ([] if left_minor is None else [left_minor])


def test_it_leaves_what_is_left_of_a_foreign_payment_to_its_product() -> None:
    """Only the part that a person has claimed is ours; a refund of it that failed is ours with it."""
    told = [
        b.event(b.intent(foreign=frozenset({"stripe_invoice"}))),
        b.event(b.refund("failed", 100)),
    ]

    assert _found(_decide(told, ledger=_decided())) == set()
    assert _found(_decide(told, ledger=_decided(("inv_1", 400)))) == {
        ("underpaid", "inv_1"),
        ("refund_failed", "re_1"),
    }


FIRST_DAY = Rules(since_ms=b.at_ms(3000))
OLD_DEBIT = b.read(b.intent(created_ms=b.at_ms(0)), 3600)
OLD_SAID_PAID = replace(OPEN, status="paid", payment_intent_id="pi_9")
OLD_PAID = b.event(b.intent(references=NAMED))


def _settled_by_us(invoice: Invoice = OPEN) -> Ledger:
    """What stands before: we have settled an invoice that old money covers, and written our `paid` to it."""
    [change] = _decide([OLD_PAID], [invoice]).invoices
    return Ledger(standings={"inv_1": change.standing})


def _refund(status: str, second: int, *, is_read: bool = False) -> Observation:
    """Show a refund that was made before the first day."""
    seen = b.refund(status, 300, created_ms=b.at_ms(100))
    return (b.read if is_read else b.event)(seen, second)


def _dispute(status: str, second: int, *, is_read: bool = False) -> Observation:
    """Show a dispute that was made before the first day."""
    seen = b.dispute(status, created_ms=b.at_ms(100))
    return (b.read if is_read else b.event)(seen, second)


BEFORE_THAT_DAY: dict[str, tuple[list[Observation], Invoice, Ledger, set[tuple[str, str]]]] = {
    "a debit of last year that is read today": ([OLD_DEBIT], OPEN, NOTHING_BEFORE, set()),
    "the same, and refunded today": (
        [OLD_DEBIT, b.event(b.refund("succeeded", 300, created_ms=b.at_ms(3500)), 3500)],
        OPEN,
        NOTHING_BEFORE,
        set(),
    ),
    "the same, disputed today": (
        [OLD_DEBIT, b.event(b.dispute("needs_response", created_ms=b.at_ms(3500)), 3500)],
        OPEN,
        NOTHING_BEFORE,
        {("dispute_open", "dp_1")},
    ),
    "the same, and a refund of today that failed": (
        [OLD_DEBIT, b.event(b.refund("failed", 300, created_ms=b.at_ms(3500)), 3500)],
        OPEN,
        NOTHING_BEFORE,
        {("refund_failed", "re_1")},
    ),
    "the same, assigned in part today": (
        [OLD_DEBIT],
        OPEN,
        _decided(("inv_1", 400)),
        {("unmatched_payment", "pi_1"), ("underpaid", "inv_1")},
    ),
    "an invoice that said paid before": (
        [],
        replace(OLD_SAID_PAID, paid_at=b.at(100)),
        NOTHING_BEFORE,
        set(),
    ),
    "an invoice of before that said paid, nobody knows when": (
        [],
        replace(OLD_SAID_PAID, created_at=b.at(100)),
        NOTHING_BEFORE,
        set(),
    ),
    "an invoice of before that says paid since then": (
        [],
        replace(OLD_SAID_PAID, created_at=b.at(100), paid_at=b.at(3500)),
        NOTHING_BEFORE,
        {("paid_here_not_at_stripe", "inv_1")},
    ),
    "an invoice that says paid and has no date at all": ([], OLD_SAID_PAID, NOTHING_BEFORE, set()),
    "our own paid of old money that is gone": (
        [],
        replace(OPEN, status="paid", paid_at=b.at(0)),
        _settled_by_us(),
        {("paid_here_not_at_stripe", "inv_1")},
    ),
    "a total that was edited after we settled it": (
        [OLD_PAID],
        replace(OPEN, status="paid", amount_due_minor=1200),
        _settled_by_us(),
        {("invoice_changed_after_paid", "inv_1")},
    ),
    "an invoice that became void after our paid": (
        [OLD_PAID],
        replace(OPEN, status="void"),
        _settled_by_us(),
        {("invoice_not_payable", "inv_1")},
    ),
    "a void invoice of before with money": (
        [OLD_PAID],
        replace(OPEN, status="void"),
        NOTHING_BEFORE,
        set(),
    ),
    "a refund of before that an event of today says failed": (
        [OLD_DEBIT, _refund("failed", 3500)],
        OPEN,
        NOTHING_BEFORE,
        {("refund_failed", "re_1")},
    ),
    "a refund of before that failed before": (
        [OLD_DEBIT, _refund("failed", 200), _refund("failed", 3600, is_read=True)],
        OPEN,
        NOTHING_BEFORE,
        set(),
    ),
    "a refund of before that a read shows failed, nobody knows since when": (
        [OLD_DEBIT, _refund("failed", 3600, is_read=True)],
        OPEN,
        NOTHING_BEFORE,
        set(),
    ),
    "the same, and it was alive after that day": (
        [
            OLD_DEBIT,
            _refund("succeeded", 3300, is_read=True),
            _refund("failed", 3600, is_read=True),
        ],
        OPEN,
        NOTHING_BEFORE,
        {("refund_failed", "re_1")},
    ),
    "the same, and its money came back today": (
        [
            OLD_DEBIT,
            _refund("failed", 3600, is_read=True),
            b.read(
                b.transaction(
                    300,
                    source="re_1",
                    type="refund_failure",
                    category="refund_failure",
                    created_ms=b.at_ms(3500),
                ),
                3600,
            ),
        ],
        OPEN,
        NOTHING_BEFORE,
        {("refund_failed", "re_1")},
    ),
    "a dispute of before about which we wrote today": (
        [OLD_DEBIT, _dispute("under_review", 3500)],
        OPEN,
        NOTHING_BEFORE,
        set(),
    ),
    "a dispute of before that is lost today": (
        [OLD_DEBIT, _dispute("needs_response", 200), _dispute("lost", 3500)],
        OPEN,
        NOTHING_BEFORE,
        {("dispute_lost", "dp_1")},
    ),
    "a dispute of before that a read shows lost, nobody knows since when": (
        [OLD_DEBIT, _dispute("lost", 3600, is_read=True)],
        OPEN,
        NOTHING_BEFORE,
        set(),
    ),
    "the same, and it was open after that day": (
        [
            OLD_DEBIT,
            _dispute("under_review", 3300, is_read=True),
            _dispute("lost", 3600, is_read=True),
        ],
        OPEN,
        NOTHING_BEFORE,
        {("dispute_lost", "dp_1")},
    ),
    "an inquiry of before that is a dispute since then": (
        [OLD_DEBIT, _dispute("warning_under_review", 3300), _dispute("needs_response", 3500)],
        OPEN,
        NOTHING_BEFORE,
        {("dispute_open", "dp_1")},
    ),
    "a dispute of before that took the money today": (
        [
            OLD_DEBIT,
            _dispute("needs_response", 3600, is_read=True),
            b.read(b.withdrawn(1000, created_ms=b.at_ms(3500)), 3600),
        ],
        OPEN,
        NOTHING_BEFORE,
        {("dispute_open", "dp_1")},
    ),
    "refunds of today that contradict the total of an old payment": (
        [
            OLD_DEBIT,
            b.read(b.charge(refunded_minor=900, refunds_listed=True, created_ms=b.at_ms(0)), 3900),
            b.event(b.refund("succeeded", 300, created_ms=b.at_ms(3500)), 3500),
        ],
        OPEN,
        NOTHING_BEFORE,
        {("conflicting_facts", "pi_1")},
    ),
}


@pytest.mark.parametrize("case", BEFORE_THAT_DAY)
def test_it_opens_only_what_happened_since_the_first_day(case: str) -> None:
    """What was before calls nobody, however late it is read; what happens to it from then on does."""
    told, invoice, ledger, expected = BEFORE_THAT_DAY[case]

    assert _found(_decide(told, [invoice], ledger, FIRST_DAY)) == expected


def test_it_tells_users_only_of_what_happened_since_the_first_day() -> None:
    """A debit and a refund of before that are read today wake nobody; a refund of today does."""
    theirs = replace(OPEN, user_id="user_1")
    debit = b.read(b.intent(created_ms=b.at_ms(0), references=NAMED), 3600)
    refunds = [
        b.read(b.refund("succeeded", 100, id="re_old", created_ms=b.at_ms(10)), 3600),
        b.read(b.refund("succeeded", 200, id="re_new", created_ms=b.at_ms(3500)), 3600),
    ]

    told = _decide([debit, *refunds], [theirs], rules=FIRST_DAY).notices

    assert [each.milestone for each in told] == ["refund_done:re_new"]


OTHER = b.invoice("inv_2", status="open")
DUE_BY = b.at_ms(90_000)
JPY = b.event(b.intent(id="pi_jpy", currency="jpy", references=NAMED))


def _asks(*told: Observation, invoice: Invoice = OPEN, ledger: Ledger = NOTHING_BEFORE) -> Decision:
    return _decide(told, [invoice, OTHER], ledger)


def _void(word: str) -> Invoice:
    return replace(OPEN, status=word)


MATTERS: dict[str, tuple[str, Decision, Decision]] = {
    "a draft that is void now": (
        "invoice_not_payable",
        _asks(PAID, invoice=_void("draft")),
        _asks(PAID, invoice=_void("void")),
    ),
    "a new deadline": (
        "dispute_open",
        _asks(PAID, b.event(b.dispute(respond_by_ms=DUE_BY))),
        _asks(PAID, b.event(b.dispute(respond_by_ms=DUE_BY + 1))),
    ),
    "an inquiry that is a dispute now": (
        "dispute_open",
        _asks(PAID, b.event(b.dispute("warning_needs_response"))),
        _asks(PAID, b.event(b.dispute("warning_needs_response")), b.event(b.dispute(), 9)),
    ),
    "more money that a dispute moved": (
        "dispute_fx",
        _asks(PAID, b.event(b.dispute()), b.event(b.reinstated(1100, currency="usd"))),
        _asks(
            PAID,
            b.event(b.dispute()),
            b.event(b.reinstated(1100, currency="usd")),
            b.event(b.withdrawn(1200, currency="usd")),
        ),
    ),
    "another PaymentIntent on an invoice that says paid": (
        "paid_here_not_at_stripe",
        _asks(invoice=replace(OPEN, status="paid", payment_intent_id="pi_8")),
        _asks(invoice=replace(OPEN, status="paid", payment_intent_id="pi_9")),
    ),
    "another total once more": (
        "invoice_changed_after_paid",
        _asks(PAID, invoice=replace(OPEN, amount_due_minor=900), ledger=_settled_by_us()),
        _asks(PAID, invoice=replace(OPEN, amount_due_minor=800), ledger=_settled_by_us()),
    ),
    "a refund that is of a third amount": (
        "conflicting_facts",
        _asks(PAID, *(b.event(b.refund("succeeded", each)) for each in (100, 200))),
        _asks(PAID, *(b.event(b.refund("succeeded", each)) for each in (100, 200, 300))),
    ),
}
MATTERS_NOT: dict[str, tuple[str, Decision, Decision]] = {
    "that somebody has answered a dispute": (
        "dispute_open",
        _asks(PAID, b.event(b.dispute())),
        _asks(PAID, b.event(b.dispute()), b.event(b.dispute("under_review"), 9)),
    ),
    "that a dispute of estimated sums is lost": (
        "dispute_fx",
        _asks(PAID, b.event(b.dispute()), b.event(b.reinstated(1100, currency="usd"))),
        _asks(PAID, b.event(b.dispute("lost")), b.event(b.reinstated(1100, currency="usd"))),
    ),
    "that the difference to a new total was given back": (
        "invoice_changed_after_paid",
        _asks(PAID, invoice=replace(OPEN, amount_due_minor=900), ledger=_settled_by_us()),
        _asks(
            PAID,
            b.event(b.refund("succeeded", 100)),
            invoice=replace(OPEN, amount_due_minor=900),
            ledger=_settled_by_us(),
        ),
    ),
    "the total of a void invoice": (
        "invoice_not_payable",
        _asks(PAID, invoice=_void("void")),
        _asks(PAID, invoice=replace(_void("void"), amount_due_minor=1200)),
    ),
    "the right money beside the wrong": (
        "wrong_currency",
        _asks(JPY),
        _asks(JPY, PAID),
    ),
    "the total where too much was given back": (
        "net_below_zero",
        _asks(PAID, b.event(b.refund("succeeded", 1200))),
        _asks(
            PAID,
            b.event(b.refund("succeeded", 1200)),
            invoice=replace(OPEN, amount_due_minor=900),
        ),
    ),
}


@pytest.mark.parametrize("case", [*MATTERS, *MATTERS_NOT])
def test_it_asks_again_only_when_what_makes_it_true_is_another(case: str) -> None:
    """A fingerprint holds the amounts, ids and words that make its kind true, and nothing that may change without mattering."""
    kind, *decisions = {**MATTERS, **MATTERS_NOT}[case]

    before, after = (
        {each.fingerprint for each in decision.opened if each.kind == kind}
        for decision in decisions
    )

    assert len(before) == len(after) == 1
    assert (before != after) == (case in MATTERS)
