"""With which key do we say that a message is ours, and can a browser's keys be encrypted for?

Ours is a pair on P-256 (VAPID, https://www.rfc-editor.org/rfc/rfc8292); a browser subscribes to its public half, and no other
pair can send to that subscription. A browser gives a point on the same curve and 16 bytes (https://www.rfc-editor.org/rfc/rfc8291).
"""

import base64
import binascii
import re
from dataclasses import dataclass, field
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

_CURVE: Final = ec.SECP256R1()
_POINT_BYTES: Final = 65
_NUMBER_BYTES: Final = 32
_AUTH_BYTES: Final = 16
_BASE64URL: Final = re.compile(r"[A-Za-z0-9_-]*", re.ASCII)
_MEND: Final = "`reconciler push keys` makes a pair"


@dataclass(frozen=True, slots=True)
class VapidKey:
    """Our pair. `public` is the 87 characters that a browser's `applicationServerKey` is made of."""

    public: str
    private: ec.EllipticCurvePrivateKey = field(repr=False)


def new_key() -> VapidKey:
    """A pair that nobody has."""
    return _paired(ec.generate_private_key(_CURVE))


def read_key(text: str) -> VapidKey:
    """The pair of a private key: PEM text, or the 32 bytes of its number in base64url, as other tools print it.

    Raises ValueError with what mends it; the text itself is never quoted.
    """
    # A variable that holds one line has its line breaks written out.
    plain = text.strip().strip("\"'").replace("\\n", "\n")
    if not plain:
        raise ValueError(f"is empty; {_MEND}")
    if "-----BEGIN" in plain:
        return _paired(_from_pem(plain))
    found = decoded(plain)
    if found is None:
        raise ValueError(f"is neither a private key in PEM nor one in base64url; {_MEND}")
    if len(found) == _POINT_BYTES:
        raise ValueError("is a public key; the private half of the pair belongs here")
    if len(found) != _NUMBER_BYTES:
        raise ValueError(f"has {len(found)} bytes, and a private key on P-256 has 32; {_MEND}")
    try:
        return _paired(ec.derive_private_key(int.from_bytes(found), _CURVE))
    except ValueError:
        raise ValueError(f"is no private key on P-256; {_MEND}") from None


def pem(key: VapidKey) -> str:
    """The private key as text that `read_key` and other tools read."""
    return key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def is_usable(p256dh: str, auth: str) -> bool:
    """Whether messages can be encrypted for a browser that gave these keys, in base64url."""
    point, secret = decoded(p256dh), decoded(auth)
    if point is None or len(point) != _POINT_BYTES or secret is None:
        return False
    try:
        ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, point)
    except ValueError:
        return False
    return len(secret) == _AUTH_BYTES


def decoded(text: str) -> bytes | None:
    """The bytes that base64url stands for, padded or not; None if it is something else."""
    bare = text.rstrip("=")
    if len(text) - len(bare) > 2 or not _BASE64URL.fullmatch(bare):  # noqa: PLR2004 - at most two pad
        return None
    try:
        return base64.urlsafe_b64decode(bare + "=" * (-len(bare) % 4))
    except binascii.Error:
        return None


def encoded(raw: bytes) -> str:
    """Bytes in base64url without padding, as browsers write them."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _from_pem(text: str) -> ec.EllipticCurvePrivateKey:
    try:
        found = load_pem_private_key(text.encode(), password=None)
    except TypeError:
        raise ValueError("is a private key with a password; give it without one") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError(f"begins like PEM, but holds no private key; {_MEND}") from None
    if isinstance(found, ec.EllipticCurvePrivateKey) and isinstance(found.curve, ec.SECP256R1):
        return found
    raise ValueError(f"is a private key of another kind; Web Push takes only P-256; {_MEND}")


def _paired(private: ec.EllipticCurvePrivateKey) -> VapidKey:
    point = private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return VapidKey(public=encoded(point), private=private)
