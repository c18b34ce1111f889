"""How does money leave again: by a refund, or by a dispute?

https://docs.stripe.com/refunds , https://docs.stripe.com/disputes/how-disputes-work
"""

from typing import Any

from reconciler.simulator import moves, objects
from reconciler.simulator.till import charge_of
from reconciler.simulator.world import Json, World


def refund(world: World, intent_id: str, amount: int, status: str = "succeeded") -> str:
    """Give money back; returns the refund's id. A pending one has left the balance as well."""
    charge = charge_of(world, intent_id)
    id_ = world.new_id("re_")
    moved = moves.gave_back(world, charge, id_, amount)
    made = objects.refund(
        id_,
        charge=charge,
        amount=amount,
        created=world.now_s,
        status=status,
        balance_transaction=moved["id"],
    )
    world.emit("refund.created", world.save(made))
    before = {key: charge[key] for key in ("amount_refunded", "refunded")}
    world.emit("charge.refunded", _refunded(world, charge, amount), before)
    return id_


def confirm_refund(world: World, refund_id: str) -> None:
    """A pending refund has arrived."""
    _change_refund(world, refund_id, status="succeeded")


def fail_refund(world: World, refund_id: str) -> None:
    """A refund could not be delivered, though it may have been called succeeded: its money is back."""
    refund = world.get(refund_id)
    charge = world.get(refund["charge"])
    moved = moves.returned(world, charge, refund_id, refund["amount"])
    _refunded(world, charge, -refund["amount"])
    _change_refund(
        world,
        refund_id,
        "refund.failed",
        status="failed",
        failure_reason="lost_or_stolen_card",
        failure_balance_transaction=moved["id"],
    )


def cancel_refund(world: World, refund_id: str) -> None:
    """A pending refund was called off: its money is back."""
    refund = world.get(refund_id)
    charge = world.get(refund["charge"])
    moved = moves.returned(world, charge, refund_id, refund["amount"])
    _refunded(world, charge, -refund["amount"])
    _change_refund(world, refund_id, status="canceled", failure_balance_transaction=moved["id"])


def open_inquiry(world: World, intent_id: str) -> str:
    """A bank asks what a payment is; no money moves. Returns the dispute's id."""
    charge = charge_of(world, intent_id)
    return _open(world, charge, status="warning_needs_response")


def close_inquiry(world: World, dispute_id: str) -> None:
    """The bank is content, or was silent for 120 days."""
    _change_dispute(world, dispute_id, "charge.dispute.closed", status="warning_closed")


def dispute(world: World, intent_id: str, **fields: Any) -> str:
    """A bank takes the money of a payment back; returns the dispute's id."""
    charge = charge_of(world, intent_id)
    id_ = world.new_id("du_")
    amount = charge["amount"] - charge["amount_refunded"]
    moved = moves.withdrew(world, charge, id_, amount)
    world.save(charge | {"disputed": True})
    _open(world, charge, id_, balance_transactions=[moved], **fields)
    world.emit("charge.dispute.funds_withdrawn", world.get(id_))
    return id_


def answer(world: World, dispute_id: str) -> None:
    """Evidence is handed in."""
    _change_dispute(world, dispute_id, "charge.dispute.updated", status="under_review")


def lose(world: World, dispute_id: str) -> None:
    """The bank decides for its customer; the money stays away."""
    _change_dispute(world, dispute_id, "charge.dispute.closed", status="lost")


def win(world: World, dispute_id: str) -> None:
    """The bank decides for the account, at first or after all; the money comes by `reinstate`."""
    was_lost = world.get(dispute_id)["status"] == "lost"
    type_ = "charge.dispute.updated" if was_lost else "charge.dispute.closed"
    _change_dispute(world, dispute_id, type_, status="won")


def reinstate(world: World, dispute_id: str) -> None:
    """The money of a dispute that was won is back."""
    dispute = world.get(dispute_id)
    charge = world.get(dispute["charge"])
    moved = moves.reinstated(world, charge, dispute_id, dispute["amount"])
    transactions = [*dispute["balance_transactions"], moved]
    _change_dispute(
        world,
        dispute_id,
        "charge.dispute.funds_reinstated",
        balance_transactions=transactions,
    )


def return_debit(world: World, intent_id: str) -> str:
    """The customer's bank takes a debit back after it had arrived: a dispute that is lost from its first moment.

    The PaymentIntent stays `succeeded` (https://docs.stripe.com/payments/ach-direct-debit).
    """
    id_ = dispute(world, intent_id, status="lost", reason="insufficient_funds")
    world.emit("charge.dispute.closed", world.get(id_))
    return id_


def _refunded(world: World, charge: Json, amount: int) -> Json:
    total = charge["amount_refunded"] + amount
    is_all = total == charge["amount"]
    return world.save(charge | {"amount_refunded": total, "refunded": is_all})


def _change_refund(
    world: World, refund_id: str, first_type: str = "refund.updated", **fields: Any
) -> None:
    refund, before = _changed(world, refund_id, fields)
    types = dict.fromkeys((first_type, "refund.updated", "charge.refund.updated"))
    for type_ in types:
        world.emit(type_, refund, before)


def _open(world: World, charge: Json, id_: str = "", **fields: Any) -> str:
    made = objects.dispute(
        id_ or world.new_id("du_"),
        charge=charge,
        amount=charge["amount"] - charge["amount_refunded"],
        created=world.now_s,
        **fields,
    )
    world.emit("charge.dispute.created", world.save(made))
    return str(made["id"])


def _change_dispute(world: World, dispute_id: str, event_type: str, **fields: Any) -> None:
    world.emit(event_type, *_changed(world, dispute_id, fields))


def _changed(world: World, id_: str, fields: Json) -> tuple[Json, Json]:
    """The object as it is from now on, and what the changed fields held before."""
    was = world.get(id_)
    return world.save(was | fields), {key: was.get(key) for key in fields}
