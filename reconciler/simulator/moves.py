"""How does money move on the account's balance? One balance transaction a movement, in the settlement currency.

https://docs.stripe.com/api/balance_transactions/object , https://docs.stripe.com/reports/balance-transaction-types
"""

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final

from reconciler.simulator import objects
from reconciler.simulator.world import Json, World

# What one major unit is worth in euro. Made up, and it never changes, so that what comes back equals what went.
_WORTH_IN_EUR: Final = {
    "eur": Decimal(1),
    "usd": Decimal("0.92"),
    "gbp": Decimal("1.17"),
    "jpy": Decimal("0.0062"),
    "kwd": Decimal("2.99"),
}
_DECIMALS: Final = {"jpy": 0, "kwd": 3}
_DISPUTE_FEE: Final = 2000
# How many days pass until money that came can be paid out.
_AVAILABLE_AFTER_DAYS: Final = 2


def took(world: World, charge: Json, amount: int) -> Json:
    """Money of a charge came, less the fee; `amount` in minor units of the charge's currency."""
    is_card = charge["payment_method_details"]["type"] == "card"
    own = charge["currency"]
    settled = converted(amount, own, settled_in(world, own))
    fee = settled * 15 // 1000 + 25
    type_ = "charge" if is_card else "payment"
    return _move(
        world, charge, type_, amount, source=charge["id"], fee=fee, reporting_category="charge"
    )


def gave_back(world: World, charge: Json, refund_id: str, amount: int) -> Json:
    """A refund left the balance; the fee of the payment is not returned (https://docs.stripe.com/refunds)."""
    is_card = charge["payment_method_details"]["type"] == "card"
    type_ = "refund" if is_card else "payment_refund"
    return _move(world, charge, type_, -amount, source=refund_id, reporting_category="refund")


def returned(world: World, charge: Json, refund_id: str, amount: int) -> Json:
    """A refund did not reach the customer, and its money is back."""
    return _move(world, charge, "refund_failure", amount, source=refund_id)


def withdrew(world: World, charge: Json, dispute_id: str, amount: int) -> Json:
    """A dispute took the money, and a fee with it."""
    fields = {"source": dispute_id, "fee": _DISPUTE_FEE, "reporting_category": "dispute"}
    return _move(world, charge, "adjustment", -amount, **fields)


def reinstated(world: World, charge: Json, dispute_id: str, amount: int) -> Json:
    """A dispute that was won gave the money back."""
    fields = {"source": dispute_id, "reporting_category": "dispute_reversal"}
    return _move(world, charge, "adjustment", amount, **fields)


def paid_out(world: World, payout: Json) -> Json:
    """A payout left the balance; it is still on its way until the day on which it should arrive."""
    fields = {"source": payout["id"], "available_on": payout["arrival_date"], "status": "pending"}
    return _book(world, "payout", -payout["amount"], payout["currency"], **fields)


def bounced(world: World, payout: Json) -> Json:
    """A payout failed, and its money is back and can be paid out at once."""
    return _book(
        world,
        "payout_failure",
        payout["amount"],
        payout["currency"],
        source=payout["id"],
        available_on=world.now_s,
        status="available",
        reporting_category="payout_reversal",
    )


def settled_in(world: World, currency: str) -> str:
    """The currency in which the account keeps what it is paid in a currency."""
    return currency if currency in world.banks else world.settles_in


def converted(amount: int, currency: str, to: str) -> int:
    """Minor units of one currency in minor units of another."""
    if currency == to:
        return amount
    major = Decimal(amount).scaleb(-_DECIMALS.get(currency, 2)) * _rate(currency, to)
    minor = major.scaleb(_DECIMALS.get(to, 2)).quantize(Decimal(1), rounding=ROUND_HALF_EVEN)
    return int(minor)


def _rate(currency: str, to: str) -> Decimal:
    return (_WORTH_IN_EUR[currency] / _WORTH_IN_EUR[to]).quantize(Decimal("0.000001"))


def _move(world: World, charge: Json, type_: str, amount: int, **fields: Any) -> Json:
    own = charge["currency"]
    currency = settled_in(world, own)
    rate = None if own == currency else float(_rate(own, currency))
    moved = converted(amount, own, currency)
    when = _availability(world, moved)
    booked = _book(world, type_, moved, currency, **when, **fields, exchange_rate=rate)
    world.presented[booked["id"]] = (amount, own)
    return booked


def _availability(world: World, amount: int) -> Json:
    """What comes can be paid out days later, what leaves is missing at once."""
    if amount < 0:
        return {"available_on": world.now_s, "status": "available"}
    days_s = _AVAILABLE_AFTER_DAYS * world.day_ms // 1000
    return {"available_on": world.now_s + days_s, "status": "pending"}


def _book(world: World, type_: str, amount: int, currency: str, **fields: Any) -> Json:
    return world.save(
        objects.balance_transaction(
            world.new_id("txn_"),
            type_=type_,
            amount=amount,
            currency=currency,
            created=world.now_s,
            **fields,
        )
    )
