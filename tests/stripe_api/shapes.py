"""How does Stripe write one payment down, in the API versions that can reach us?

Every builder makes the plainest object of its kind: ten euros, paid by card at noon. A test names only what matters to it.
The versions differ where https://docs.stripe.com/changelog says: 2022-11-15 took the charges out of the PaymentIntent and
the refunds out of the charge, and 2025-03-31 took `invoice` out of both.
"""

import json
from datetime import UTC, datetime
from typing import Any

from reconciler.stripe_api.envelope import StripeEvent, read_event

Json = dict[str, Any]

V2019 = "2019-05-16"
V2022 = "2022-11-15"
TODAY = "2026-10-28.endive"
VERSIONS = (V2019, V2022, TODAY)
NOON_S = int(datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp())
NOON_MS = NOON_S * 1000


def payment_intent(version: str = TODAY, **over: Any) -> Json:
    """Build a PaymentIntent that received its money, in the shape of a version."""
    shape: Json = {
        "id": "pi_1",
        "object": "payment_intent",
        "amount": 1000,
        "amount_capturable": 0,
        "amount_received": 1000,
        "application": None,
        "created": NOON_S - 60,
        "currency": "eur",
        "customer": "cus_1",
        "last_payment_error": None,
        "livemode": False,
        "metadata": {"invoice_id": "INV-7"},
        "receipt_email": "Payer@Example.com",
        "status": "succeeded",
    }
    if version == V2019:
        shape["charges"] = listing(charge(V2019))
    else:
        shape["latest_charge"] = "ch_1"
    return shape | _invoice(version) | over


def charge(version: str = TODAY, **over: Any) -> Json:
    """Build the charge of that PaymentIntent, in the shape of a version."""
    shape: Json = {
        "id": "ch_1",
        "object": "charge",
        "amount": 1000,
        "amount_refunded": 0,
        "application": None,
        "balance_transaction": "txn_1",
        "billing_details": {"email": "billing@example.com"},
        "captured": True,
        "created": NOON_S - 5,
        "currency": "eur",
        "customer": "cus_1",
        "failure_code": None,
        "livemode": False,
        "metadata": {"invoice_id": "INV-7"},
        "payment_intent": "pi_1",
        "payment_method_details": {"type": "card"},
        "receipt_email": None,
        "status": "succeeded",
    }
    if version == V2019:
        shape["refunds"] = listing()
    else:
        shape["amount_captured"] = 1000
    return shape | _invoice(version) | over


def refund(**over: Any) -> Json:
    """Build a refund of four euros of that charge; it has one shape in all versions."""
    return {
        "id": "re_1",
        "object": "refund",
        "amount": 400,
        "balance_transaction": "txn_2",
        "charge": "ch_1",
        "created": NOON_S,
        "currency": "eur",
        "metadata": {},
        "payment_intent": "pi_1",
        "status": "pending",
    } | over


def dispute(**over: Any) -> Json:
    """Build a dispute over the whole charge, with the withdrawal that it caused."""
    return {
        "id": "dp_1",
        "object": "dispute",
        "amount": 1000,
        "balance_transactions": [withdrawal()],
        "charge": "ch_1",
        "created": NOON_S,
        "currency": "eur",
        "evidence_details": {"due_by": NOON_S + 604_800},
        "livemode": False,
        "metadata": {},
        "payment_intent": "pi_1",
        "reason": "fraudulent",
        "status": "needs_response",
    } | over


def checkout_session(**over: Any) -> Json:
    """Build a completed Checkout Session, the one that made the PaymentIntent."""
    return {
        "id": "cs_test_1",
        "object": "checkout.session",
        "amount_total": 1000,
        "client_reference_id": "INV-7",
        "created": NOON_S - 90,
        "currency": "eur",
        "customer_details": {"email": "payer@example.com"},
        "customer_email": None,
        "livemode": False,
        "metadata": {"invoice_id": "INV-7"},
        "mode": "payment",
        "payment_intent": "pi_1",
        "payment_link": None,
        "payment_status": "paid",
        "status": "complete",
    } | over


def balance_transaction(**over: Any) -> Json:
    """Build the balance transaction of the charge."""
    return {
        "id": "txn_1",
        "object": "balance_transaction",
        "amount": 1000,
        "available_on": NOON_S + 86_400,
        "created": NOON_S,
        "currency": "eur",
        "exchange_rate": None,
        "fee": 39,
        "net": 961,
        "reporting_category": "charge",
        "source": "ch_1",
        "type": "charge",
    } | over


def withdrawal() -> Json:
    """Build the balance transaction that a dispute makes."""
    money: Json = {"amount": -1000, "fee": 1500, "net": -2500}
    words: Json = {"type": "adjustment", "reporting_category": "dispute", "source": "dp_1"}
    return balance_transaction(id="txn_3", **money, **words)


def listing(*objects: Json, has_more: bool = False) -> Json:
    """Build the list in which Stripe embeds objects."""
    return {"object": "list", "data": list(objects), "has_more": has_more, "url": "/v1/list"}


def event(type_: str, obj: Json, **over: Any) -> Json:
    """Build a snapshot event about an object."""
    return {
        "id": "evt_1",
        "object": "event",
        "api_version": TODAY,
        "created": NOON_S,
        "data": {"object": obj},
        "livemode": False,
        "pending_webhooks": 1,
        "type": type_,
    } | over


def thin_event(kind: str = "payment_intent", id_: str = "pi_1", **over: Any) -> Json:
    """Build a thin event: it names its object and does not show it."""
    return {
        "id": "evt_1",
        "object": "v2.core.event",
        "created": "2026-03-02T12:00:00.250Z",
        "livemode": False,
        "related_object": {"id": id_, "type": kind, "url": f"/v1/{kind}s/{id_}"},
        "type": f"v1.{kind}.updated",
    } | over


def body(event: Json) -> bytes:
    """Return the bytes in which an event arrives."""
    return json.dumps(event, indent=2).encode()


def received(type_: str, obj: Json, **over: Any) -> StripeEvent:
    """Return an event as the envelope was read."""
    return read_event(body(event(type_, obj, **over)))


def _invoice(version: str) -> Json:
    return {} if version == TODAY else {"invoice": None}
