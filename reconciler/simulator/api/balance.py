"""How much money does the account hold just now?

https://docs.stripe.com/api/balance/balance_object
"""

from collections import Counter

from reconciler.simulator.world import Json, World


def balance(world: World) -> Json:
    """The balance object: `available` and `pending` add up to all that ever moved, by currency.

    What comes is pending until it can be paid out; what leaves is missing at once from what is available, a payout too that is
    still on its way to the bank.
    """
    available: Counter[str] = Counter()
    pending: Counter[str] = Counter()
    for each in world.rows("balance_transaction"):
        waits = each["net"] > 0 and each["available_on"] > world.now_s
        (pending if waits else available)[each["currency"]] += each["net"]
    currencies = sorted({world.settles_in, *world.banks, *available, *pending})
    return {
        "object": "balance",
        "available": [_amount(available[each], each) for each in currencies],
        "instant_available": None,
        "livemode": False,
        "pending": [_amount(pending[each], each) for each in currencies],
        "refund_and_dispute_prefunding": None,
    }


def _amount(minor: int, currency: str) -> Json:
    return {"amount": minor, "currency": currency, "source_types": {"card": minor}}
