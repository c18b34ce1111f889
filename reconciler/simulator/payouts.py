"""When does the account's money go to its bank, and what if it does not arrive there?

Of automatic payouts Stripe tells what is in them, of those that somebody asked for it does not
(https://docs.stripe.com/payouts/reconciliation , https://docs.stripe.com/api/payouts/object).
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from reconciler.simulator import moves, objects
from reconciler.simulator.world import Json, World


def pay_out(world: World) -> list[str]:
    """Pay out what is available, once in each currency in which that is more than nothing; returns the payouts' ids."""
    available: dict[str, list[Json]] = defaultdict(list)
    for each in world.rows("balance_transaction"):
        if "paid_in" not in each and each["available_on"] <= world.now_s:
            available[each["currency"]].append(each)
    return [
        _make(world, currency, moved)
        for currency, moved in sorted(available.items())
        if sum(each["net"] for each in moved) > 0
    ]


def pay_out_by_hand(world: World, amount: int, currency: str) -> str:
    """Somebody asks for a payout of an amount, by which the next automatic one is smaller; returns its id."""
    payout = objects.payout(
        world.new_id("po_"),
        amount=amount,
        currency=currency,
        created=world.now_s,
        arrival_date=_arrival_s(world),
        automatic=False,
        reconciliation_status="not_applicable",
    )
    own = moves.paid_out(world, payout)
    # It has left what can be paid out already now, though the bank has it only in some days.
    world.save(own | {"available_on": world.now_s})
    world.emit("payout.created", world.save(payout | {"balance_transaction": own["id"]}))
    return str(payout["id"])


def submit(world: World, payout_id: str) -> None:
    """The payout is handed to the bank."""
    before = {"status": world.get(payout_id)["status"]}
    _become(world, payout_id, "payout.updated", before, status="in_transit")


def tell_composition(world: World, payout_id: str) -> None:
    """Only now all that is in the payout can be listed by it, its own balance transaction included."""
    for each in world.rows("balance_transaction"):
        if each.get("paid_in") == payout_id:
            world.save(each | {"payout": payout_id})
    type_ = "payout.reconciliation_completed"
    _become(world, payout_id, type_, reconciliation_status="completed")


def arrive(world: World, payout_id: str) -> None:
    """The payout should be on the bank account; it may yet fail."""
    world.save(_own_move(world, payout_id) | {"status": "available"})
    _become(world, payout_id, "payout.paid", status="paid")


def fail(world: World, payout_id: str, code: str = "account_closed") -> None:
    """The bank sends the payout back, even days after it was called paid: its money waits for the next payout."""
    moved = moves.bounced(world, world.get(payout_id))
    world.save(_own_move(world, payout_id) | {"status": "available"})
    _become(
        world,
        payout_id,
        "payout.failed",
        status="failed",
        failure_balance_transaction=moved["id"],
        failure_code=code,
        failure_message="The payout failed.",
    )


def _make(world: World, currency: str, moved: Sequence[Json]) -> str:
    payout = objects.payout(
        world.new_id("po_"),
        amount=sum(each["net"] for each in moved),
        currency=currency,
        created=world.now_s,
        arrival_date=_arrival_s(world),
    )
    own = moves.paid_out(world, payout)
    for each in moved:
        world.save(each | {"paid_in": payout["id"], "status": "available"})
    world.save(own | {"paid_in": payout["id"]})
    world.emit("payout.created", world.save(payout | {"balance_transaction": own["id"]}))
    return str(payout["id"])


def _arrival_s(world: World) -> int:
    """The beginning of the day after tomorrow: Stripe names days, by their midnight in UTC."""
    day_s = max(1, world.day_ms // 1000)
    return (world.now_s // day_s + 2) * day_s


def _own_move(world: World, payout_id: str) -> Json:
    return world.get(world.get(payout_id)["balance_transaction"])


def _become(
    world: World, payout_id: str, event_type: str, before: Json | None = None, **fields: Any
) -> None:
    world.emit(event_type, world.save(world.get(payout_id) | fields), before)
