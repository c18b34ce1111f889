"""What do the routes of push make of bent tokens and bodies? Nobody is known without a token, and nobody acts for another."""

import base64
import binascii
import hmac
import json
import time
from collections.abc import Sequence
from hashlib import sha256
from types import TracebackType
from typing import Any, Final, Self

from sqlalchemy import select

from reconciler.db.push_tables import push_subscriptions
from reconciler.db.session import Database
from tests.fuzz.asking import Asker
from tests.fuzz.mutation import Chance, bent, body, bytes_bent
from tests.webhook.fake_inbox import FakeInbox
from tests.webhook.push_app import (
    ORIGIN,
    PATH,
    PUBLIC_KEY,
    TOKEN_SECRET,
    settings,
    subscription,
    token,
)
from tests.webhook.signing import SECRET
from webhook.app import create_app
from webhook.push.endpoint import Push
from webhook.wiring import WebhookSettings

ALLOWED: Final = {200, 201, 204, 400, 401, 403, 404, 405, 409, 413}
USERS: Final = ("ann", "bob", "é", "a b")
ENDPOINTS: Final = (
    "http://push.example.com/x", "https://push.example.com:8443/x", "https://push.example.com@evil.example/x",
    "https://evil.example/x", "https://push.example.com.evil.example/x", "https://127.0.0.1/x", "https://[::1]/x",
    "https://0x7f.1/x", "https://push.example.com\\@evil.example/x", "https://PUSH.example.com/x",
    "https://push.example.com/" + "x" * 2000, "https://push.example.com/\u0000", "https://a.notify.example.com/é", "",
)  # fmt: skip


class PushTarget:
    """One application with push on one empty database."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known = [
            subscription(f"s{at}", vapid_public_key=PUBLIC_KEY, locale="fr") for at in range(4)
        ]
        app = create_app(
            FakeInbox(),
            WebhookSettings(secrets=(SECRET,)),
            push=Push(db, settings(timeout_s=300.0)),
        )
        self._asker = Asker(app)

    def __enter__(self) -> Self:
        """Begin to answer."""
        self._asker.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop answering."""
        self._asker.__exit__(kind, error, trace)

    def play(self, chance: Chance) -> str:
        """Send one request and judge the answer; returns a word for the count."""
        method = chance.choice(("POST", "POST", "POST", "DELETE", "OPTIONS", "GET", "PUT"))
        path = (
            PATH
            if chance.random() < 0.95
            else chance.choice(("/push/sw.js", PATH + "/", "/push/vapid-public-key"))
        )
        authorization = [_authorization(chance) for _ in range(chance.choice((1,) * 18 + (0, 2)))]
        headers = [(b"authorization", each) for each in authorization]
        if chance.random() < 0.3:
            headers.append((b"origin", chance.choice((ORIGIN.encode(), b"null", b"\xff", b"*"))))
        raw = self._body(chance)
        answer = self._asker.ask(method, path, headers, [raw])
        what = f"{answer} to {method} {path} {headers!r} {raw[:2000]!r}"
        assert answer.status in ALLOWED and not answer.raised, what  # noqa: PT018
        if path == PATH and method in {"POST", "DELETE"} and answer.status in {200, 201, 204}:
            user = user_of(authorization)
            assert user is not None, f"taken without a token: {what}"
            if method == "POST":
                # A host is kept in lower case; what else stands in the body is nobody's business, and need be no text.
                asked = json.loads(raw.decode("utf-8", "replace"))
                assert asked["endpoint"].lower() in self._endpoints(user), what
        return f"{method} {answer.status}"

    def check(self) -> None:
        """Judge what is left behind: no more browsers of a user than are kept, all of hosts that are allowed."""
        column = push_subscriptions.c
        with self._db.reading() as tx:
            rows = tx.execute(select(column.user_id, column.host)).all()
        assert {row.host for row in rows} <= {"push.example.com", "a.notify.example.com"}
        users = [row.user_id for row in rows]
        assert all(users.count(each) <= 20 for each in set(users))

    def _endpoints(self, user: str) -> set[str]:
        column = push_subscriptions.c
        with self._db.reading() as tx:
            asked = select(column.endpoint).where(column.user_id == user)
            return {each.lower() for each in tx.execute(asked).scalars()}

    def _body(self, chance: Chance) -> bytes:
        good: Any = dict(chance.choice(self._known))
        if chance.random() < 0.3:
            good["endpoint"] = chance.choice(ENDPOINTS)
        if chance.random() < 0.3:
            good["endpoint"] += str(chance.randrange(99))
        if chance.random() < 0.3:
            return json.dumps(good).encode()
        return body(chance, bent(chance, good, self._known))


def user_of(authorization: Sequence[bytes]) -> str | None:
    """Return the user of a token that the app signed and that is not over; read by no library."""
    if len(authorization) != 1:
        return None
    try:
        text = authorization[0].decode("latin-1").strip().rpartition(" ")[2]
        head, claims, signature = text.split(".")
        signed = hmac.new(TOKEN_SECRET.encode(), f"{head}.{claims}".encode(), sha256).digest()
        said = json.loads(_decoded(claims))
        is_ours = json.loads(_decoded(head))["alg"] == "HS256"
        is_ours &= hmac.compare_digest(_decoded(signature), signed)
        is_ours &= float(said["exp"]) > time.time() - 60
    except (ValueError, TypeError, KeyError, AttributeError, binascii.Error):
        return None
    return said["sub"] if is_ours and isinstance(said["sub"], str) else None


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _authorization(chance: Chance) -> bytes:
    good = token(chance.choice(USERS))
    value = chance.choice(
        (_good, _good, _good, _odd_claims, _odd_secret, _no_algorithm, _scratched)
    )(chance, good)
    scheme = chance.choice(("Bearer ",) * 8 + ("bearer  ", "Basic ", "", "Bearer", "Bearer\t"))
    return (scheme + value).encode("latin-1", "replace").replace(b"\r", b"").replace(b"\n", b"")


def _good(_: Chance, good: str) -> str:
    return good


def _odd_claims(chance: Chance, _: str) -> str:
    wild = chance.choice(
        (
            None,
            0,
            -1,
            1e308,
            10**40,
            "x",
            "9" * 400,
            [],
            {},
            True,
            "\u0000",
            "\ud800",
            "a" * 300,
            "\x1b[2J",
        )
    )
    name = chance.choice(("sub", "exp", "nbf", "iat", "aud", "iss", "jti", "crit"))
    try:
        return token(**{"user" if name == "sub" else name: wild})
    except Exception:  # noqa: BLE001 - what can't be signed is no token
        return ""


def _odd_secret(chance: Chance, _: str) -> str:
    return token(secret=chance.choice(("another secret of the same length ..", TOKEN_SECRET + " ")))


def _no_algorithm(chance: Chance, good: str) -> str:
    _, claims, signature = good.split(".")
    name = chance.choice(("none", "None", "HS384", "RS256", "", "hs256", "ES256"))
    head = base64.urlsafe_b64encode(json.dumps({"alg": name, "typ": "JWT"}).encode()).decode()
    return f"{head.rstrip('=')}.{claims}.{chance.choice(('', signature))}"


def _scratched(chance: Chance, good: str) -> str:
    return bytes_bent(chance, good.encode()).decode("latin-1")
