"""What can happen to a PaymentIntent, and which events does Stripe make of it, in which order?

Every function changes the objects of a World and emits what Stripe would (https://docs.stripe.com/api/events/types,
https://docs.stripe.com/payments/paymentintents/lifecycle). A silent edit emits nothing: there is no
`payment_intent.updated`.
"""

from typing import Any

from reconciler.simulator import moves, objects
from reconciler.simulator.world import Json, World

BANK_DEBITS = {"eur": "sepa_debit", "usd": "us_bank_account", "gbp": "bacs_debit"}


def make_intent(world: World, *, amount: int, currency: str, **fields: Any) -> str:
    """Make a PaymentIntent; returns its id. Fields such as `metadata` are given by Stripe's names."""
    id_ = world.new_id("pi_")
    intent = objects.payment_intent(
        id_, amount=amount, currency=currency, created=world.now_s, **fields
    )
    world.emit("payment_intent.created", world.save(intent))
    return id_


def edit(world: World, intent_id: str, **fields: Any) -> None:
    """Change fields of a PaymentIntent, of which no event tells."""
    world.save(world.get(intent_id) | fields)


def fail(world: World, intent_id: str, code: str = "card_declined") -> None:
    """An attempt by card is declined: a charge that failed, and the PaymentIntent waits for another method."""
    intent = _with_method(world, intent_id)
    charge = objects.charge(world.new_id("ch_"), intent=intent, created=world.now_s)
    world.emit("charge.failed", world.save(charge | _failure(code)))
    _fall_back(world, intent, _error(intent, code, charge["id"]))


def fail_authentication(world: World, intent_id: str) -> None:
    """The customer does not pass 3-D Secure: the attempt never becomes a charge."""
    intent = world.get(intent_id)
    code = "payment_intent_authentication_failure"
    _fall_back(world, intent, _error(intent, code, None))


def require_action(world: World, intent_id: str) -> None:
    """The bank asks the customer to authenticate."""
    intent = _with_method(world, intent_id)
    action = {"type": "use_stripe_sdk", "use_stripe_sdk": {"type": "three_d_secure_redirect"}}
    _become(
        world,
        intent,
        "payment_intent.requires_action",
        status="requires_action",
        next_action=action,
        last_payment_error=None,
    )


def start_debit(world: World, intent_id: str) -> None:
    """A bank debit is on its way; it takes days."""
    intent = _with_method(world, intent_id)
    method = BANK_DEBITS[intent["currency"]]
    charge = world.save(
        objects.charge(
            world.new_id("py_"),
            intent=intent,
            created=world.now_s,
            paid=False,
            status="pending",
            payment_method_details={method: {"last4": "3000"}, "type": method},
        )
    )
    world.emit("charge.pending", charge)
    _become(
        world,
        intent,
        "payment_intent.processing",
        status="processing",
        latest_charge=charge["id"],
        last_payment_error=None,
        payment_method_types=[method],
    )


def finish_debit(world: World, intent_id: str) -> None:
    """The bank debit arrives; its balance transaction is known at once."""
    intent = world.get(intent_id)
    charge = world.get(intent["latest_charge"])
    charge |= {"status": "succeeded", "paid": True}
    _take(charge, charge["amount"], moves.took(world, charge, charge["amount"]))
    world.emit("charge.succeeded", world.save(charge))
    _succeed(world, intent, charge)


def fail_debit(world: World, intent_id: str, code: str = "insufficient_funds") -> None:
    """The bank debit does not arrive."""
    intent = world.get(intent_id)
    charge = world.save(world.get(intent["latest_charge"]) | _failure(code))
    world.emit("charge.failed", charge)
    _fall_back(world, intent, _error(intent, code, charge["id"]))


def succeed(world: World, intent_id: str) -> None:
    """A card pays. The balance transaction is known only later: see `settle`.

    https://docs.stripe.com/payments/payment-intents/asynchronous-capture
    """
    intent = _with_method(world, intent_id)
    charge = objects.charge(world.new_id("ch_"), intent=intent, created=world.now_s)
    _take(charge, charge["amount"], None)
    world.emit("charge.succeeded", world.save(charge))
    _succeed(world, intent, charge)


def settle(world: World, intent_id: str) -> None:
    """The balance transaction of a card's charge becomes known."""
    charge = world.get(world.get(intent_id)["latest_charge"])
    moved = moves.took(world, charge, charge["amount_captured"])
    before = {"balance_transaction": charge["balance_transaction"]}
    charge = world.save(charge | {"balance_transaction": moved["id"]})
    world.emit("charge.updated", charge, before)


def authorise(world: World, intent_id: str) -> None:
    """A card is authorised for a PaymentIntent with `capture_method` manual; nothing is taken yet."""
    intent = _with_method(world, intent_id)
    charge = objects.charge(world.new_id("ch_"), intent=intent, created=world.now_s)
    world.emit("charge.succeeded", world.save(charge))
    _become(
        world,
        intent,
        "payment_intent.amount_capturable_updated",
        status="requires_capture",
        amount_capturable=charge["amount"],
        latest_charge=charge["id"],
        last_payment_error=None,
        next_action=None,
    )


def capture(world: World, intent_id: str, amount: int, *, is_final: bool = True) -> None:
    """Take an amount of what was authorised; the last capture gives up the rest.

    With several captures the PaymentIntent succeeds at the last one only
    (https://docs.stripe.com/payments/multicapture).
    """
    intent = world.get(intent_id)
    charge = world.get(intent["latest_charge"])
    told = ("amount_captured", "amount_refunded", "balance_transaction", "captured")
    before = {key: charge[key] for key in told}
    _take(charge, amount, moves.took(world, charge, amount))
    if is_final:
        charge = _release(world, charge)
    world.emit("charge.captured", world.save(charge), before)
    if is_final:
        _succeed(world, intent, charge)
        return
    _become(
        world,
        intent,
        "payment_intent.amount_capturable_updated",
        amount_capturable=intent["amount_capturable"] - amount,
        amount_received=charge["amount_captured"],
    )


def cancel(world: World, intent_id: str, reason: str = "requested_by_customer") -> None:
    """A PaymentIntent is given up, and with it what was authorised and not taken.

    Of a hold that ends so, Stripe tells as of a refund.
    """
    intent = world.get(intent_id)
    if intent["status"] == "requires_capture":
        charge = _release(world, world.get(intent["latest_charge"]))
        world.emit("charge.refunded", charge, {"amount_refunded": 0, "refunded": False})
    _become(
        world,
        intent,
        "payment_intent.canceled",
        status="canceled",
        amount_capturable=0,
        canceled_at=world.now_s,
        cancellation_reason=reason,
        next_action=None,
    )


def charge_of(world: World, intent_id: str) -> Json:
    """The charge by which a PaymentIntent was paid last, as it is now."""
    return world.get(world.get(intent_id)["latest_charge"])


def _take(charge: Json, amount: int, moved: Json | None) -> None:
    charge["amount_captured"] += amount
    charge["captured"] = True
    if moved is not None and charge["balance_transaction"] is None:
        charge["balance_transaction"] = moved["id"]


def _release(world: World, charge: Json) -> Json:
    """Give up what was authorised and not taken: a refund that moves no money, of which no event of its own tells.

    "Any additional amount is automatically refunded": https://docs.stripe.com/api/payment_intents/capture and
    https://docs.stripe.com/api/payment_intents/cancel .
    """
    rest = charge["amount"] - charge["amount_captured"]
    if rest:
        refund = objects.refund(
            world.new_id("re_"), charge=charge, amount=rest, created=world.now_s, reason=None
        )
        world.save(refund)
    is_all = charge["amount_captured"] == 0
    return world.save(charge | {"amount_refunded": rest, "refunded": is_all})


def _succeed(world: World, intent: Json, charge: Json) -> None:
    _become(
        world,
        intent,
        "payment_intent.succeeded",
        status="succeeded",
        amount_capturable=0,
        amount_received=charge["amount_captured"],
        latest_charge=charge["id"],
        last_payment_error=None,
        next_action=None,
    )


def _fall_back(world: World, intent: Json, error: Json) -> None:
    _become(
        world,
        intent,
        "payment_intent.payment_failed",
        status="requires_payment_method",
        last_payment_error=error,
        latest_charge=error.get("charge", intent["latest_charge"]),
        next_action=None,
        payment_method=None,
    )


def _become(world: World, intent: Json, event_type: str, **fields: Any) -> None:
    world.emit(event_type, world.save(intent | fields))


def _with_method(world: World, intent_id: str) -> Json:
    return world.get(intent_id) | {"payment_method": world.new_id("pm_")}


def _failure(code: str) -> Json:
    return {
        "status": "failed",
        "paid": False,
        "failure_code": code,
        "failure_message": "The payment failed.",
        "outcome": {"network_status": "declined_by_network", "type": "issuer_declined"},
    }


def _error(intent: Json, code: str, charge_id: str | None) -> Json:
    error: Json = {
        "code": code,
        "message": "The payment failed.",
        "payment_method": {"id": intent["payment_method"], "object": "payment_method"},
        "type": "card_error" if charge_id else "invalid_request_error",
    }
    return error | {"charge": charge_id} if charge_id else error
