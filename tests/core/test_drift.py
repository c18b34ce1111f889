"""Is everything that differed between two states of a payment called by its name, and nothing else?"""

from collections.abc import Sequence

import pytest

from reconciler.core.drift import Difference, Drift, compare
from reconciler.core.known import Known, absorb, books
from reconciler.core.observation import ForeignSeen, Observation
from reconciler.core.payment import Book
from tests.core import builders as build

PENDING = build.event(build.intent("requires_payment_method"))
PAID = build.event(build.intent(), 10)
CHARGED = build.event(build.charge(), 10)
MONEY = build.read(build.transaction(fee_minor=45, net_minor=955), 20)
REFUND = build.event(build.refund(amount_minor=300), 30)
REFUND_FAILED = build.event(build.refund("failed", amount_minor=300), 90)
DISPUTE = build.event(build.dispute(), 40)
LOST = build.event(build.dispute("lost"), 80)
HELD = build.event(build.intent("requires_capture"))
TAKEN = build.event(build.charge(captured_minor=700), 10)
PART = build.event(build.intent(received_minor=700), 10)
# What is not captured of a hold comes back as a refund for which no money moves.
RELEASE = build.event(build.refund(amount_minor=300), 20)
REFUND_OF_PART = build.event(build.refund(amount_minor=300, booked=True), 30)


def _book(*seen: Observation) -> Book | None:
    return books(absorb(Known(), seen)).get("pi_1")


def _names(found: Sequence[Difference]) -> list[tuple[str, str, str, str]]:
    return [(each.kind.value, each.subject, each.here, each.there) for each in found]


@pytest.mark.parametrize(
    ("before", "news", "differences"),
    [
        pytest.param(
            [], [PAID], [("missing_here", "pi_1", "nothing", "succeeded 1000 eur")], id="unknown"
        ),
        pytest.param(
            [PENDING], [PAID], [("status_behind", "pi_1", "pending", "succeeded")], id="behind"
        ),
        pytest.param(
            [PAID, CHARGED],
            [REFUND],
            [("refund_unknown", "re_1", "nothing", "succeeded 300 eur")],
            id="refund",
        ),
        pytest.param(
            [PAID, CHARGED, REFUND],
            [REFUND_FAILED],
            [("status_behind", "re_1", "succeeded", "failed")],
            id="refund-failed-later",
        ),
        pytest.param(
            [PAID, CHARGED],
            [DISPUTE],
            [("dispute_unknown", "dp_1", "nothing", "needs_response 1000 eur")],
            id="dispute",
        ),
        pytest.param(
            [PAID, CHARGED, DISPUTE],
            [LOST],
            [("status_behind", "dp_1", "needs_response", "lost")],
            id="dispute-lost",
        ),
        pytest.param(
            [PAID, CHARGED], [MONEY], [("fee_unknown", "pi_1", "nothing", "45 eur")], id="fee"
        ),
        pytest.param(
            [PENDING],
            [PAID, CHARGED, MONEY],
            [("status_behind", "pi_1", "pending", "succeeded")],
            id="no-fee-of-what-was-not-paid",
        ),
        pytest.param([PAID], [PAID, CHARGED], [], id="nothing-new"),
        pytest.param(
            [HELD],
            [PART, TAKEN, RELEASE],
            [("status_behind", "pi_1", "requires_capture", "succeeded")],
            id="release",
        ),
        pytest.param([HELD, PART, TAKEN], [RELEASE], [], id="release-alone"),
        pytest.param(
            [HELD, PART, TAKEN],
            [REFUND_OF_PART],
            [("refund_unknown", "re_1", "nothing", "succeeded 300 eur")],
            id="refund-after-release",
        ),
        pytest.param(
            [],
            [build.event(ForeignSeen(id="pi_1", reason="invoice in_1"))],
            [],
            id="foreign",
        ),
    ],
)
def test_it_calls_each_difference_by_its_name(
    before: list[Observation], news: list[Observation], differences: list[tuple[str, str, str, str]]
) -> None:
    """What a run has learned of a payment is told as both values, by the id of what it is about."""
    after = _book(*before, *news)
    assert after is not None

    found = list(compare(_book(*before), after))

    assert _names(found) == differences


def test_it_says_since_when() -> None:
    """A difference is dated by Stripe: since the money came, or since the refund was made."""
    after = _book(PAID, CHARGED, REFUND)
    assert after is not None

    [refund] = compare(_book(PAID, CHARGED), after)
    [paid] = compare(_book(PENDING), _book(PENDING, PAID) or after)

    assert paid.since_ms == build.at_ms(10)
    assert refund.since_ms is not None
    assert refund.kind is Drift.REFUND_UNKNOWN


def test_it_finds_no_difference_in_itself() -> None:
    """A book beside itself differs in nothing."""
    book = _book(PENDING, PAID, CHARGED, MONEY, REFUND, DISPUTE)
    assert book is not None

    assert list(compare(book, book)) == []
