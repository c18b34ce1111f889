"""What does a browser say of its subscription?

The body is what `JSON.stringify(subscription)` gives, with a language and the public key that it was made with.
https://www.w3.org/TR/push-api/#dom-pushsubscriptionjson
"""

from typing import Final

import msgspec

from reconciler.push.keys import is_usable

_WORD_MAX_LENGTH: Final = 200
_LANGUAGES: Final = ("en", "fr")
# What a decoder says of a body that is none; a byte that is no UTF-8 inside a string has an error of its own.
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Malformed(Exception):  # noqa: N818 - it names what came in, not a mistake of ours
    """The body says nothing that can be kept; the message is one plain sentence, without what was sent."""


class Keys(msgspec.Struct, frozen=True):
    """What a message to the browser is encrypted with, both in base64url."""

    p256dh: str
    auth: str


class Subscription(msgspec.Struct, frozen=True):
    """The body of a POST; what else stands in it, a user id above all, says nothing."""

    endpoint: str
    keys: Keys
    locale: str | None = None
    vapid_public_key: str | None = None


class Address(msgspec.Struct, frozen=True):
    """The body of a DELETE."""

    endpoint: str


_subscription = msgspec.json.Decoder(Subscription)
_address = msgspec.json.Decoder(Address)


def read_subscription(body: bytes) -> Subscription:
    """Return a subscription with keys that a message can be encrypted with; raise Malformed."""
    try:
        asked = _subscription.decode(body)
    except _UNREADABLE:
        raise Malformed(
            'the body must be a push subscription as JSON: {"endpoint": "...", "keys": {"p256dh": "...", "auth": "..."}}'
        ) from None
    keys = asked.keys
    is_short = len(keys.p256dh) <= _WORD_MAX_LENGTH and len(keys.auth) <= _WORD_MAX_LENGTH
    if not is_short or not is_usable(keys.p256dh, keys.auth):
        raise Malformed("the keys must be a point on P-256 and 16 bytes, both in base64url")
    return asked


def read_address(body: bytes) -> str:
    """Return the endpoint that a DELETE names; raise Malformed."""
    try:
        endpoint = _address.decode(body).endpoint
    except _UNREADABLE:
        endpoint = ""
    # An address has no control characters, and a database may refuse to look for them.
    if not endpoint.isprintable() or not endpoint:
        raise Malformed('the body must be JSON: {"endpoint": "..."}')
    return endpoint


def language(locale: str | None, default: str) -> str:
    """Return which of our languages a browser's is ("fr-CA" is "fr"), else the default."""
    word = (locale or "").replace("_", "-").partition("-")[0].lower()
    return word if word in _LANGUAGES else default
