"""Which of Stripe's addresses are read, and how is one named without the id in it?"""

from typing import Final

# Where a list stands, its objects stand below it by their ids; below the balance is nothing: https://docs.stripe.com/api
LISTS: Final = frozenset(
    {
        "/v1/balance",
        "/v1/balance_transactions",
        "/v1/charges",
        "/v1/checkout/sessions",
        "/v1/disputes",
        "/v1/events",
        "/v1/payment_intents",
        "/v1/payouts",
        "/v1/refunds",
        "/v1/webhook_endpoints",
    }
)
_OTHER: Final = "other"


def template_of(path: str) -> str:
    """The path with `{id}` in place of an id; "other" for one that is not known, whatever stands in it."""
    if path in LISTS:
        return path
    above, _, _id = path.rpartition("/")
    return f"{above}/{{id}}" if above in LISTS else _OTHER
