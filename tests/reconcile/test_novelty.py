"""Is it news if something was only seen again, and is everything else?"""

import pytest

from reconciler.core.known import Known, absorb, books
from reconciler.core.observation import Observation
from reconciler.core.payment import Book
from reconciler.reconcile.novelty import says_more
from tests.core import builders as build

PENDING = build.intent("requires_payment_method")
PAID = [build.event(build.intent(), 10), build.event(build.charge(), 10)]
REFUND = build.event(build.refund("pending", 300), 30)


def _book(*seen: Observation) -> Book:
    found = books(absorb(Known(), seen)).get("pi_1")
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("before", "news", "is_news"),
    [
        ([build.read(PENDING, 10)], [build.read(PENDING, 500)], False),
        (PAID, [build.read(build.intent(), 500)], False),
        ([*PAID, REFUND], [build.read(build.refund("pending", 300), 500)], False),
        ([build.read(PENDING, 10)], [build.read(build.intent("processing"), 500)], True),
        ([build.read(PENDING, 10)], [build.read(build.intent("canceled"), 500)], True),
        (PAID, [build.read(build.transaction(fee_minor=45, net_minor=955), 500)], True),
        (PAID, [REFUND], True),
        ([*PAID, REFUND], [build.read(build.refund("succeeded", 300), 500)], True),
        (PAID, [build.event(build.dispute(), 40)], True),
    ],
)
def test_it_knows_news(before: list[Observation], news: list[Observation], is_news: bool) -> None:
    """A later look at what is still so says nothing; another word, an amount, or an object that was not known does."""
    assert says_more(_book(*before), _book(*before, *news)) is is_news


def test_it_is_news_what_nobody_knew() -> None:
    """Whatever is said of a payment that was not known is news."""
    assert says_more(None, _book(build.read(PENDING)))
