"""Whether invoices that may be meant are ranked by what speaks for them, and by nothing else."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.candidates import Prospect, Reason, Wanted, rank
from reconciler.core.observation import Reference, ReferenceKind
from tests.core import builders as b

DAY = timedelta(days=1)
WANTED = Wanted(amount_minor=1000, currency="eur", at=b.NOON, email="Bob@Example.org")


def prospect(id_: str = "inv_1", *, net_minor: int = 0, **changed: Any) -> Prospect:
    """Give an invoice for which nothing speaks yet."""
    plain = {"amount_due_minor": 7777, "created_at": b.NOON - 90 * DAY}
    return Prospect(invoice=b.invoice(id_, **{**plain, **changed}), net_minor=net_minor)


def named(value: str, kind: ReferenceKind = ReferenceKind.CLIENT_REFERENCE) -> Wanted:
    """Give the money with one name on it."""
    return replace(WANTED, references=frozenset({Reference(kind, value)}))


CASES: dict[str, tuple[Wanted, Prospect, tuple[Reason, ...]]] = {
    "nothing at all": (WANTED, prospect(), ()),
    "the amount": (WANTED, prospect(amount_due_minor=1000), (Reason.SAME_AMOUNT,)),
    "the amount in another currency": (
        WANTED,
        prospect(amount_due_minor=1000, currency="usd", created_at=b.NOON),
        (),
    ),
    "what is missing of the amount": (
        WANTED,
        prospect(amount_due_minor=1500, net_minor=500),
        (Reason.SAME_AMOUNT,),
    ),
    "an amount that is paid already": (
        WANTED,
        prospect(amount_due_minor=1000, net_minor=1000),
        (),
    ),
    "no money at all": (
        replace(WANTED, amount_minor=0),
        prospect(amount_due_minor=0),
        (),
    ),
    "the e-mail in other letters": (
        WANTED,
        prospect(customer_email=" bob@example.ORG"),
        (Reason.SAME_EMAIL,),
    ),
    "no e-mail on either side": (replace(WANTED, email=""), prospect(customer_email=""), ()),
    "a day before": (WANTED, prospect(created_at=b.NOON - DAY), (Reason.CLOSE_IN_TIME,)),
    "a day after": (WANTED, prospect(created_at=b.NOON + DAY), (Reason.CLOSE_IN_TIME,)),
    "eight days before": (WANTED, prospect(created_at=b.NOON - 8 * DAY), ()),
    "a day that nobody knows": (WANTED, prospect(created_at=None), ()),
    "its number, exactly": (named("INV-7"), prospect(number="INV-7"), (Reason.NAMED,)),
    "its id, exactly": (named("inv_1"), prospect(), (Reason.NAMED,)),
    "its PaymentIntent": (
        named("pi_1", ReferenceKind.PAYMENT_INTENT),
        prospect(payment_intent_id="pi_1"),
        (Reason.NAMED,),
    ),
    "its Payment Link": (
        named("plink_1", ReferenceKind.PAYMENT_LINK),
        prospect(payment_link_id="plink_1"),
        (Reason.SAME_LINK,),
    ),
    "its number in other signs": (named("inv 7"), prospect(number="INV-007"), (Reason.LOOK_ALIKE,)),
    "its number in a sentence": (
        named("Invoice 2026-001, thanks!"),
        prospect(number="2026-001"),
        (Reason.LOOK_ALIKE,),
    ),
    "a longer number": (named("2026-0017"), prospect(number="2026-001"), ()),
    "a short number in a sentence": (named("order 7 of 9"), prospect(number="7"), ()),
    "an id of Stripe's that looks like a number": (
        named("ch_7", ReferenceKind.CHARGE),
        prospect(number="ch-7"),
        (),
    ),
    "everything": (
        named("inv 7"),
        prospect(
            number="INV-7",
            amount_due_minor=1000,
            customer_email="bob@example.org",
            created_at=b.NOON,
        ),
        (Reason.SAME_AMOUNT, Reason.SAME_EMAIL, Reason.LOOK_ALIKE, Reason.CLOSE_IN_TIME),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_it_says_what_speaks_for_an_invoice(case: str) -> None:
    """Each reason is given where it is true, the strongest first; an invoice without any is no candidate."""
    wanted, one, reasons = CASES[case]

    found = rank(wanted, [one], limit=5)

    assert [each.reasons for each in found] == ([reasons] if reasons else [])


def test_it_puts_what_most_speaks_for_first() -> None:
    """A name is more than the amount, the amount more than the e-mail, and both of these together are more than a name."""
    ordered = [
        prospect("both", amount_due_minor=1000, customer_email="bob@example.org"),
        prospect("inv_9", number="INV-9"),
        prospect("amount", amount_due_minor=1000, created_at=b.NOON - DAY),
        prospect("older", amount_due_minor=1000, created_at=b.NOON - 20 * DAY),
        prospect("email", customer_email="bob@example.org"),
        prospect("near", created_at=b.NOON - DAY),
    ]

    found = rank(named("INV-9"), reversed(ordered), limit=9)

    assert [each.prospect.invoice.id for each in found] == [
        "both",
        "inv_9",
        "amount",
        "older",
        "email",
    ]


def test_it_names_what_is_only_near_where_nothing_better_is() -> None:
    """In a busy week every invoice is near: such ones are told only where nothing else speaks for any."""
    near = prospect("near", created_at=b.NOON - DAY)

    alone = rank(named("INV-9"), [near], limit=9)
    beside = rank(named("INV-9"), [near, prospect("inv_9", number="INV-9")], limit=9)

    assert [each.prospect.invoice.id for each in alone] == ["near"]
    assert [each.prospect.invoice.id for each in beside] == ["inv_9"]


def test_it_names_no_more_than_it_is_asked_for() -> None:
    """However many invoices have the same amount, the list stays short, and its best are those nearest in time."""
    many = [
        prospect(f"inv_{n:03}", amount_due_minor=1000, created_at=b.NOON - n * DAY)
        for n in range(300)
    ]

    found = rank(WANTED, reversed(many), limit=3)

    assert [each.prospect.invoice.id for each in found] == ["inv_000", "inv_001", "inv_002"]


prospects = st.builds(
    prospect,
    st.sampled_from([f"inv_{n}" for n in range(9)]),
    amount_due_minor=st.sampled_from([500, 1000]),
    number=st.sampled_from(["", "INV-7", "inv 07", "8"]),
    customer_email=st.sampled_from([None, "", "bob@example.org"]),
    created_at=st.none() | st.sampled_from([b.NOON, b.NOON - DAY, b.NOON + 30 * DAY]),
)


@given(data=st.data())
def test_it_ranks_the_same_in_any_order(data: st.DataObject) -> None:
    """The order in which the database tells of invoices decides nothing."""
    pool = data.draw(st.lists(prospects, unique_by=lambda each: each.invoice.id))

    shuffled = rank(named("inv 7"), data.draw(st.permutations(pool)), limit=5)

    assert shuffled == rank(named("inv 7"), pool, limit=5)
    assert all(each.reasons for each in shuffled)
