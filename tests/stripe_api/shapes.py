"""What does Stripe's JSON look like, in each API version that we must read?

Small builders for other tests. The versions differ where Stripe's changelog says so: 2019-05-16 embeds the charges of a
PaymentIntent and the refunds of a charge, 2022-11-15 names the latest charge instead, 2025-03-31.basil drops `invoice`
from both. Any field can be given by its own name; it is then what it is given as.
"""

import json
from collections.abc import Sequence
from typing import Any

V2019 = "2019-05-16"
V2022 = "2022-11-15"
BASIL = "2025-03-31.basil"
ENDIVE = "2026-10-28.endive"
VERSIONS = (V2019, V2022, BASIL, ENDIVE)

T0_S = 1_790_000_000

Json = dict[str, Any]


def payment_intent(
    id: str = "pi_1",  # noqa: A002 - the field's own name
    *,
    status: str = "succeeded",
    amount: int = 1000,
    currency: str = "usd",
    version: str = ENDIVE,
    charges: Sequence[Json] = (),
    expand: bool = False,
    **fields: Any,
) -> Json:
    """Build a PaymentIntent; the last of its charges is the latest one."""
    built: Json = {
        "id": id,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": amount if status == "requires_capture" else 0,
        "amount_received": amount if status == "succeeded" else 0,
        "application": None,
        "canceled_at": None,
        "capture_method": "automatic",
        "created": T0_S,
        "currency": currency,
        "customer": "cus_1",
        "last_payment_error": None,
        "livemode": False,
        "metadata": {"invoice_id": "INV-7"},
        "next_action": None,
        "payment_method": "pm_1",
        "receipt_email": None,
        "status": status,
    }
    if version < BASIL:
        built["invoice"] = None
    if version < V2022:
        built["charges"] = _page(charges, f"/v1/charges?payment_intent={id}")
        built["source"] = None
    else:
        latest = charges[-1] if charges else None
        built["latest_charge"] = latest if expand or latest is None else latest["id"]
    return built | fields


def charge(
    id: str = "ch_1",  # noqa: A002 - the field's own name
    *,
    intent: str | Json | None = "pi_1",
    status: str = "succeeded",
    amount: int = 1000,
    currency: str = "usd",
    version: str = ENDIVE,
    refunds: Sequence[Json] = (),
    **fields: Any,
) -> Json:
    """Build a charge of a card; its refunds are embedded in the oldest version only."""
    is_paid = status == "succeeded"
    built: Json = {
        "id": id,
        "object": "charge",
        "amount": amount,
        "amount_captured": amount if is_paid else 0,
        "amount_refunded": sum(each["amount"] for each in refunds),
        "application": None,
        "balance_transaction": "txn_1" if is_paid else None,
        "billing_details": {"address": None, "email": " Jenny@Example.com ", "name": "Jenny Rosen"},
        "captured": is_paid,
        "created": T0_S + 5,
        "currency": currency,
        "customer": "cus_1",
        "disputed": False,
        "failure_code": "card_declined" if status == "failed" else None,
        "livemode": False,
        "metadata": {"invoice_id": "INV-7"},
        "paid": is_paid,
        "payment_intent": intent,
        "payment_method": "pm_1",
        "payment_method_details": {"card": {"brand": "visa"}, "type": "card"},
        "receipt_email": None,
        "refunded": False,
        "status": status,
    }
    if version < BASIL:
        built["invoice"] = None
    if version < V2022:
        del built["amount_captured"]
        built["refunds"] = _page(refunds, f"/v1/charges/{id}/refunds")
    return built | fields


def refund(
    id: str = "re_1",  # noqa: A002 - the field's own name
    *,
    charge: str | Json | None = "ch_1",
    intent: str | Json | None = "pi_1",
    status: str = "succeeded",
    amount: int = 400,
    version: str = ENDIVE,
    **fields: Any,
) -> Json:
    """Build a refund; today's names the method by which it goes back as well."""
    built: Json = {
        "id": id,
        "object": "refund",
        "amount": amount,
        "balance_transaction": "txn_2",
        "charge": charge,
        "created": T0_S + 60,
        "currency": "usd",
        "metadata": {},
        "payment_intent": intent,
        "reason": None,
        "status": status,
    }
    if version >= V2022:
        built["destination_details"] = {"card": {"type": "reversal"}, "type": "card"}
    return built | fields


def dispute(
    id: str = "dp_1",  # noqa: A002 - the field's own name
    *,
    charge: str | Json = "ch_1",
    intent: str | Json | None = "pi_1",
    status: str = "needs_response",
    amount: int = 1000,
    version: str = ENDIVE,
    transactions: Sequence[Json] = (),
    **fields: Any,
) -> Json:
    """Build a dispute; its balance transactions stand in it whole."""
    built: Json = {
        "id": id,
        "object": "dispute",
        "amount": amount,
        "balance_transactions": list(transactions),
        "charge": charge,
        "created": T0_S + 90,
        "currency": "usd",
        "evidence_details": {"due_by": T0_S + 900, "has_evidence": False},
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": intent,
        "reason": "fraudulent",
        "status": status,
    }
    if version >= BASIL:
        built["enhanced_eligibility_types"] = []
    return built | fields


def checkout_session(
    id: str = "cs_test_1",  # noqa: A002 - the field's own name
    *,
    intent: str | Json | None = "pi_1",
    payment_status: str = "paid",
    amount: int | None = 1000,
    version: str = ENDIVE,
    **fields: Any,
) -> Json:
    """Build a completed Session in payment mode; the oldest version has no status."""
    built: Json = {
        "id": id,
        "object": "checkout.session",
        "amount_total": amount,
        "client_reference_id": "INV-7",
        "created": T0_S - 30,
        "currency": None if amount is None else "usd",
        "customer_details": {"email": "jenny@example.com", "name": None},
        "livemode": False,
        "metadata": {"invoice_id": "INV-7"},
        "mode": "payment",
        "payment_intent": intent,
        "payment_link": "plink_1",
        "payment_status": payment_status,
    }
    if version >= V2022:
        built["status"] = "complete"
    return built | fields


def balance_transaction(
    id: str = "txn_1",  # noqa: A002 - the field's own name
    *,
    source: str | Json | None = "ch_1",
    type: str = "charge",  # noqa: A002 - the field's own name
    amount: int = 1000,
    fee: int = 59,
    version: str = ENDIVE,
    **fields: Any,
) -> Json:
    """Build a balance transaction; the oldest version has no reporting category."""
    built: Json = {
        "id": id,
        "object": "balance_transaction",
        "amount": amount,
        "available_on": T0_S + 172_800,
        "created": T0_S + 5,
        "currency": "usd",
        "exchange_rate": None,
        "fee": fee,
        "net": amount - fee,
        "source": source,
        "status": "pending",
        "type": type,
    }
    if version >= V2022:
        built["reporting_category"] = type
    return built | fields


def event(
    type: str,  # noqa: A002 - the field's own name
    obj: Json,
    *,
    id: str = "evt_1",  # noqa: A002 - the field's own name
    created: int = T0_S + 10,
    version: str = ENDIVE,
    **fields: Any,
) -> Json:
    """Build a snapshot event around an object."""
    built: Json = {
        "id": id,
        "object": "event",
        "api_version": version,
        "created": created,
        "data": {"object": obj},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": type,
    }
    return built | fields


def thin_event(
    type: str,  # noqa: A002 - the field's own name
    related: tuple[str, str] | None,
    **fields: Any,
) -> Json:
    """Build a thin event that names a related object by (kind, id)."""
    named = {"type": related[0], "id": related[1], "url": "/v1/x"} if related else None
    built: Json = {
        "id": "evt_thin_1",
        "object": "v2.core.event",
        "context": None,
        "created": "2026-11-23T11:00:00.123Z",
        "livemode": False,
        "related_object": named,
        "type": type,
    }
    return built | fields


def body(event: Json) -> bytes:
    """Return the bytes that Stripe would send: JSON with two spaces of indentation."""
    return json.dumps(event, indent=2).encode()


def _page(objects: Sequence[Json], url: str) -> Json:
    return {
        "object": "list",
        "data": list(objects),
        "has_more": False,
        "total_count": len(objects),
        "url": url,
    }
