"""Bodies of Stripe's events, written by hand from its reference: nothing here trusts our own reader."""

import json
import time


def intent(id_: str = "pi_1", **changes: object) -> dict[str, object]:
    """Return a PaymentIntent of 12.50 USD that succeeded and names the invoice `inv_1`."""
    return {
        "id": id_,
        "object": "payment_intent",
        "amount": 1250,
        "amount_received": 1250,
        "amount_capturable": 0,
        "currency": "usd",
        "created": int(time.time()) - 60,
        "status": "succeeded",
        "metadata": {"invoice_id": "inv_1"},
        "last_payment_error": None,
        "latest_charge": None,
        "receipt_email": None,
        **changes,
    }


def event(about: dict[str, object], type_: str = "payment_intent.succeeded") -> bytes:
    """Return the body of an event about an object; its id follows from both."""
    return json.dumps(
        {
            "id": f"evt_{about['id']}_{type_.rpartition('.')[2]}",
            "object": "event",
            "api_version": "2026-10-28.endive",
            "created": int(time.time()) - 30,
            "data": {"object": about},
            "livemode": False,
            "type": type_,
        }
    ).encode()
