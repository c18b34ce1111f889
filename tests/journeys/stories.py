"""What does Stripe tell in these stories? Small builders of its JSON, and a client that signs and sends it."""

import hashlib
import hmac
import http.client
import json
import time
from dataclasses import dataclass
from typing import Any

SECRET = "whsec_0123456789abcdef"
Event = dict[str, Any]


def intent(id_: str, status: str, amount: int, *, invoice: str = "", **more: Any) -> Event:
    """Build a PaymentIntent in today's shape."""
    paid = status == "succeeded"
    return {
        "id": id_,
        "object": "payment_intent",
        "status": status,
        "amount": amount,
        "amount_received": amount if paid else 0,
        "amount_capturable": 0,
        "currency": "eur",
        "created": int(time.time()) - 600,
        "customer": None,
        "last_payment_error": None,
        "livemode": False,
        "receipt_email": None,
        "metadata": {"invoice_id": invoice} if invoice else {},
        "latest_charge": f"ch_{id_}" if paid else None,
        **more,
    }


def failed(id_: str, amount: int, *, invoice: str, code: str = "card_declined") -> Event:
    """Build a PaymentIntent after a failed attempt."""
    error = {"code": code, "charge": f"ch_{id_}_{code}", "type": "card_error"}
    status = "requires_payment_method"
    return intent(id_, status, amount, invoice=invoice, last_payment_error=error)


def link_session(id_: str, intent_id: str, amount: int, *, reference: str) -> Event:
    """Build the Checkout Session of a Payment Link that was paid."""
    return {
        "id": id_,
        "object": "checkout.session",
        "mode": "payment",
        "status": "complete",
        "payment_status": "paid",
        "payment_intent": intent_id,
        "payment_link": "plink_1",
        "client_reference_id": reference,
        "amount_total": amount,
        "currency": "eur",
        "created": int(time.time()) - 60,
        "customer_details": {"email": "payer@example.com"},
        "metadata": {},
    }


def event(id_: str, type_: str, about: Event, *, ago_s: int = 30, **more: Any) -> Event:
    """Build a snapshot event."""
    return {
        "id": id_,
        "object": "event",
        "type": type_,
        "created": int(time.time()) - ago_s,
        "livemode": False,
        "api_version": "2026-10-28.endive",
        "data": {"object": about},
        **more,
    }


@dataclass
class Sender:
    """Stripe's sending side: one connection, signed bodies, statuses back."""

    port: int
    connection: http.client.HTTPConnection | None = None

    def send(self, what: Event, *, secret: str = SECRET) -> int:
        """Send one event and return the status of the answer."""
        body = json.dumps(what).encode()
        at = int(time.time())
        digest = hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Stripe-Signature": f"t={at},v1={digest}"}
        try:
            self.connection.request("POST", "/api/webhooks/stripe", body, headers)
            answer = self.connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        return answer.status

    def close(self) -> None:
        """Close the connection."""
        if self.connection is not None:
            self.connection.close()
        self.connection = None
