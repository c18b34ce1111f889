"""Do the words of a signed object say all that a line says, and only differ where it does?"""

from dataclasses import replace
from datetime import date

import pytest

from reconciler.core.report import PaymentLine, ReturnLine
from reconciler.core.signed import (
    as_signed,
    as_signed_return,
    change,
    differs,
    item_of_payment,
    item_of_return,
)

DAY = date(2026, 3, 5)
PAID = PaymentLine(
    id="pi_1", day=DAY, status="succeeded", currency="eur", received_minor=1000, refunded_minor=300, disputed_minor=200
)  # fmt: skip
SETTLED = replace(PAID, settlement_currency="usd", gross_minor=1100, fee_minor=60, net_minor=1040)
DISPUTE = ReturnLine(
    id="dp_1", day=DAY, payment_id="pi_1", status="lost", currency="eur", amount_minor=1000
)


@pytest.mark.parametrize("line", [PAID, SETTLED, replace(PAID, currency="")])
def test_it_brings_a_payment_back_as_it_was_signed(line: PaymentLine) -> None:
    """Whatever has become of a payment since, its signed words are enough to tell its sums as they were."""
    now = replace(
        SETTLED, day=date(2026, 4, 1), status="conflict", refunded_minor=1000, fee_minor=1, invoice_ids=("7",)
    )  # fmt: skip

    assert as_signed(now, item_of_payment(line)) == replace(line, invoice_ids=("7",))


def test_it_brings_a_dispute_back_as_it_was_signed() -> None:
    """The word, the amount and the day are those that were signed."""
    now = replace(DISPUTE, status="won", day=date(2026, 4, 1))

    assert as_signed_return(now, item_of_return(DISPUTE)) == DISPUTE


@pytest.mark.parametrize(
    ("now", "is_other"),
    [
        (PAID, False),
        (replace(PAID, payout_id="po_1", invoice_ids=("7",), exchange_rate="0.9"), False),
        (replace(PAID, disputed_minor=0), True),
        (replace(PAID, day=date(2026, 3, 6)), True),
        (SETTLED, True),
    ],
)
def test_it_differs_where_the_money_does(now: PaymentLine, is_other: bool) -> None:
    """Sums, words and days count; in which payout a payment is and to whom it belongs may be known later."""
    assert differs(item_of_payment(PAID), item_of_payment(now)) is is_other


def test_it_says_how_much_is_to_be_booked() -> None:
    """Of a payment it is what is held more or less; a dispute counts in its payment, and not once more by itself."""
    less = item_of_payment(replace(PAID, refunded_minor=1000))
    won = item_of_return(replace(DISPUTE, status="won", amount_minor=1))

    assert change(7, item_of_payment(PAID), less, "").difference_minor == -700
    assert change(7, item_of_payment(PAID), None, "").difference_minor == -500
    assert change(7, None, less, "").difference_minor == -200
    assert change(7, item_of_return(DISPUTE), won, "").difference_minor == 0


def test_it_says_on_which_day_it_counts_now() -> None:
    """An object that counts on another day keeps the day that was signed, and tells the new one."""
    now = item_of_payment(replace(PAID, day=date(2026, 4, 1)))

    found = change(7, item_of_payment(PAID), now, "moved")

    assert (found.day, found.after) == (DAY, f"{now.value} on 2026-04-01")


def test_it_compares_something() -> None:
    """That nothing has become nothing is a mistake of whoever asks."""
    with pytest.raises(ValueError, match="nothing"):
        change(7, None, None, "")
