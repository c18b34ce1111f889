"""Whether an invoice is paid exactly when its money says so, row by row of the table."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.facts import PaidAt
from reconciler.core.invoice import Claims, InvoiceStatus, Share, settle
from tests.core import builders as b
from tests.core.builders import share

IN_CONFLICT = Claims(in_conflict=True)
WAIVED = Claims(waived=True)
OTHER = share(id="pi_2", currency="usd")
LOST = share(disputed_minor=1000)


@pytest.mark.parametrize(
    ("shares", "claims", "status"),
    [
        pytest.param([share("conflict")], Claims(), "review", id="review: payment in conflict"),
        pytest.param([share()], IN_CONFLICT, "review", id="review: references disagree"),
        pytest.param([], IN_CONFLICT, "review", id="review: disagree, nothing allocated"),
        pytest.param([OTHER], Claims(), "review", id="review: money in another currency"),
        pytest.param(
            [OTHER, share(amount_minor=400)], Claims(), "review", id="review: foreign and partial"
        ),
        pytest.param(
            [replace(OTHER, refunded_minor=1000)], Claims(), "unpaid", id="not review: given back"
        ),
        pytest.param([OTHER, share()], Claims(), "paid", id="not review: net is due all the same"),
        pytest.param(
            [share(dispute_open=True)], Claims(), "disputed", id="disputed: before its money moved"
        ),
        pytest.param(
            [share(dispute_open=True, disputed_minor=1000)], Claims(), "disputed", id="disputed"
        ),
        pytest.param(
            [share(dispute_open=True), share(id="pi_2")],
            Claims(),
            "disputed",
            id="disputed: though overpaid",
        ),
        pytest.param([share(), share(id="pi_2")], Claims(), "overpaid", id="overpaid: two in full"),
        pytest.param([share(amount_minor=1001)], Claims(), "overpaid", id="overpaid: by one cent"),
        pytest.param([share()], Claims(), "paid", id="paid"),
        pytest.param(
            [share(amount_minor=400), share(id="pi_2", amount_minor=600)],
            Claims(),
            "paid",
            id="paid: in two parts",
        ),
        pytest.param(
            [share(), share(id="pi_2", refunded_minor=1000)], Claims(), "paid", id="paid: one back"
        ),
        pytest.param([share(), share("failed", id="pi_2")], Claims(), "paid", id="paid: one fails"),
        pytest.param(
            [share("canceled", received_minor=1000)], Claims(), "paid", id="paid: whatever its word"
        ),
        pytest.param([LOST], Claims(), "charged_back", id="charged_back: all of it"),
        pytest.param(
            [share(disputed_minor=400)], Claims(), "charged_back", id="charged_back: a part"
        ),
        pytest.param(
            [share(disputed_minor=600, refunded_minor=500)],
            Claims(),
            "charged_back",
            id="charged_back: refunded too, net below zero",
        ),
        pytest.param(
            [share(refunded_minor=1)], Claims(), "partially_refunded", id="partially_refunded"
        ),
        pytest.param(
            [share(refunded_minor=1, refund_pending_minor=1)],
            Claims(),
            "partially_refunded",
            id="partially_refunded: a pending one stands",
        ),
        pytest.param(
            [share(amount_minor=999)], Claims(), "partially_paid", id="partially_paid: by one cent"
        ),
        pytest.param(
            [share(amount_minor=600, refunded_minor=100)],
            Claims(),
            "partially_paid",
            id="partially_paid: some back, never covered",
        ),
        pytest.param(
            [share(amount_minor=400), share("processing", id="pi_2")],
            Claims(),
            "partially_paid",
            id="partially_paid: the rest is processing",
        ),
        pytest.param([share("processing")], Claims(), "processing", id="processing"),
        pytest.param(
            [share("requires_capture"), share("processing", id="pi_2")],
            Claims(),
            "processing",
            id="processing: before authorized",
        ),
        pytest.param([share("requires_capture")], Claims(), "authorized", id="authorized"),
        pytest.param(
            [share("requires_capture"), share(id="pi_2", refunded_minor=1000)],
            Claims(),
            "authorized",
            id="authorized: before refunded",
        ),
        pytest.param([share(refunded_minor=1000)], Claims(), "refunded", id="refunded"),
        pytest.param(
            [share(refunded_minor=1000), share("failed", id="pi_2")],
            Claims(),
            "refunded",
            id="refunded: before failed",
        ),
        pytest.param([share("failed")], Claims(), "failed", id="failed"),
        pytest.param(
            [share("failed"), share("pending", id="pi_2")], Claims(), "failed", id="failed: one is"
        ),
        pytest.param([share("pending")], Claims(), "unpaid", id="unpaid: pending"),
        pytest.param([share("requires_action")], Claims(), "unpaid", id="unpaid: requires_action"),
        pytest.param([share("canceled")], Claims(), "unpaid", id="unpaid: canceled"),
        pytest.param([], Claims(), "unpaid", id="unpaid: nothing at all"),
        pytest.param([], WAIVED, "unpaid", id="unpaid: a waiver does not pay what is due"),
    ],
)
def test_it_shows_the_first_row_that_matches(
    shares: Sequence[Share], claims: Claims, status: str
) -> None:
    """The payment status of an invoice is the first matching row, in whatever order its payments are listed."""
    for order in (shares, shares[::-1]):
        assert settle(b.invoice(), order, claims).payment_status == status


@pytest.mark.parametrize(
    ("shares", "claims", "status"),
    [
        pytest.param([], WAIVED, "paid", id="paid by a Session that asked for nothing"),
        pytest.param([share("failed")], WAIVED, "paid", id="an attempt that failed before"),
        pytest.param([share("canceled")], WAIVED, "paid", id="an attempt that was abandoned"),
        pytest.param([share()], WAIVED, "overpaid", id="money came all the same"),
        pytest.param([], Claims(waived=True, in_conflict=True), "review", id="references disagree"),
        pytest.param([], Claims(), "unpaid", id="nobody said so"),
    ],
)
def test_it_pays_an_invoice_over_nothing_only_by_a_waiver(
    shares: Sequence[Share], claims: Claims, status: str
) -> None:
    """Where nothing is due, `no_payment_required` is what pays, unless real money says otherwise."""
    settlement = settle(b.invoice(amount_due_minor=0), shares, claims)

    assert settlement.payment_status == status
    assert settlement.paid is None
    assert not settlement.is_covered


@pytest.mark.parametrize(("shares", "status"), [([], "unpaid"), ([share()], "overpaid")])
def test_it_takes_a_credit_for_no_overpayment(shares: Sequence[Share], status: str) -> None:
    """A credit asks for nothing: only money that came is too much."""
    settlement = settle(b.invoice(amount_due_minor=-400), shares)

    assert settlement.payment_status == status


many_shares = st.lists(
    st.builds(
        share,
        st.sampled_from(["succeeded", "failed", "processing", "canceled"]),
        id=st.sampled_from(["pi_1", "pi_2", "pi_3"]),
        amount_minor=st.integers(0, 1500),
        refunded_minor=st.integers(0, 500),
        disputed_minor=st.integers(0, 500),
        currency=st.sampled_from(["eur", "usd"]),
        dispute_open=st.booleans(),
    ),
    max_size=4,
    unique_by=lambda each: each.payment.id,
)


@given(data=st.data(), shares=many_shares)
def test_it_settles_the_same_in_any_order(data: st.DataObject, shares: list[Share]) -> None:
    """A settlement is a function of the set of payments, and sums only what is in the invoice's currency."""
    settlement = settle(b.invoice(), shares)

    assert settle(b.invoice(), data.draw(st.permutations(shares))) == settlement
    assert settlement.net_minor == sum(
        each.net_minor for each in shares if each.payment.currency == "eur"
    )


@given(
    shares=many_shares, status=st.sampled_from(["failed", "canceled", "pending", "requires_action"])
)
def test_it_is_never_unpaid_by_another_payment_that_fails(shares: list[Share], status: str) -> None:
    """A late failure or cancellation of one PaymentIntent never un-pays what another one paid."""
    before = settle(b.invoice(), shares)

    after = settle(b.invoice(), [*shares, share(status, id="pi_late")])

    assert after.is_covered == before.is_covered
    assert after.paid == before.paid
    paid = {InvoiceStatus.PAID, InvoiceStatus.OVERPAID}
    assert before.payment_status not in paid or after.payment_status == before.payment_status


@pytest.mark.parametrize(
    ("amounts", "second"),
    [
        pytest.param([(400, 1), (600, 2)], 2, id="the second part reaches it"),
        pytest.param([(600, 2), (400, 1)], 2, id="listed the other way round"),
        pytest.param([(1000, 1), (1000, 9)], 1, id="a second payment does not move it"),
        pytest.param([(400, 1), (599, 2)], None, id="one cent short"),
        pytest.param([], None, id="no payment"),
    ],
)
def test_it_is_paid_when_the_running_sum_reaches_what_is_due(
    amounts: list[tuple[int, int]], second: int | None
) -> None:
    """`paid_at` is the moment of the payment that filled the invoice."""
    shares = [
        share(id=f"pi_{at}", amount_minor=amount, paid=PaidAt(0, b.at_ms(at)))
        for amount, at in amounts
    ]

    paid = settle(b.invoice(), shares).paid

    assert paid == (None if second is None else PaidAt(0, b.at_ms(second)))


def test_it_stays_paid_at_the_same_moment_when_money_leaves() -> None:
    """Refunds and disputes show in `payment_status`; they never touch `paid_at` nor what was received."""
    whole = b.settled(share())

    for less in (share(refunded_minor=1000), share(disputed_minor=1000), share(dispute_open=True)):
        gone = b.settled(less)
        assert (gone.paid, gone.received_minor, gone.is_covered) == (whole.paid, 1000, True)
