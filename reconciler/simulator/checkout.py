"""What happens in Checkout, with a Session of one's own or by a Payment Link?

A Session moves no money: its PaymentIntent does, which is made when the customer pays
(https://docs.stripe.com/checkout/fulfillment).
"""

from typing import Any

from reconciler.simulator import objects, till
from reconciler.simulator.world import Json, World


def open_session(world: World, *, amount: int, currency: str, **fields: Any) -> str:
    """Open a Session, of which no event tells; returns its id."""
    session = objects.checkout_session(
        world.new_id("cs_test_"), amount=amount, currency=currency, created=world.now_s, **fields
    )
    return str(world.save(session)["id"])


def make_link(world: World, currency: str) -> str:
    """Make a Payment Link; returns its id."""
    link = objects.payment_link(world.new_id("plink_"), currency=currency, created=world.now_s)
    return str(world.save(link)["id"])


def begin_payment(world: World, session_id: str, email: str, **fields: Any) -> str:
    """The customer of a Session begins to pay; returns the id of the PaymentIntent that is made for it."""
    session = world.get(session_id)
    intent_id = till.make_intent(
        world,
        amount=session["amount_total"],
        currency=session["currency"],
        receipt_email=email,
        **fields,
    )
    details = {"address": None, "email": email, "name": None, "phone": None}
    world.save(session | {"payment_intent": intent_id, "customer_details": details})
    return intent_id


def complete(world: World, session_id: str, payment_status: str = "paid") -> None:
    """The customer is through; `unpaid` where a bank debit is on its way, `no_payment_required` where nothing is due."""
    done = {"status": "complete", "payment_status": payment_status, "url": None}
    _change(world, session_id, "checkout.session.completed", done)


def debit_arrived(world: World, session_id: str) -> None:
    """The bank debit of a completed Session has arrived."""
    type_ = "checkout.session.async_payment_succeeded"
    _change(world, session_id, type_, {"payment_status": "paid"})


def debit_failed(world: World, session_id: str) -> None:
    """The bank debit of a completed Session has failed."""
    _change(world, session_id, "checkout.session.async_payment_failed", {})


def expire(world: World, session_id: str) -> None:
    """Nobody has paid in time."""
    _change(world, session_id, "checkout.session.expired", {"status": "expired", "url": None})


def _change(world: World, session_id: str, event_type: str, fields: Json) -> None:
    world.emit(event_type, world.save(world.get(session_id) | fields))
