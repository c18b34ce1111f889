"""Which objects can be read, where, and by what can their lists be narrowed?

One row a resource, after its page below https://docs.stripe.com/api
"""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """A kind of object: Stripe's word for it, its path below /v1, and the fields that a list can be narrowed by.

    `unserved` fields stand in the world and are never shown: Stripe tells the secret of an endpoint only when it is made,
    and the payout of a balance transaction not at all, although a list can be narrowed by it once the payout's
    composition is known; before that, `paid_in` keeps it to ourselves.
    """

    kind: str
    path: str
    filters: frozenset[str] = frozenset()
    expandable: frozenset[str] = frozenset()
    unserved: frozenset[str] = frozenset()

    @property
    def right(self) -> str:
        """The word for it in the rights of a restricted key."""
        return self.kind.replace(".", "_")


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


EVENT: Final = Resource(
    kind="event", path="events", filters=_words("created type types delivery_success")
)

_ALL: Final = (
    EVENT,
    Resource(
        kind="payment_intent",
        path="payment_intents",
        filters=_words("created customer"),
        expandable=_words("latest_charge"),
    ),
    Resource(
        kind="charge",
        path="charges",
        filters=_words("created customer payment_intent"),
        expandable=_words("balance_transaction failure_balance_transaction payment_intent refunds"),
    ),
    Resource(
        kind="refund",
        path="refunds",
        filters=_words("created charge payment_intent"),
        expandable=_words("balance_transaction charge failure_balance_transaction payment_intent"),
    ),
    Resource(
        kind="dispute",
        path="disputes",
        filters=_words("created charge payment_intent"),
        expandable=_words("charge payment_intent"),
    ),
    Resource(
        kind="checkout.session",
        path="checkout/sessions",
        filters=_words("created customer payment_intent payment_link status"),
        expandable=_words("payment_intent payment_link"),
    ),
    Resource(kind="payment_link", path="payment_links", filters=_words("active")),
    Resource(
        kind="balance_transaction",
        path="balance_transactions",
        filters=_words("created currency payout source type"),
        expandable=_words("source"),
        unserved=_words("paid_in payout"),
    ),
    Resource(
        kind="payout",
        path="payouts",
        filters=_words("arrival_date created destination status"),
        expandable=_words("balance_transaction failure_balance_transaction"),
    ),
    Resource(kind="balance", path="balance"),
    Resource(kind="webhook_endpoint", path="webhook_endpoints", unserved=_words("secret")),
    Resource(kind="account", path="account"),
)

BY_PATH: Final = MappingProxyType({each.path: each for each in _ALL})
BY_KIND: Final = MappingProxyType({each.kind: each for each in _ALL})
