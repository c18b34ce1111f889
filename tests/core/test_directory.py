"""Whether one name leads to exactly the invoice that bears it."""

import pytest

from reconciler.core.directory import directory
from reconciler.core.invoice import Invoice
from reconciler.core.observation import Reference, ReferenceKind
from tests.core import builders as b

BY_INTENT = Reference(ReferenceKind.PAYMENT_INTENT, "pi_1")
BY_SESSION = Reference(ReferenceKind.CHECKOUT_SESSION, "cs_1")
ONE = b.invoice("inv_1", number="INV-1")
TWO = b.invoice("inv_2", number="INV-2")


def metadata(value: str) -> Reference:
    """Name an invoice in the metadata of the PaymentIntent."""
    return Reference(ReferenceKind.METADATA, value)


def client(value: str) -> Reference:
    """Name an invoice in the address of a Payment Link, where the payer can edit it."""
    return Reference(ReferenceKind.CLIENT_REFERENCE, value)


@pytest.mark.parametrize("value", b.LOOK_ALIKES)
@pytest.mark.parametrize("kind", ["metadata", "frozen_metadata", "session_metadata", "client_reference_id"])  # fmt: skip
def test_it_takes_nothing_alike_for_the_same(kind: str, value: str) -> None:
    """What a person would read as the same number is another value."""
    alike = b.invoice("1", number="INV-1")

    assert directory([alike]).named(Reference(ReferenceKind(kind), value)) == frozenset()
    assert directory([alike]).named(Reference(ReferenceKind(kind), "INV-1")) == {"1"}


@pytest.mark.parametrize(
    ("reference", "invoices", "named"),
    [
        pytest.param(BY_INTENT, [b.invoice(payment_intent_id="pi_1")], "inv_1", id="stored intent"),
        pytest.param(
            BY_SESSION, [b.invoice(checkout_session_id="cs_1")], "inv_1", id="stored Session"
        ),
        pytest.param(
            BY_INTENT,
            [b.invoice(payment_intent_id="pi_1"), b.invoice("inv_2", payment_intent_id="pi_1")],
            "inv_1 inv_2",
            id="an intent stored on two names both",
        ),
        pytest.param(metadata("inv_1"), [ONE, TWO], "inv_1", id="metadata by id"),
        pytest.param(metadata("INV-2"), [ONE, TWO], "inv_2", id="metadata by number"),
        pytest.param(metadata("inv-1"), [ONE, TWO], "", id="compared exactly, case counts"),
        pytest.param(metadata(" inv_1"), [ONE, TWO], "", id="compared exactly, spaces count"),
        pytest.param(metadata("INV-9"), [ONE, TWO], "", id="nobody's name"),
        pytest.param(metadata(""), [b.invoice(number="")], "", id="an empty value names nobody"),
        pytest.param(
            metadata("7"), [b.invoice("7"), b.invoice("8", number="7")], "", id="fits two: none"
        ),
        pytest.param(
            metadata("7"), [b.invoice("7", number="7")], "7", id="id and number of one invoice"
        ),
        pytest.param(
            Reference(ReferenceKind.FROZEN_METADATA, "INV-1"), [ONE], "inv_1", id="frozen metadata"
        ),
        pytest.param(
            Reference(ReferenceKind.SESSION_METADATA, "INV-1"), [ONE], "inv_1", id="Session's"
        ),
        pytest.param(client("INV-1"), [ONE], "inv_1", id="client_reference_id"),
        pytest.param(
            Reference(ReferenceKind.PAYMENT_LINK, "plink_1"),
            [b.invoice(payment_link_id="plink_1"), TWO],
            "inv_1",
            id="a Payment Link of one invoice",
        ),
        pytest.param(
            Reference(ReferenceKind.PAYMENT_LINK, "plink_1"),
            [b.invoice(payment_link_id="plink_1"), b.invoice("inv_2", payment_link_id="plink_1")],
            "",
            id="a Payment Link of two invoices",
        ),
        pytest.param(Reference(ReferenceKind.CHARGE, "inv_1"), [ONE], "", id="a charge's id"),
    ],
)
def test_it_resolves_a_name_exactly_or_not_at_all(
    reference: Reference, invoices: list[Invoice], named: str
) -> None:
    """A value that fits two invoices resolves to none; only a stored id may name several."""
    assert directory(invoices).named(reference) == frozenset(named.split())
