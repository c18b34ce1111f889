"""Is a key read in each form in which people have one, and every other text refused with its mend?"""

import base64
from itertools import count

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from reconciler.push.keys import encoded, is_usable, new_key, pem, read_key

KEY = new_key()
RAW = KEY.private.private_numbers().private_value.to_bytes(32)
OTHER_CURVE = ec.generate_private_key(ec.SECP384R1())


def _pem(key: object, form: PrivateFormat = PrivateFormat.PKCS8) -> str:
    return key.private_bytes(Encoding.PEM, form, NoEncryption()).decode()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "text",
    [
        pem(KEY),
        _pem(KEY.private, PrivateFormat.TraditionalOpenSSL),
        pem(KEY).replace("\n", "\\n"),
        f'"{pem(KEY)}"',
        f"\n {pem(KEY)} \n",
        pem(KEY).replace("\n", "\r\n"),
        encoded(RAW),
        base64.urlsafe_b64encode(RAW).decode(),
        f" {encoded(RAW)}\n",
    ],
    ids=count(),
)
def test_it_reads_a_private_key_in_each_of_its_forms(text: str) -> None:
    """PEM of two kinds, on one line or several, and the number in base64url are one pair."""
    assert read_key(text).public == KEY.public
    assert len(KEY.public) == 87


_LOCKED = KEY.private.private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("canary", "has 4 bytes"),
        ("canary!", "neither a private key in PEM"),
        (KEY.public, "is a public key"),
        (encoded(b"\0" * 32), "is no private key on P-256"),
        (encoded(b"\xff" * 32), "is no private key on P-256"),
        ("-----BEGIN PRIVATE KEY-----\ncanary\n-----END PRIVATE KEY-----", "holds no private key"),
        (_pem(OTHER_CURVE), "of another kind"),
        (_pem(ed25519.Ed25519PrivateKey.generate()), "of another kind"),
        (_LOCKED.decode(), "with a password"),
    ],
    ids=count(),
)
def test_it_says_what_is_wrong_with_a_text_that_is_no_key(text: str, words: str) -> None:
    """The mend is told, and the text, which may be a secret, is not."""
    with pytest.raises(ValueError, match=words) as refused:
        read_key(text)

    assert "canary" not in str(refused.value)


def test_it_shows_no_private_key() -> None:
    """A pair that is printed shows its public half."""
    assert encoded(RAW) not in repr(KEY)
    assert "private" not in repr(KEY)


POINT, SECRET = KEY.public, encoded(b"s" * 16)


@pytest.mark.parametrize(
    ("p256dh", "auth", "good"),
    [
        (POINT, SECRET, True),
        (POINT + "=", SECRET + "==", True),
        ("", SECRET, False),
        (POINT, "", False),
        (POINT[:-4], SECRET, False),
        (POINT, SECRET[:-4], False),
        (POINT, SECRET + "AAAA", False),
        (encoded(b"\4" + b"\1" * 64), SECRET, False),
        (encoded(b"\2" + b"\1" * 32), SECRET, False),
        (encoded(b"\0" * 65), SECRET, False),
        (POINT.replace("B", "+", 1), SECRET, False),
        ("é" * 87, SECRET, False),
        (POINT, "=" * 22, False),
        (POINT + "\n", SECRET, False),
    ],
    ids=count(),
)  # fmt: skip
def test_it_tells_keys_that_can_be_encrypted_for(p256dh: str, auth: str, good: bool) -> None:
    """A point on the curve, uncompressed, and 16 bytes: nothing else."""
    assert is_usable(p256dh, auth) is good
