"""Whether what went wrong in other people's payment code can go wrong here.

Each test is a real incident, named after the report of it; the docstring tells the truth that was broken there.
"""

from itertools import permutations

import pytest

from reconciler.core.directory import directory
from reconciler.core.facts import PaidAt
from reconciler.core.invoice import Share, Written, settle, write_for
from reconciler.core.matching import Rule, match
from reconciler.core.observation import Failure, Observation, Reference, ReferenceKind
from reconciler.core.payment import Book, PaymentStatus, failed_attempts, payment_status, summarise
from reconciler.core.sharing import shares
from tests.core import builders as b

NEEDS_METHOD = "requires_payment_method"
NAMED = frozenset({Reference(ReferenceKind.METADATA, "inv_1")})
CREATED = b.event(b.intent(NEEDS_METHOD, newborn=True), 0, "evt_created")
FAILED = b.event(b.intent(NEEDS_METHOD, failures=b.DECLINED), 1, "evt_failed")
SUCCEEDED = b.event(b.intent(succeeded_ms=b.at_ms(2)), 2, "evt_succeeded")
CHARGED = b.event(b.charge(), 2, "evt_charged")
COMPLETED = b.event(b.session(), 2, "evt_completed")


def books(*told: Observation) -> list[Book]:
    """Gather the same observations in every order in which they can arrive."""
    return [b.book(*order) for order in permutations(told)]


def whole(payment: Book) -> Share:
    """Give a whole payment to one invoice."""
    seen = summarise(payment)
    found = match(seen, NAMED, directory([b.invoice()]))
    return shares(seen, found.allocations)["inv_1"]


def test_pay_rails_371_three_events_of_one_payment_are_one_payment() -> None:
    """Intent, charge and Session tell of the same ten euros, and they are counted once."""
    for known in books(SUCCEEDED, CHARGED, COMPLETED):
        assert summarise(known).received_minor == 1000
        assert list(known.facts.charges) == ["ch_1"]


@pytest.mark.parametrize("late", [CREATED, b.event(b.intent("requires_action"), 1)])
def test_polar_13315_a_late_event_does_not_pull_a_paid_payment_back(late: Observation) -> None:
    """What was true before the payment cannot make it pending again."""
    for known in books(SUCCEEDED, late):
        assert payment_status(known) is PaymentStatus.SUCCEEDED


@pytest.mark.parametrize("second", [1, 2, 999])
def test_medusa_13301_a_late_failure_does_not_unpay(second: int) -> None:
    """woocommerce-gateway-stripe #902, frappe/press #277: an old attempt's failure arrives last, or is dated last."""
    late = b.event(b.intent(NEEDS_METHOD, failures=b.DECLINED), second)

    for known in books(SUCCEEDED, late):
        assert settle(b.invoice(), [whole(known)]).payment_status == "paid"


def test_lunar_2204_a_success_after_a_failure_is_heard() -> None:
    """A failed attempt ends nothing: the next one on the same PaymentIntent may pay."""
    for known in books(FAILED, SUCCEEDED):
        assert payment_status(known) is PaymentStatus.SUCCEEDED
        assert set(failed_attempts(known)) == {"ch_bad"}


@pytest.mark.parametrize("status", [NEEDS_METHOD, "canceled"])
def test_202_ecommerce_79_another_intents_failure_does_not_unpay(status: str) -> None:
    """The invoice was paid in one tab; what happens in the other tab changes nothing."""
    other = b.book(b.event(b.intent(status, id="pi_2", failures=b.DECLINED)), payment="pi_2")
    paid = whole(b.book(SUCCEEDED))

    for order in permutations((paid, whole(other))):
        settlement = settle(b.invoice(), order)
        assert settlement.payment_status == "paid"
        assert settlement.paid == PaidAt(0, b.at_ms(2))


def test_payum_76_a_second_success_is_more_money_and_not_a_new_payment_moment() -> None:
    """Two tabs, two PaymentIntents, both paid: the invoice is overpaid, and was paid at the first."""
    second = b.book(
        b.event(b.intent(id="pi_2", succeeded_ms=b.at_ms(60)), 60, "evt_2"), payment="pi_2"
    )

    for order in permutations((whole(b.book(SUCCEEDED)), whole(second))):
        settlement = settle(b.invoice(), order)
        assert (settlement.payment_status, settlement.net_minor) == ("overpaid", 2000)
        assert settlement.paid == PaidAt(0, b.at_ms(2))


def test_lago_1373_money_that_comes_before_the_invoice_finds_it_later() -> None:
    """Lago #2825: the webhook beats the app's own row; nothing is dropped, the names are simply tried again."""
    seen = summarise(b.book(SUCCEEDED))

    assert match(seen, NAMED, directory([])).rule is Rule.UNMATCHED
    assert match(seen, NAMED, directory([b.invoice()])).allocations[0].amount_minor == 1000


def test_lago_3228_a_charge_that_races_its_intent_is_counted_once() -> None:
    """The charge first, the PaymentIntent first, or a charge alone: never two payments, never double money."""
    for known in books(CREATED, CHARGED, SUCCEEDED):
        assert summarise(known).received_minor == 1000

    assert summarise(b.book(CHARGED)).received_minor == 0


def test_thewca_13193_the_same_event_ten_times_is_one_fact() -> None:
    """A repetition, under its own id or another, changes nothing at all."""
    told_as_another = b.event(SUCCEEDED.projection, 2, "evt_twin")

    assert b.book(*[SUCCEEDED] * 10, told_as_another) == b.book(SUCCEEDED)


def test_posthog_98651_a_tie_within_one_second_does_not_leave_it_open() -> None:
    """Stripe's times are whole seconds: of `processing` and `succeeded` in one second the end wins."""
    tied = b.event(b.intent("processing"), 2)

    for known in books(SUCCEEDED, tied):
        assert payment_status(known) is PaymentStatus.SUCCEEDED


def test_two_failed_attempts_are_not_one_because_object_and_type_are_equal() -> None:
    """Dropping by "object id + event type" loses the second failure, and with it what the customer sees."""
    again = (("ch_2", Failure(b.at_ms(9), "expired_card")),)
    second = b.event(b.intent(NEEDS_METHOD, failures=again), 9, "evt_failed_2")

    for known in books(FAILED, second):
        assert set(failed_attempts(known)) == {"ch_bad", "ch_2"}
        assert summarise(known).failure_code == "expired_card"


def test_two_partial_refunds_are_not_one_because_object_and_type_are_equal() -> None:
    """Dropping by "object id + event type" loses the second refund; the charge's total is a hint, never money."""
    first, second = b.event(b.refund("succeeded", 300)), b.event(b.refund("succeeded", 200, id="b"))
    totals = [b.event(b.charge(refunded_minor=each), each) for each in (300, 500)]

    for known in books(SUCCEEDED, first, second, *totals):
        assert summarise(known).refunded_minor == 500


@pytest.mark.parametrize("word", ["failed", "canceled"])
def test_gumroad_5779_a_refund_that_dies_late_gives_the_money_back(word: str) -> None:
    """Zulip's fixture: succeeded, and weeks later failed; canceled returns the money too."""
    refunded, died = b.event(b.refund("succeeded"), 5), b.event(b.refund(word), 30 * 86400)

    for known in books(SUCCEEDED, refunded, died):
        assert settle(b.invoice(), [whole(known)]).payment_status == "paid"


def test_hyperswitch_11653_reinstated_funds_are_not_a_won_dispute() -> None:
    """Stripe gives money back while a dispute goes on: the word decides, not the name of the event."""
    told = [b.event(each) for each in (b.dispute("under_review"), b.withdrawn(), b.reinstated())]

    for known in books(SUCCEEDED, *told):
        assert settle(b.invoice(), [whole(known)]).payment_status == "disputed"


def test_a_late_win_after_a_lost_dispute_is_paid_again() -> None:
    """Lost is not the last word: a dispute that is won later, and whose money came back, leaves the invoice paid."""
    told = [
        b.event(b.dispute("lost"), 5),
        b.event(b.dispute("won"), 90),
        b.event(b.withdrawn()),
        b.event(b.reinstated()),
    ]

    for known in books(SUCCEEDED, *told):
        assert settle(b.invoice(), [whole(known)]).payment_status == "paid"


def test_an_inquiry_does_not_void_a_real_payment() -> None:
    """`warning_*` moves no money: the invoice stays paid, and the payment stays under watch."""
    inquiry = b.event(b.dispute("warning_needs_response"), 5)

    for known in books(SUCCEEDED, inquiry):
        assert settle(b.invoice(), [whole(known)]).payment_status == "paid"
        assert not summarise(known).is_final


def test_a_closed_month_is_not_restated_when_a_dispute_gives_the_money_back() -> None:
    """Reinstatement re-stamped `paid_at` and moved the payment into another month; here it is never touched."""
    month_later = 40 * 86400
    back = b.event(b.reinstated(created_ms=b.at_ms(month_later)), month_later)
    told = (SUCCEEDED, CHARGED, b.event(b.dispute("won")), b.event(b.withdrawn()), back)
    row = b.invoice(status="paid", paid_at=b.at(2))
    written = Written(prior_status="open", paid_at=b.at(2))

    for known in books(*told):
        write, _ = write_for(
            row,
            settle(row, [whole(known)]),
            written,
            payable=frozenset({"open"}),
            waived=False,
        )
        assert (write.status, write.payment_status, write.paid_at) == ("paid", "paid", b.at(2))
