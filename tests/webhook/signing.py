"""Sign bodies as Stripe does, with an HMAC of our own: nothing here trusts the code that is tested."""

import hashlib
import hmac
import json
from datetime import datetime

SECRET = "whsec_0123456789abcdef"


def v1(body: bytes, secret: str, at: datetime) -> str:
    """Return the signature of a body in hexadecimal digits."""
    signed = b"%d." % int(at.timestamp()) + body
    return hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()


def sign(body: bytes, secret: str, at: datetime) -> str:
    """Return the Stripe-Signature header for a body that is sent at a moment."""
    return f"t={int(at.timestamp())},v1={v1(body, secret, at)}"


def event_body(event_id: str = "evt_1", event_type: str = "payment_intent.succeeded") -> bytes:
    """Return the bytes of a small event as Stripe sends it."""
    return json.dumps(
        {
            "id": event_id,
            "object": "event",
            "api_version": "2026-10-28.endive",
            "created": 1_772_323_200,
            "data": {"object": {"id": "pi_1", "object": "payment_intent"}},
            "livemode": False,
            "type": event_type,
        },
        indent=2,
    ).encode()
