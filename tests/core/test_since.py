"""Whether old money stays old however late it is read, and a decision of today is of today."""

import pytest

from reconciler.core import since
from reconciler.core.facts import PaidAt
from reconciler.core.invoice import Share
from reconciler.core.payment import Summary
from tests.core import builders as b

MADE, MONEY, DECIDED = b.at_ms(0), b.at_ms(500), b.at_ms(900)


@pytest.mark.parametrize(
    ("payment", "at_ms"),
    [
        pytest.param(b.summary(paid=PaidAt(0, MONEY), created_ms=MADE), MONEY, id="the event's"),
        pytest.param(b.summary(paid=PaidAt(1, MONEY), created_ms=MADE), MONEY, id="the balance's"),
        pytest.param(b.summary(paid=PaidAt(2, MONEY), created_ms=MADE), MONEY, id="the charge's"),
        pytest.param(b.summary(paid=PaidAt(3, MONEY), created_ms=MADE), MADE, id="not our read's"),
        pytest.param(
            b.summary(paid=PaidAt(3, MONEY)), MONEY, id="our read's, if there is no other"
        ),
        pytest.param(
            b.summary("pending", created_ms=MADE), MADE, id="the payment's, without money"
        ),
        pytest.param(b.summary("pending"), None, id="none"),
    ],
)
def test_it_takes_stripes_time(payment: Summary, at_ms: int | None) -> None:
    """Money counts from Stripe's moment of it; the moment of our read is no moment of Stripe's."""
    assert since.of_payment(payment) == at_ms


def test_it_takes_the_latest_of_money_and_decisions() -> None:
    """An invoice is as new as its newest money, or as the decision of a person about it."""
    paid = b.summary(paid=PaidAt(0, MONEY))
    coming = b.summary("processing", created_ms=DECIDED)

    assert since.of_shares([]) is None
    assert since.of_shares([Share(payment=coming, received_minor=0)]) is None
    assert since.of_shares([Share(payment=paid, received_minor=1000)]) == MONEY
    assert (
        since.of_shares([Share(payment=paid, received_minor=1000, decided_ms=DECIDED)]) == DECIDED
    )
