"""Whether a payment is cut along its allocations without losing a cent."""

from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.matching import Allocation, Rule, shares
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


def test_it_leaves_the_unallocated_part_its_own_share_of_a_refund() -> None:
    """An invoice that got half of a payment bears half of its refund."""
    payment = b.summary(refunded_minor=100, refund_pending_minor=50)

    cut = shares(payment, [allocation("a", 500)])

    assert (cut["a"].refunded_minor, cut["a"].refund_pending_minor) == (50, 25)


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
