"""What does a balance transaction say? (https://docs.stripe.com/api/balance_transactions/object)"""

from types import MappingProxyType
from typing import Final

from reconciler.core.observation import TransactionSeen
from reconciler.stripe_api.translate.fields import (
    Json,
    currency,
    decimal_text,
    name,
    part,
    signed_minor,
    stated_link,
    time_ms,
)
from reconciler.stripe_api.translate.said import Part, Parts

# Where the reporting category is missing (https://docs.stripe.com/reports/reporting-categories). An `adjustment` may be a
# dispute, its reversal or neither, so that it stays unknown, as does every type that is not here.
_CATEGORY_BY_TYPE: Final = MappingProxyType(
    {
        "charge": "charge",
        "payment": "charge",
        "refund": "refund",
        "payment_refund": "refund",
        "refund_failure": "refund_failure",
        "payment_failure_refund": "charge_failure",
    }
)

_SOURCES: Final = frozenset({"charge", "refund", "dispute"})


def transaction(obj: Json) -> TransactionSeen:
    """Return what a balance transaction says, in minor units of the settlement currency; fees have no source."""
    type_ = name(obj, "type")
    given = obj.get("reporting_category") is not None
    return TransactionSeen(
        id=name(obj, "id"),
        source=stated_link(obj, "source") or "",
        type=type_,
        category=name(obj, "reporting_category") if given else _CATEGORY_BY_TYPE.get(type_, ""),
        currency=currency(obj, "currency"),
        amount_minor=signed_minor(obj, "amount"),
        fee_minor=signed_minor(obj, "fee"),
        net_minor=signed_minor(obj, "net"),
        exchange_rate=decimal_text(obj, "exchange_rate"),
        created_ms=time_ms(obj, "created"),
        available_on_ms=time_ms(obj, "available_on"),
    )


def transaction_parts(obj: Json) -> Parts:
    """Find the source of a balance transaction where it is expanded and of a kind that we read."""
    source = part(obj, "source")
    if source is not None and source.get("object") in _SOURCES:
        yield Part(source["object"], source)
