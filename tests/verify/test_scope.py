"""Do facts that are folded again agree with the stored ones, however little is known yet?"""

import pytest

from reconciler.apply import Policy, apply_payment_state
from reconciler.core.observation import Observation, Source
from reconciler.db.session import Database
from reconciler.verify import verify
from tests.core import builders as b


@pytest.mark.parametrize(
    "first",
    [
        b.event(b.refund("succeeded", 300), 5, "evt_1"),
        b.event(b.dispute("needs_response", amount_minor=800), 5, "evt_1"),
    ],
    ids=["refund", "dispute"],
)
def test_it_misses_nothing_of_a_payment_that_was_only_named(
    database: Database, first: Observation
) -> None:
    """Where a refund or a dispute came before its PaymentIntent, nothing was observed of that one, and nothing is wrong."""
    now = b.at(60)
    with database.writing() as tx:
        apply_payment_state(tx, [first], source=Source.WEBHOOK, now=now, policy=Policy())

    assert verify(database, Policy(), now=now, rebuild=True).problems == ()
