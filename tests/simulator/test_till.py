"""Does Stripe say in the simulation what it says in life, and do its books add up?"""

import pytest

from reconciler.simulator.moves import converted
from reconciler.simulator.stories import STORIES
from reconciler.simulator.world import Json, World
from tests.simulator.app import new_world, told

PAID = "payment_intent.created charge.succeeded payment_intent.succeeded charge.updated"
REFUNDED = "refund.created charge.refunded"
REFUND_CHANGED = "refund.updated charge.refund.updated"
DISPUTED = "charge.dispute.created charge.dispute.funds_withdrawn"


def moves_of(world: World) -> list[Json]:
    """All balance transactions, oldest first."""
    return sorted(world.every("balance_transaction"), key=lambda each: int(each["created"]))


@pytest.mark.parametrize(
    ("name", "types"),
    [
        ("card_paid", PAID),
        (
            "failed_then_paid",
            PAID.replace(".created", ".created charge.failed payment_intent.payment_failed", 1),
        ),
        (
            "debit_paid",
            (
                "payment_intent.created charge.pending payment_intent.processing charge.succeeded "
                "payment_intent.succeeded"
            ),
        ),
        (
            "canceled_late",
            (
                "payment_intent.created charge.succeeded payment_intent.amount_capturable_updated "
                "charge.refunded payment_intent.canceled"
            ),
        ),
        (
            "multicapture",
            (
                "payment_intent.created charge.succeeded payment_intent.amount_capturable_updated "
                "charge.captured payment_intent.amount_capturable_updated "
                "charge.captured payment_intent.amount_capturable_updated "
                "charge.captured payment_intent.succeeded"
            ),
        ),
        ("refund_failed", f"{PAID} {REFUNDED} refund.failed {REFUND_CHANGED}"),
        ("refund_arrived", f"{PAID} {REFUNDED} {REFUND_CHANGED}"),
        (
            "late_win",
            (
                f"{PAID} {DISPUTED} charge.dispute.closed charge.dispute.updated "
                "charge.dispute.funds_reinstated"
            ),
        ),
        ("amount_edited", PAID),
        ("metadata_edited", PAID),
        ("session_expired", "checkout.session.expired"),
        (
            "session_paid",
            (
                "payment_intent.created charge.succeeded payment_intent.succeeded "
                "checkout.session.completed charge.updated"
            ),
        ),
    ],
)
def test_it_says_what_stripe_says(name: str, types: str) -> None:
    """A story makes exactly the events that Stripe makes of it, in its order; a silent edit makes none."""
    world, _ = told(STORIES[name])

    assert [each.event["type"] for each in world.happenings] == types.split()


@pytest.mark.parametrize(
    ("name", "moves"),
    [
        ("card_paid", [("charge", "charge", 1)]),
        ("debit_paid", [("payment", "charge", 1)]),
        ("debit_returned", [("payment", "charge", 1), ("adjustment", "dispute", -1)]),
        (
            "refund_failed",
            [
                ("charge", "charge", 1),
                ("refund", "refund", -1),
                ("refund_failure", "refund_failure", 1),
            ],
        ),
        (
            "dispute_won",
            [
                ("charge", "charge", 1),
                ("adjustment", "dispute", -1),
                ("adjustment", "dispute_reversal", 1),
            ],
        ),
        ("multicapture", [("charge", "charge", 1)] * 3),
        ("canceled_late", []),
        ("debit_failed", []),
    ],
)
def test_it_books_every_movement(name: str, moves: list[tuple[str, str, int]]) -> None:
    """Every movement of money has its balance transaction: its type, its category, and its direction."""
    world, _ = told(STORIES[name])

    booked = moves_of(world)

    found = [(each["type"], each["reporting_category"]) for each in booked]
    assert found == [move[:2] for move in moves]
    assert [each["amount"] > 0 for each in booked] == [move[2] > 0 for move in moves]
    assert all(each["net"] == each["amount"] - each["fee"] for each in booked)
    assert all(each["currency"] == "eur" for each in booked)


@pytest.mark.parametrize("name", ["partial_capture", "canceled_late"])
def test_it_gives_up_the_rest_of_a_hold_as_a_refund_without_money(name: str) -> None:
    """What was authorised and not taken is refunded, as Stripe calls it, and moves no money."""
    world, _ = told(STORIES[name])

    charge, refund = world.every("charge")[0], world.every("refund")[0]

    rest = charge["amount"] - charge["amount_captured"]
    assert charge["amount_refunded"] == refund["amount"] == rest > 0
    assert refund["balance_transaction"] is None


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("session_paid", ("complete", "paid")),
        ("session_by_debit", ("complete", "paid")),
        ("session_debit_failed", ("complete", "unpaid")),
        ("session_expired", ("expired", "unpaid")),
        ("nothing_due", ("complete", "no_payment_required")),
    ],
)
def test_it_ends_a_session_as_stripe_does(name: str, expected: tuple[str, str]) -> None:
    """A Session ends with the words of its payment."""
    world, _ = told(STORIES[name])

    session = world.every("checkout.session")[0]

    assert (session["status"], session["payment_status"]) == expected


def test_it_books_in_the_currency_that_the_account_settles_in() -> None:
    """Dollars are booked in euro at the rate that is told, and a dispute that is won gives back what it took."""
    world, _ = told(STORIES["foreign_won"])

    took, lost, won = moves_of(world)

    charge = world.every("charge")[0]
    assert (charge["currency"], took["currency"]) == ("gbp", "eur")
    assert took["amount"] == pytest.approx(charge["amount"] * took["exchange_rate"], abs=1)
    assert lost["amount"] + won["amount"] == 0


@pytest.mark.parametrize(
    ("amount", "currency", "to", "expected"),
    [
        (1000, "eur", "eur", 1000),
        (1000, "usd", "eur", 920),
        (1000, "jpy", "eur", 620),
        (-1000, "kwd", "eur", -299),
        (620, "eur", "jpy", 1000),
    ],
)
def test_it_converts_between_minor_units(
    amount: int, currency: str, to: str, expected: int
) -> None:
    """A conversion minds how many decimals each currency has."""
    assert converted(amount, currency, to) == expected


def test_it_tells_what_changed() -> None:
    """The event of a late balance transaction, of a refund and of a dispute holds what was there before."""
    world = new_world()
    for name in ("refund_failed", "dispute_won"):
        told(STORIES[name], world)

    before = {
        each.event["type"]: each.event["data"].get("previous_attributes")
        for each in world.happenings
    }

    assert before["charge.updated"] == {"balance_transaction": None}
    assert before["charge.refunded"] == {"amount_refunded": 0, "refunded": False}
    assert before["refund.failed"]["status"] == "succeeded"
    assert before["charge.dispute.closed"] == {"status": "under_review"}
