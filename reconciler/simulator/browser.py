"""What does a browser give an app that may send to it, and what does it read of what arrives?

The decoder is written from the documents (https://www.rfc-editor.org/rfc/rfc8291 and https://www.rfc-editor.org/rfc/rfc8188) and
shares nothing with the library that encrypts: an error of that one must not be made twice.
"""

import base64
import secrets
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_CURVE: Final = ec.SECP256R1()
_HEAD: Final = struct.Struct("!16sIB")
_POINT_BYTES: Final = 65
_TAG_BYTES: Final = 16
_LAST_RECORD: Final = b"\x02"


class Unreadable(ValueError):  # noqa: N818 - it says what the body is
    """A body that this browser can't read; a real one drops it without a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    """One subscription of a browser, with what only the browser knows of it.

    `server_key` is the app's public key that it subscribed with; "" takes any.
    """

    endpoint: str = field(repr=False)
    host: str
    path: str = field(repr=False)
    private: ec.EllipticCurvePrivateKey = field(repr=False)
    secret: bytes = field(repr=False)
    server_key: str = ""

    @property
    def p256dh(self) -> str:
        """Its public key, as JavaScript gives it."""
        return written(_point(self.private.public_key()))

    @property
    def auth(self) -> str:
        """The secret that it shares with the app."""
        return written(self.secret)

    @property
    def subscription(self) -> Mapping[str, Any]:
        """What `JSON.stringify(subscription)` gives in a page."""
        keys = {"p256dh": self.p256dh, "auth": self.auth}
        return {"endpoint": self.endpoint, "expirationTime": None, "keys": keys}

    def read(self, body: bytes) -> bytes:
        """The clear text of a message; raises Unreadable."""
        if len(body) < _HEAD.size + _POINT_BYTES + _TAG_BYTES + 1:
            raise Unreadable("too short")
        salt, record_bytes, id_bytes = _HEAD.unpack_from(body)
        sealed = body[_HEAD.size + id_bytes :]
        if id_bytes != _POINT_BYTES or len(sealed) > record_bytes:
            raise Unreadable("not one record for one key")
        key, nonce = self._derived(salt, body[_HEAD.size : _HEAD.size + id_bytes])
        try:
            padded = AESGCM(key).decrypt(nonce, sealed, None)
        except InvalidTag:
            raise Unreadable("not sealed for this browser") from None
        clear = padded.rstrip(b"\0")
        if not clear.endswith(_LAST_RECORD):
            raise Unreadable("its record is not the last one")
        return clear[:-1]

    def _derived(self, salt: bytes, sender: bytes) -> tuple[bytes, bytes]:
        """The key and the nonce of the one record."""
        try:
            theirs = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, sender)
        except ValueError:
            raise Unreadable("its key is no point") from None
        shared = self.private.exchange(ec.ECDH(), theirs)
        info = b"WebPush: info\0" + _point(self.private.public_key()) + sender
        seed = HKDF(SHA256(), 32, self.secret, info).derive(shared)
        key = HKDF(SHA256(), 16, salt, b"Content-Encoding: aes128gcm\0").derive(seed)
        return key, HKDF(SHA256(), 12, salt, b"Content-Encoding: nonce\0").derive(seed)


def new_browser(host: str, server_key: str = "") -> Browser:
    """A browser that has just said yes, at the push service of this name."""
    path = f"/push/{secrets.token_urlsafe(24)}"
    return Browser(
        endpoint=f"https://{host}{path}",
        host=host,
        path=path,
        private=ec.generate_private_key(_CURVE),
        secret=secrets.token_bytes(16),
        server_key=server_key,
    )


def written(raw: bytes) -> str:
    """Bytes in base64url without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
