"""Is a message from the app that the browser subscribed to?

What a push service checks of the token that comes with it (https://www.rfc-editor.org/rfc/rfc8292), by plain ES256.
"""

import base64
import json
import re
from dataclasses import dataclass
from typing import Any, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

_TOKEN: Final = re.compile(
    r"vapid t=([\w-]+)\.([\w-]+)\.([\w-]+), ?k=([\w-]+)", re.ASCII | re.IGNORECASE
)
_SUBJECT: Final = re.compile(r"mailto:[^\s@]+@[^\s@]+|https://\S+", re.ASCII)
_LONGEST_S: Final = 86_400
_NUMBER_BYTES: Final = 32


class TokenRefused(Exception):  # noqa: N818 - it names what the request gets
    """The token is not good for this push service, now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a good token says, and by which public key it is signed."""

    audience: str
    expires_s: int
    subject: str
    key: str


def claims_of(authorization: str, *, audience: str, now_s: float) -> Claims:
    """What a token says, or TokenRefused. `audience` is the origin of the push service."""
    found = _TOKEN.fullmatch(authorization)
    if found is None:
        raise TokenRefused("no token of VAPID")
    head, said, signature, key = found.groups()
    _require_signed(f"{head}.{said}", signature, key)
    if _object(head).get("alg") != "ES256":
        raise TokenRefused("another algorithm")
    claims = _object(said)
    if claims.get("aud") != audience:
        raise TokenRefused("for another push service")
    expires_s = claims.get("exp")
    if not isinstance(expires_s, int) or not now_s < expires_s <= now_s + _LONGEST_S:
        raise TokenRefused("expired, or for longer than a day")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not _SUBJECT.fullmatch(subject):
        raise TokenRefused("nobody answers for it")
    return Claims(audience=audience, expires_s=expires_s, subject=subject, key=key)


def _require_signed(signed: str, signature: str, key: str) -> None:
    raw = _bytes(signature)
    if len(raw) != 2 * _NUMBER_BYTES:
        raise TokenRefused("no signature of ES256")
    r, s = int.from_bytes(raw[:_NUMBER_BYTES]), int.from_bytes(raw[_NUMBER_BYTES:])
    try:
        public = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _bytes(key))
        public.verify(encode_dss_signature(r, s), signed.encode(), ec.ECDSA(SHA256()))
    except (ValueError, InvalidSignature):
        raise TokenRefused("not signed by its key") from None


def _object(part: str) -> dict[str, Any]:
    try:
        found = json.loads(_bytes(part))
    except ValueError:
        raise TokenRefused("no JSON") from None
    return found if isinstance(found, dict) else {}


def _bytes(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        raise TokenRefused("no base64url") from None
