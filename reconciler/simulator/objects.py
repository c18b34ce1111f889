"""What does each object of Stripe's look like when it is new, in the newest shape?

Plain JSON with the fields that readers of a payment ask for (https://docs.stripe.com/api). Other objects are named by their
ids, unexpanded; only a dispute holds its balance transactions whole, as at Stripe. Any field can be given by its own name.
"""

from typing import Any

from reconciler.simulator.world import Json

CARD_DETAILS: Json = {
    "card": {"brand": "visa", "country": "FR", "exp_month": 12, "exp_year": 2031, "last4": "4242"},
    "type": "card",
}


def payment_intent(id_: str, *, amount: int, currency: str, created: int, **fields: Any) -> Json:
    """A PaymentIntent that waits for a payment method. `amount` in minor units, `created` in seconds."""
    built: Json = {
        "id": id_,
        "object": "payment_intent",
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": f"{id_}_secret_simulated",
        "confirmation_method": "automatic",
        "created": created,
        "currency": currency,
        "customer": None,
        "description": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": {},
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_options": {},
        "payment_method_types": ["card"],
        "receipt_email": None,
        "setup_future_usage": None,
        "shipping": None,
        "statement_descriptor": None,
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
    }
    return built | fields


def charge(id_: str, *, intent: Json, created: int, **fields: Any) -> Json:
    """A charge of a PaymentIntent that went through, but of which nothing is captured yet."""
    built: Json = {
        "id": id_,
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "application": None,
        "balance_transaction": None,
        "billing_details": {
            "address": None,
            "email": intent["receipt_email"],
            "name": None,
            "phone": None,
        },
        "calculated_statement_descriptor": "SIMULATED",
        "captured": False,
        "created": created,
        "currency": intent["currency"],
        "customer": None,
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        "metadata": dict(intent["metadata"]),
        "outcome": {"network_status": "approved_by_network", "type": "authorized"},
        "paid": True,
        "payment_intent": intent["id"],
        "payment_method": intent["payment_method"],
        "payment_method_details": CARD_DETAILS,
        "receipt_email": intent["receipt_email"],
        "refunded": False,
        "status": "succeeded",
    }
    return built | fields


def refund(id_: str, *, charge: Json, amount: int, created: int, **fields: Any) -> Json:
    """A refund that went through."""
    built: Json = {
        "id": id_,
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": created,
        "currency": charge["currency"],
        "destination_details": {"card": {"type": "refund"}, "type": "card"},
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "reason": "requested_by_customer",
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "succeeded",
        "transfer_reversal": None,
    }
    return built | fields


def dispute(id_: str, *, charge: Json, amount: int, created: int, **fields: Any) -> Json:
    """A dispute that waits for an answer, before any money has moved."""
    built: Json = {
        "id": id_,
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": created,
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": {},
        "evidence_details": {
            "due_by": created + 9 * 86_400,
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": False,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {"card": {"brand": "visa", "case_type": "chargeback"}},
        "reason": "fraudulent",
        "status": "needs_response",
    }
    return built | fields


def checkout_session(id_: str, *, amount: int, currency: str, created: int, **fields: Any) -> Json:
    """A Session that is open for a customer; its PaymentIntent is made when they pay."""
    built: Json = {
        "id": id_,
        "object": "checkout.session",
        "amount_subtotal": amount,
        "amount_total": amount,
        "cancel_url": None,
        "client_reference_id": None,
        "created": created,
        "currency": currency,
        "customer": None,
        "customer_details": None,
        "customer_email": None,
        "expires_at": created + 86_400,
        "livemode": False,
        "metadata": {},
        "mode": "payment",
        "payment_intent": None,
        "payment_link": None,
        "payment_method_types": ["card"],
        "payment_status": "unpaid",
        "presentment_details": None,
        "recovered_from": None,
        "status": "open",
        "success_url": "https://shop.example/thanks",
        "url": f"https://checkout.example/c/pay/{id_}",
    }
    return built | fields


def payment_link(id_: str, *, currency: str, created: int, **fields: Any) -> Json:
    """A Payment Link that anybody may pay by."""
    built: Json = {
        "id": id_,
        "object": "payment_link",
        "active": True,
        "created": created,
        "currency": currency,
        "livemode": False,
        "metadata": {},
        "payment_intent_data": None,
        "url": f"https://buy.example/{id_}",
    }
    return built | fields


def balance_transaction(
    id_: str, *, type_: str, amount: int, currency: str, created: int, **fields: Any
) -> Json:
    """A movement of money in the settlement currency; `amount` is negative where money leaves."""
    fee = fields.get("fee", 0)
    built: Json = {
        "id": id_,
        "object": "balance_transaction",
        "amount": amount,
        "available_on": created,
        "balance_type": "payments",
        "created": created,
        "currency": currency,
        "description": None,
        "exchange_rate": None,
        "fee": 0,
        "fee_details": [],
        "net": amount - fee,
        "reporting_category": type_,
        "source": None,
        "status": "available",
        "type": type_,
    }
    if fee:
        kind = {"amount": fee, "application": None, "currency": currency, "type": "stripe_fee"}
        built["fee_details"] = [kind]
    return built | fields


def payout(id_: str, *, amount: int, currency: str, created: int, **fields: Any) -> Json:
    """An automatic payout to the account's bank that has not been handed to it yet."""
    built: Json = {
        "id": id_,
        "object": "payout",
        "amount": amount,
        "application_fee": None,
        "application_fee_amount": None,
        "arrival_date": created,
        "automatic": True,
        "balance_transaction": None,
        "created": created,
        "currency": currency,
        "description": "STRIPE PAYOUT",
        "destination": f"ba_1Simulated{currency}",
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "livemode": False,
        "metadata": {},
        "method": "standard",
        "original_payout": None,
        "payout_method": None,
        "reconciliation_status": "in_progress",
        "reversed_by": None,
        "source_type": "card",
        "statement_descriptor": None,
        "status": "pending",
        "trace_id": None,
        "type": "bank_account",
    }
    return built | fields
