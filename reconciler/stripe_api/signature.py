"""Did Stripe send exactly these bytes, and just now?

The HMAC is the Stripe library's. The rest is stricter than the library: it accepts signatures dated in the
future, answers some headers and bodies with other errors than its own, and takes only one secret.
https://docs.stripe.com/webhooks/signature
"""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

import stripe

_MAX_HEADER_BYTES = 4096
_MAX_TIMESTAMP_DIGITS = 12


class SignatureFault(StrEnum):
    """Why a signature was not accepted; for our log and never for the sender."""

    MISSING = "signature_missing"
    MALFORMED = "signature_malformed"
    STALE = "signature_stale"
    FUTURE = "signature_future"
    MISMATCH = "signature_mismatch"


class BadSignature(Exception):  # noqa: N818 - it names what came in, not a mistake of ours
    """The bytes cannot be shown to be Stripe's. Holds the reason only: no header, no body, no secret."""

    def __init__(self, reason: SignatureFault) -> None:
        super().__init__(reason.value)
        self.reason = reason


def require_secrets(secrets: Sequence[str]) -> None:
    """Raise ValueError unless there is at least one signing secret and none of them is blank.

    Anyone can sign with an empty secret. A bare string is refused too: read as a sequence, it would be
    many secrets of one character each.
    """
    if isinstance(secrets, str):
        raise ValueError("the signing secrets must be a sequence of strings, not one string")  # noqa: TRY004
    if not secrets:
        raise ValueError("there must be at least one signing secret")
    if not all(secret.strip() for secret in secrets):
        raise ValueError("a signing secret is blank")


def verify(
    body: bytes, header: str | None, secrets: Sequence[str], *, now: datetime, tolerance_s: int
) -> None:
    """Return if one of `secrets` signed `body` within `tolerance_s` of `now`; else raise BadSignature.

    The age is judged last: `stale` and `future` then mean that Stripe did sign this, which points to a
    clock that is wrong. Raises ValueError for secrets that can't protect anything.
    """
    require_secrets(secrets)
    signed_at_s = _timestamp_s(header)
    if not any(_is_signed(body, header, secret) for secret in secrets):
        raise BadSignature(SignatureFault.MISMATCH)
    age_s = now.timestamp() - signed_at_s
    if age_s > tolerance_s:
        raise BadSignature(SignatureFault.STALE)
    if age_s < -tolerance_s:
        raise BadSignature(SignatureFault.FUTURE)


def _timestamp_s(header: str | None) -> int:
    """Return the one `t` of a header that has the form of Stripe's, in seconds since 1970."""
    if not header:
        raise BadSignature(SignatureFault.MISSING)
    if len(header) > _MAX_HEADER_BYTES or not header.isascii():
        raise BadSignature(SignatureFault.MALFORMED)
    pairs = [part.partition("=") for part in header.split(",")]
    timestamps = [value for key, _, value in pairs if key == "t"]
    if len(timestamps) != 1 or not any(key == "v1" and value for key, _, value in pairs):
        raise BadSignature(SignatureFault.MALFORMED)
    digits = timestamps[0]
    if not digits.isdigit() or len(digits) > _MAX_TIMESTAMP_DIGITS:
        raise BadSignature(SignatureFault.MALFORMED)
    return int(digits)


def _is_signed(body: bytes, header: str | None, secret: str) -> bool:
    try:
        # No tolerance: the library would look at its own clock, and in one direction only.
        stripe.WebhookSignature.verify_header(body, header, secret, tolerance=None)
    except stripe.SignatureVerificationError:
        return False
    except Exception:  # noqa: BLE001 - the library raises what its parts raise, e.g. for non-UTF-8
        # The cause is cut off because it carries the body.
        raise BadSignature(SignatureFault.MALFORMED) from None
    return True
