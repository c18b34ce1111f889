"""Whether the app's invoice is touched no more than what is ours, and that is undone by a person only."""

from dataclasses import replace
from typing import Any

import pytest

from reconciler.core.facts import PaidAt
from reconciler.core.invoice import (
    Claims,
    InvoiceWrite,
    Share,
    Written,
    settle,
    take_back,
    write_for,
)
from tests.core import builders as b
from tests.core.builders import share

PAYABLE = frozenset({"open"})
WAIVED = Claims(waived=True)
LOST = share(disputed_minor=1000)


OURS = Written(prior_status="open", paid_at=b.NOON)
BY_HAND = b.at(-3600)


@pytest.mark.parametrize(
    ("before", "shares", "written", "status", "paid_at"),
    [
        pytest.param({}, [share()], Written(), "paid", b.NOON, id="open becomes paid"),
        pytest.param({}, [share("failed")], Written(), "open", None, id="a failure writes no word"),
        pytest.param({}, [share(amount_minor=999)], Written(), "open", None, id="a cent short"),
        pytest.param({}, [share(refunded_minor=1000)], Written(), "paid", b.NOON, id="refunded"),
        pytest.param({}, [LOST], Written(), "paid", b.NOON, id="charged back"),
        *(
            pytest.param(
                {"status": word}, [share()], Written(), word, b.NOON, id=f"{word} left alone"
            )
            for word in ("draft", "void", "uncollectible", "paid", "word_of_the_app")
        ),
        pytest.param(
            {"status": "open", "paid_at": b.NOON},
            [share()],
            OURS,
            "paid",
            b.NOON,
            id="open written back becomes paid again",
        ),
        pytest.param(
            {"status": "void", "paid_at": b.NOON},
            [share()],
            OURS,
            "void",
            b.NOON,
            id="paid turned void stays void",
        ),
        pytest.param(
            {"paid_at": BY_HAND}, [share()], Written(), "paid", BY_HAND, id="a moment by hand stays"
        ),
        pytest.param(
            {"status": "paid", "paid_at": BY_HAND},
            [share()],
            OURS,
            "paid",
            BY_HAND,
            id="a moment corrected by hand stays",
        ),
        pytest.param(
            {"status": "paid", "paid_at": b.NOON},
            [share(paid=PaidAt(0, b.at_ms(-60)))],
            OURS,
            "paid",
            b.at(-60),
            id="our own moment improves",
        ),
        pytest.param(
            {"status": "paid"}, [share()], OURS, "paid", b.NOON, id="a cleared moment comes back"
        ),
        pytest.param(
            {"status": "paid", "paid_at": b.NOON},
            [share("canceled")],
            OURS,
            "paid",
            b.NOON,
            id="nothing that Stripe says takes it back",
        ),
    ],
)
def test_it_writes_only_what_is_ours_to_write(
    before: dict[str, Any], shares: list[Share], written: Written, status: str, paid_at: Any
) -> None:
    """`status` moves from a payable word to `paid` only; `paid_at` is ours while empty or as we left it."""
    settlement = b.settled(*shares, **before)

    write, _ = write_for(b.invoice(**before), settlement, written, payable=PAYABLE, waived=False)

    assert write == InvoiceWrite(
        invoice_id="inv_1",
        status=status,
        payment_status=settlement.payment_status.value,
        paid_at=paid_at,
    )


@pytest.mark.parametrize("amount_due_minor", [0, -100])
def test_it_leaves_an_invoice_over_nothing_alone_unless_it_is_waived(amount_due_minor: int) -> None:
    """A draft of zero or a credit note is written only when a Session needed no payment for it."""
    zero = b.invoice(amount_due_minor=amount_due_minor)
    told = {"payable": PAYABLE}

    alone, _ = write_for(zero, settle(zero, []), Written(), **told, waived=False)
    waived, _ = write_for(zero, settle(zero, [], WAIVED), Written(), **told, waived=True)

    assert (alone.status, alone.payment_status, alone.paid_at) == ("open", None, None)
    assert (waived.status, waived.payment_status, waived.paid_at) == ("paid", "paid", None)


def written_through(before: dict[str, Any], shares: list[Share]) -> tuple[Any, InvoiceWrite, Any]:
    """Write these shares, and answer with the invoice as it then stands and what was remembered."""
    invoice = b.invoice(**before)
    settlement = settle(invoice, shares)
    write, written = write_for(invoice, settlement, Written(), payable=PAYABLE, waived=False)
    after = replace(
        invoice, status=write.status, payment_status=write.payment_status, paid_at=write.paid_at
    )
    return after, write, written


def test_it_changes_nothing_the_second_time() -> None:
    """Settling again what was settled writes the same values and remembers the same."""
    after, write, written = written_through({}, [share()])

    again = write_for(after, settle(after, [share()]), written, payable=PAYABLE, waived=False)

    assert again == (write, written)


@pytest.mark.parametrize(
    ("before", "edit", "status", "paid_at"),
    [
        pytest.param({}, {}, "open", None, id="our word and our moment"),
        pytest.param({}, {"status": "void"}, "void", None, id="a word of the app stays"),
        pytest.param({}, {"paid_at": BY_HAND}, "open", BY_HAND, id="a moment by hand stays"),
        pytest.param({"status": "draft"}, {}, "draft", None, id="our moment beside their word"),
        pytest.param({"status": "paid"}, {}, "paid", None, id="a paid that we did not write"),
        pytest.param({"paid_at": BY_HAND}, {}, "open", BY_HAND, id="a moment that was there first"),
    ],
)
def test_it_takes_back_what_it_wrote_and_no_more(
    before: dict[str, Any], edit: dict[str, Any], status: str, paid_at: Any
) -> None:
    """When a person moves the money away, our `paid` and our `paid_at` go; what others wrote stays."""
    after, _, written = written_through(before, [share()])
    edited = replace(after, **edit)
    write, written = write_for(edited, settle(edited, []), written, payable=PAYABLE, waived=False)

    undone, forgotten = take_back(edited, write, written)

    assert (undone.status, undone.paid_at, undone.payment_status) == (status, paid_at, "unpaid")
    assert forgotten == Written()
