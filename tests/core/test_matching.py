"""Whether money goes to the invoice that its names agree on, and nowhere when they do not."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.directory import directory
from reconciler.core.invoice import Invoice
from reconciler.core.matching import Match, Rule, match
from reconciler.core.observation import Assignment, Reference, ReferenceKind
from tests.core import builders as b

BY_INTENT = Reference(ReferenceKind.PAYMENT_INTENT, "pi_1")
ONE = b.invoice("inv_1", number="INV-1")
TWO = b.invoice("inv_2", number="INV-2", amount_due_minor=500)


def metadata(value: str) -> Reference:
    """Name an invoice in the metadata of the PaymentIntent."""
    return Reference(ReferenceKind.METADATA, value)


def client(value: str) -> Reference:
    """Name an invoice in the address of a Payment Link, where the payer can edit it."""
    return Reference(ReferenceKind.CLIENT_REFERENCE, value)


def matched(
    references: list[Reference],
    *invoices: Invoice,
    assignment: Assignment | None = None,
    **payment: Any,
) -> Match:
    """Match a plain payment, changed as said, that carries these references."""
    return match(b.summary(**payment), references, directory(invoices), assignment)


def assign(*parts: tuple[str, int | None]) -> Assignment:
    """Decide as a person where the plain payment belongs."""
    return Assignment(
        payment_id="pi_1", shares=parts, by="ann", reason="phoned", decided_ms=b.NOON_MS
    )


def parts_of(found: Match) -> dict[str, int]:
    """Return how much each invoice gets."""
    return {each.invoice_id: each.amount_minor for each in found.allocations}


STORED_ONE = b.invoice("inv_1", number="INV-1", payment_intent_id="pi_1")
LINKED = b.invoice("inv_1", payment_link_id="plink_1")
LINK = Reference(ReferenceKind.PAYMENT_LINK, "plink_1")


@pytest.mark.parametrize(
    ("references", "invoices", "payment", "rule", "parts"),
    [
        pytest.param(
            [BY_INTENT], [STORED_ONE], {}, Rule.STORED_ID, {"inv_1": 1000}, id="a stored id"
        ),
        pytest.param(
            [BY_INTENT, metadata("INV-1")],
            [STORED_ONE],
            {},
            Rule.STORED_ID,
            {"inv_1": 1000},
            id="a stored id and metadata agree",
        ),
        pytest.param(
            [metadata("INV-1")],
            [ONE],
            {"amount_minor": 700, "currency": "usd"},
            Rule.AGREEMENT,
            {"inv_1": 700},
            id="metadata alone, whatever the amount",
        ),
        pytest.param(
            [metadata("INV-1"), metadata("no such invoice")],
            [ONE],
            {},
            Rule.AGREEMENT,
            {"inv_1": 1000},
            id="a name that resolves to nothing does not disagree",
        ),
        pytest.param(
            [metadata("INV-1")],
            [ONE],
            {"status": "failed"},
            Rule.AGREEMENT,
            {"inv_1": 0},
            id="an attempt without money belongs too",
        ),
        pytest.param(
            [metadata("INV-1"), metadata("INV-2")],
            [ONE, TWO],
            {},
            Rule.CONFLICT,
            {},
            id="names disagree",
        ),
        pytest.param(
            [BY_INTENT, metadata("INV-2")],
            [STORED_ONE, TWO],
            {},
            Rule.CONFLICT,
            {},
            id="a stored id does not outvote metadata",
        ),
        pytest.param(
            [metadata("INV-1"), metadata("INV-2")],
            [ONE, TWO],
            {"status": "processing"},
            Rule.CONFLICT,
            {},
            id="names disagree, money on its way",
        ),
        pytest.param(
            [metadata("INV-1"), metadata("INV-2")],
            [ONE, TWO],
            {"status": "canceled"},
            Rule.UNMATCHED,
            {},
            id="names disagree, no money: disturbs nobody",
        ),
        pytest.param(
            [client("INV-1")],
            [ONE],
            {},
            Rule.PAYER_REFERENCE,
            {"inv_1": 1000},
            id="the payer's word, borne out",
        ),
        pytest.param(
            [LINK], [LINKED], {}, Rule.PAYMENT_LINK, {"inv_1": 1000}, id="a link, borne out"
        ),
        pytest.param(
            [client("INV-1")],
            [ONE],
            {"amount_minor": 999},
            Rule.NOT_BORNE_OUT,
            {},
            id="the payer's word, another amount",
        ),
        pytest.param(
            [client("INV-1"), LINK],
            [b.invoice(number="INV-1", payment_link_id="plink_1")],
            {"currency": "usd"},
            Rule.NOT_BORNE_OUT,
            {},
            id="the payer's word, another currency",
        ),
        pytest.param(
            [client("INV-1"), metadata("inv_1")],
            [ONE],
            {"amount_minor": 999},
            Rule.AGREEMENT,
            {"inv_1": 999},
            id="the payer's word beside ours needs no proof",
        ),
        pytest.param([], [ONE], {}, Rule.UNMATCHED, {}, id="no reference"),
        pytest.param([metadata("INV-1")], [], {}, Rule.UNMATCHED, {}, id="no such invoice yet"),
        pytest.param(
            [metadata("INV-1")], [ONE], {"is_foreign": True}, Rule.FOREIGN, {}, id="foreign"
        ),
    ],
)
def test_it_allocates_only_what_is_agreed(
    references: list[Reference],
    invoices: list[Invoice],
    payment: dict[str, Any],
    rule: Rule,
    parts: dict[str, int],
) -> None:
    """All references that resolve must name one invoice; the payer's own must be borne out by the money."""
    found = matched(references, *invoices, **payment)

    assert found.rule is rule
    assert parts_of(found) == parts


@pytest.mark.parametrize(
    ("references", "claimed"),
    [
        pytest.param([client("INV-2"), LINK], set(), id="only the payer's"),
        pytest.param(
            [client("INV-2"), metadata("inv_1")], {"inv_1"}, id="the payer's against ours"
        ),
        pytest.param([LINK, metadata("INV-2")], {"inv_2"}, id="ours against the payer's"),
        pytest.param([LINK, client("INV-2"), metadata("INV-2")], {"inv_2"}, id="both for one"),
    ],
)
def test_it_sends_no_invoice_to_review_that_only_the_payer_names(
    references: list[Reference], claimed: set[str]
) -> None:
    """Whoever pays could otherwise put another's invoice in doubt; the payment still waits for a person, with all names."""
    found = matched(references, LINKED, TWO)

    assert (found.rule, found.named) == (Rule.CONFLICT, {"inv_1", "inv_2"})
    assert found.claimed == claimed


def test_it_sends_every_named_invoice_to_review_when_names_disagree() -> None:
    """Nothing moves by itself, and both sides of a disagreement are shown."""
    found = matched([metadata("INV-1"), metadata("INV-2")], ONE, TWO)

    assert found.claimed == {"inv_1", "inv_2"}
    assert matched([metadata("INV-1")], ONE).claimed == frozenset()


def stored(id_: str, due_minor: int, currency: str = "eur") -> Invoice:
    """Build an invoice on which the app stored the PaymentIntent's id."""
    return b.invoice(id_, amount_due_minor=due_minor, currency=currency, payment_intent_id="pi_1")


@pytest.mark.parametrize(
    ("invoices", "references", "payment", "rule", "parts"),
    [
        pytest.param(
            [stored("a", 400), stored("b", 600)],
            [BY_INTENT],
            {},
            Rule.SPLIT_BY_STORED_IDS,
            {"a": 400, "b": 600},
            id="the totals add up",
        ),
        pytest.param(
            [stored("a", 400), stored("b", 600)],
            [BY_INTENT, metadata("a")],
            {},
            Rule.SPLIT_BY_STORED_IDS,
            {"a": 400, "b": 600},
            id="metadata names one of them",
        ),
        pytest.param(
            [stored("a", 400), stored("b", 601)],
            [BY_INTENT],
            {},
            Rule.CONFLICT,
            {},
            id="a cent too much is due",
        ),
        pytest.param(
            [stored("a", 400), stored("b", 600, "usd")],
            [BY_INTENT],
            {},
            Rule.CONFLICT,
            {},
            id="two currencies",
        ),
        pytest.param(
            [stored("a", 400), stored("b", 599)],
            [BY_INTENT],
            {},
            Rule.CONFLICT,
            {},
            id="a cent too much came",
        ),
        pytest.param(
            [stored("a", 1400), stored("b", -400)],
            [BY_INTENT],
            {},
            Rule.CONFLICT,
            {},
            id="a credit makes up for what is due",
        ),
        pytest.param(
            [stored("a", 1000), stored("b", 0)],
            [BY_INTENT],
            {},
            Rule.SPLIT_BY_STORED_IDS,
            {"a": 1000, "b": 0},
            id="one asks for nothing",
        ),
        pytest.param(
            [stored("a", 400), stored("b", 600)],
            [BY_INTENT],
            {"currency": "usd"},
            Rule.CONFLICT,
            {},
            id="another currency",
        ),
        pytest.param(
            [stored("a", 400), b.invoice("b", amount_due_minor=600)],
            [BY_INTENT, metadata("b")],
            {},
            Rule.CONFLICT,
            {},
            id="stored on one only",
        ),
        pytest.param(
            [stored("a", 400), stored("b", 999)],
            [BY_INTENT],
            {"status": "failed"},
            Rule.SPLIT_BY_STORED_IDS,
            {"a": 0, "b": 0},
            id="no money yet: both show the attempt",
        ),
    ],
)
def test_it_splits_a_payment_only_along_stored_ids_that_add_up(
    invoices: list[Invoice],
    references: list[Reference],
    payment: dict[str, Any],
    rule: Rule,
    parts: dict[str, int],
) -> None:
    """The app must have stored its id on each invoice, and their totals must be exactly what was received."""
    found = matched(references, *invoices, **payment)

    assert found.rule is rule
    assert parts_of(found) == parts


@pytest.mark.parametrize(
    ("decision", "parts"),
    [
        pytest.param(assign(("inv_2", None)), {"inv_2": 1000}, id="all of it"),
        pytest.param(assign(("a", 400), ("b", None)), {"a": 400, "b": 600}, id="a part, the rest"),
        pytest.param(assign(("a", 400)), {"a": 400}, id="a part, the rest nowhere"),
        pytest.param(
            assign(("a", 9999), ("b", None)), {"a": 1000, "b": 0}, id="not more than came"
        ),
        pytest.param(assign(), {}, id="nowhere at all"),
    ],
)
def test_it_obeys_a_person_before_any_name(decision: Assignment, parts: dict[str, int]) -> None:
    """A decision comes first, also before a stored id and for a foreign payment, and keeps who and why."""
    found = matched([BY_INTENT], STORED_ONE, assignment=decision, is_foreign=True)

    assert found.rule is Rule.ASSIGNED
    assert parts_of(found) == parts
    assert {(each.decided_by, each.reason) for each in found.allocations} <= {("ann", "phoned")}


@given(data=st.data())
def test_it_decides_the_same_in_any_order_of_names(data: st.DataObject) -> None:
    """Neither the order of the references nor that of the invoices moves any money."""
    names = [BY_INTENT, metadata("INV-1"), metadata("INV-2"), client("INV-2"), metadata("x")]
    told = data.draw(st.lists(st.sampled_from(names), unique=True))
    invoices = [STORED_ONE, TWO]

    shuffled = matched(data.draw(st.permutations(told)), *data.draw(st.permutations(invoices)))

    assert shuffled == matched(told, *invoices)


@given(data=st.data())
def test_it_gives_away_no_more_than_came_and_no_less_than_nothing(data: st.DataObject) -> None:
    """Whatever the invoices ask for, each part is at least nothing, and all parts together at most what was received."""
    amounts = st.integers(min_value=-2000, max_value=2000)
    names = [BY_INTENT, metadata("INV-1"), metadata("b"), client("c"), LINK]
    told = data.draw(st.lists(st.sampled_from(names), unique=True))
    invoices = [
        b.invoice(
            each,
            number=f"INV-{place}",
            amount_due_minor=data.draw(amounts),
            payment_intent_id=data.draw(st.sampled_from([None, "pi_1"])),
            payment_link_id=data.draw(st.sampled_from([None, "plink_1"])),
        )
        for place, each in enumerate("abc")
    ]
    total = sum(each.amount_due_minor for each in invoices)
    received_minor = data.draw(st.sampled_from([0, 1000, max(total, 0)]))

    parts = parts_of(matched(told, *invoices, amount_minor=received_minor)).values()

    assert all(part >= 0 for part in parts)
    assert sum(parts) <= received_minor
