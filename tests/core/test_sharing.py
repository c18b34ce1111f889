"""Whether a payment is cut along its allocations without losing a cent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.matching import Allocation, Rule
from reconciler.core.sharing import left_over, shares
from tests.core import builders as b


def allocation(invoice_id: str, amount_minor: int) -> Allocation:
    """Allocate so much of the plain payment to one invoice."""
    return Allocation(
        payment_id="pi_1", invoice_id=invoice_id, amount_minor=amount_minor, rule=Rule.ASSIGNED
    )


def test_it_cuts_refunds_and_disputes_in_proportion() -> None:
    """Of 100 refunded, a third and two thirds are 33 and 67 by the largest remainder."""
    payment = b.summary(amount_minor=900, refunded_minor=100, disputed_minor=90)

    cut = shares(payment, [allocation("b", 600), allocation("a", 300)])

    assert (cut["a"].refunded_minor, cut["b"].refunded_minor) == (33, 67)
    assert (cut["a"].disputed_minor, cut["b"].disputed_minor) == (30, 60)


@pytest.mark.parametrize(
    ("refunded", "pending", "cut_off", "left"),
    [
        pytest.param(100, 50, (0, 0), 400, id="less than the rest"),
        pytest.param(500, 200, (0, 0), 0, id="just the rest"),
        pytest.param(700, 0, (200, 0), 0, id="more than the rest"),
        pytest.param(700, 100, (200, 100), 0, id="the last of it on its way"),
        pytest.param(700, 300, (200, 200), 0, id="some of the rest on its way"),
        pytest.param(1000, 1000, (500, 500), 0, id="all of it on its way"),
    ],
)
def test_it_gives_back_first_what_is_at_no_invoice(
    refunded: int, pending: int, cut_off: tuple[int, int], left: int
) -> None:
    """Whoever refunds the half that nobody could place takes nothing from the invoice that has the other half."""
    payment = b.summary(refunded_minor=refunded, refund_pending_minor=pending)
    placed = [allocation("a", 500)]

    cut = shares(payment, placed)

    assert (cut["a"].refunded_minor, cut["a"].refund_pending_minor) == cut_off
    assert left_over(payment, placed) == left


def test_it_counts_what_is_at_an_invoice_that_is_gone_as_left_over() -> None:
    """Money at an invoice without a row is at no invoice; what is held of it alone, in proportion."""
    payment = b.summary(refunded_minor=100)
    placed = [allocation("a", 500), allocation("b", 500)]

    assert left_over(payment, placed) == 0
    assert left_over(payment, placed, {"b"}) == 450
    assert left_over(payment, placed, {"a", "b"}) == 900


@given(
    parts=st.lists(st.integers(0, 10**6), min_size=1, max_size=5),
    refunded_minor=st.integers(0, 10**6),
    disputed_minor=st.integers(-(10**6), 10**6),
)
def test_it_loses_no_cent_when_it_cuts(
    parts: list[int], refunded_minor: int, disputed_minor: int
) -> None:
    """The shares of a payment that is wholly allocated add up to the payment exactly."""
    received_minor = sum(parts)
    payment = b.summary(
        received_minor=received_minor,
        refunded_minor=refunded_minor if received_minor else 0,
        disputed_minor=disputed_minor if received_minor else 0,
    )

    cut = shares(payment, [allocation(str(index), part) for index, part in enumerate(parts)])

    assert sum(each.net_minor for each in cut.values()) == payment.net_minor
    assert sum(each.received_minor for each in cut.values()) == received_minor
