"""Who asks, and what may they read?

A secret key reads everything, a restricted key only what it was given rights for: https://docs.stripe.com/keys
"""

import base64
import binascii
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from reconciler.simulator.api.wire import FORBIDDEN, UNAUTHORISED, Refusal, Request

# What Stripe calls a right where that is not the object's own word (https://docs.stripe.com/stripe-apps/reference/permissions).
_CALLED: Final = MappingProxyType(
    {
        "refund": "charge",
        "balance_transaction": "balance_transaction_source",
        "payment_link": "payment_links",
        "webhook_endpoint": "webhook",
    }
)


@dataclass(frozen=True, slots=True)
class Key:
    """A key, `sk_test_...` or `rk_test_...`; `rights` are the words of the objects that it reads, None is all of them."""

    secret: str = field(repr=False)
    rights: frozenset[str] | None = None

    def require(self, right: str, account_id: str) -> None:
        """Raise Refusal unless the key may read an object, e.g. `payment_intent` or `checkout_session`."""
        if self.rights is None or right in self.rights:
            return
        raise Refusal(
            f"The provided key '{redacted(self.secret)}' does not have the required permissions for this endpoint on "
            f"account '{account_id}'. Having the 'rak_{_CALLED.get(right, right)}_read' permission would allow this request to continue.",
            status=FORBIDDEN,
        )


def key_of(request: Request, keys: Sequence[Key]) -> Key:
    """Return the key that a request names, by Bearer or Basic; raise Refusal if it names none that is known."""
    given = _given(request.header("authorization") or "")
    if not given:
        raise Refusal(
            "You did not provide an API key. You need to provide your API key in the Authorization header, using "
            "Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
            status=UNAUTHORISED,
        )
    for key in keys:
        if hmac.compare_digest(key.secret.encode(), given.encode()):
            return key
    raise Refusal(f"Invalid API Key provided: {redacted(given)}", status=UNAUTHORISED)


def redacted(secret: str) -> str:
    """What may be shown of a key: its kind and mode, if it has any."""
    parts = secret.split("_")
    is_shaped = parts[0] in {"sk", "rk"} and parts[1:2] in (["test"], ["live"])
    return "_".join([*parts[:2], "****"]) if is_shaped else "****"


def _given(header: str) -> str:
    scheme, _, value = header.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""
