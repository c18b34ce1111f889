"""Whether refunds and disputes take from a payment exactly what they hold, and keep it open while they can move."""

import pytest

from reconciler.core.observation import RefundSeen
from reconciler.core.payment import awaits_return, held_minor, summarise
from tests.core import builders as b


@pytest.mark.parametrize(
    ("words", "refunded_minor", "pending_minor"),
    [
        (("pending",), 300, 300),
        (("requires_action",), 300, 300),
        (("word_of_next_year",), 300, 300),
        (("pending", "succeeded"), 300, 0),
        (("succeeded", "failed"), 0, 0),
        (("pending", "canceled"), 0, 0),
    ],
)
def test_it_counts_a_refund_until_it_fails_or_is_canceled(
    words: tuple[str, ...], refunded_minor: int, pending_minor: int
) -> None:
    """A pending refund stands and is shown apart; a dead one returned the money, and never comes back to life."""
    told = [b.event(b.refund(word, 300)) for word in words]

    for order in (told, told[::-1]):
        seen = summarise(b.book(b.event(b.intent()), *order))
        assert (seen.refunded_minor, seen.refund_pending_minor) == (refunded_minor, pending_minor)
        assert seen.received_minor == 1000


@pytest.mark.parametrize(
    ("captured_minor", "refunds", "refunded_minor"),
    [
        pytest.param(700, [b.refund(amount_minor=300)], 0, id="the rest of a hold is released"),
        pytest.param(0, [b.refund()], 0, id="a whole hold is released"),
        pytest.param(1000, [b.refund(amount_minor=300)], 300, id="all was captured"),
        pytest.param(700, [b.refund("pending", 300)], 300, id="on its way"),
        pytest.param(700, [b.refund(amount_minor=300, booked=True)], 300, id="money has moved"),
        pytest.param(
            700,
            [b.refund(amount_minor=300), b.refund(amount_minor=200, id="re_2", booked=True)],
            200,
            id="released, then given back",
        ),
        pytest.param(
            700, [b.refund(amount_minor=300, charge=None)], 0, id="named by its PaymentIntent only"
        ),
        pytest.param(
            700, [b.refund(amount_minor=300, charge="ch_9")], 300, id="of a charge not known"
        ),
    ],
)
def test_it_does_not_count_what_is_released_of_a_hold(
    captured_minor: int, refunds: list[RefundSeen], refunded_minor: int
) -> None:
    """What was authorised and never captured comes back as a refund without a balance transaction: no money moves."""
    held = b.charge(captured_minor=captured_minor)
    told = [b.event(each) for each in (b.intent(received_minor=captured_minor), held, *refunds)]

    for order in (told, told[::-1]):
        seen = summarise(b.book(*order))
        assert (seen.refunded_minor, seen.received_minor) == (refunded_minor, captured_minor)


@pytest.mark.parametrize(
    ("word", "moved", "held", "waits"),
    [
        pytest.param("needs_response", [], 0, False, id="nothing moved yet"),
        pytest.param("needs_response", [b.withdrawn()], 1000, False, id="withdrawn"),
        pytest.param("lost", [b.withdrawn()], 1000, False, id="lost"),
        pytest.param("won", [b.withdrawn()], 1000, True, id="won, its money not yet back"),
        pytest.param("won", [b.withdrawn(), b.reinstated()], 0, False, id="won and back"),
        pytest.param("won", [b.withdrawn(), b.reinstated(900)], 100, False, id="partly back"),
        pytest.param(
            "needs_response", [b.withdrawn(), b.reinstated()], 0, False, id="back, still open"
        ),
        pytest.param(
            "lost", [b.withdrawn(1100, currency="usd")], 1000, False, id="fx: the dispute's amount"
        ),
        pytest.param(
            "won",
            [b.withdrawn(1100, currency="usd"), b.reinstated(1090, currency="usd")],
            0,
            False,
            id="fx: won and back",
        ),
        pytest.param(
            "lost",
            [b.withdrawn(1100, currency="usd"), b.reinstated(1090, currency="usd")],
            1000,
            False,
            id="fx: back but not won",
        ),
        pytest.param(
            "needs_response", [b.reinstated(currency="usd")], 0, False, id="fx: none taken"
        ),
        pytest.param(
            "lost",
            [b.withdrawn(), b.withdrawn(1500, id="txn_fee", category="fee")],
            1000,
            False,
            id="the fee is not held",
        ),
    ],
)
def test_it_knows_what_a_dispute_holds_now(
    word: str, moved: list[b.TransactionSeen], held: int, waits: bool
) -> None:
    """The class decides words and the money decides amounts, in the charge's currency and without fees."""
    told = [b.event(each) for each in (b.intent(), b.charge(), b.dispute(word), *moved)]

    known = b.book(*told)

    assert held_minor(known, "dp_1", "eur") == held
    assert awaits_return(known, "dp_1") == waits


@pytest.mark.parametrize(
    ("around", "final", "dispute_open"),
    [
        ([], True, False),
        ([b.refund("pending")], False, False),
        ([b.refund("succeeded")], True, False),
        ([b.dispute("warning_needs_response")], False, False),
        ([b.dispute("warning_closed")], True, False),
        ([b.dispute("under_review")], False, True),
        ([b.dispute("lost"), b.withdrawn()], True, False),
        ([b.dispute("won"), b.withdrawn()], False, True),
        ([b.dispute("won"), b.withdrawn(), b.reinstated()], True, False),
    ],
)
def test_it_is_final_once_nothing_can_move_any_more(
    around: list[b.Projection], final: bool, dispute_open: bool
) -> None:
    """A refund in flight, an inquiry, an open dispute and one that was won without its money keep us reading."""
    seen = summarise(b.book(b.event(b.intent()), *map(b.event, around)))

    assert (seen.is_final, seen.dispute_open) == (final, dispute_open)


def test_it_keeps_settlement_currency_apart() -> None:
    """What came to the account is told in its own currency and never added to the charge's."""
    moved = b.transaction(1080, currency="usd", fee_minor=60, net_minor=1020)

    seen = summarise(b.book(b.event(b.intent()), b.event(b.charge()), b.event(moved)))

    assert (seen.received_minor, seen.currency) == (1000, "eur")
    assert (seen.settled_gross_minor, seen.settled_fee_minor) == (1080, 60)
    assert (seen.settled_net_minor, seen.settlement_currency) == (1020, "usd")
