"""The webhook with push, on a real database, as its tests ask it; and what a browser and an app send."""

import base64
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from starlette.testclient import TestClient

from reconciler.db.session import Database
from reconciler.push.keys import new_key
from tests.webhook.fake_inbox import FakeInbox
from tests.webhook.signing import SECRET
from webhook.app import create_app
from webhook.push.endpoint import Push, PushSettings
from webhook.wiring import Clock, WebhookSettings, utc_now

TOKEN_SECRET = (
    "an app's secret, long enough for every algorithm that a token may name, not HS256 alone"
)
PUBLIC_KEY = new_key().public
ORIGIN = "https://app.example.com"
HOSTS = ("push.example.com", "*.notify.example.com")
PATH = "/api/push/subscriptions"


def token(
    user: object = "ann", *, secret: str = TOKEN_SECRET, algorithm: str = "HS256", **more: Any
) -> str:
    """Sign a token as an app does; a claim of None is left out."""
    claims = {"sub": user, "exp": int(time.time()) + 300, **more}
    kept = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(kept, secret, algorithm=algorithm)


def bearer(user: str = "ann") -> dict[str, str]:
    """Give the header of a user who is signed in."""
    return {"Authorization": f"Bearer {token(user)}"}


def keys() -> dict[str, str]:
    """Make the keys of a new browser."""
    point = ec.generate_private_key(ec.SECP256R1()).public_key()
    raw = point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return {"p256dh": _text(raw), "auth": _text(raw[1:17])}


def subscription(name: str = "one", *, host: str = "push.example.com", **more: Any) -> Any:
    """Say what a browser says of its subscription."""
    return {
        "endpoint": f"https://{host}/send/{name}",
        "expirationTime": None,
        "keys": keys(),
        **more,
    }


def settings(**more: Any) -> PushSettings:
    """Give settings with a resolver that asks nobody."""
    given: dict[str, Any] = {
        "public_key": PUBLIC_KEY,
        "token_secret": TOKEN_SECRET,
        "allowed_hosts": HOSTS,
        "cors_origins": (ORIGIN,),
        "resolve": lambda _: (),
    }
    return PushSettings(**{**given, **more})


@contextmanager
def serving(
    database: Database, inbox: FakeInbox | None = None, *, clock: Clock = utc_now, **more: Any
) -> Iterator[TestClient]:
    """Let the webhook and its push run, with these settings of push."""
    push = Push(database, settings(**more), clock)
    app = create_app(inbox or FakeInbox(), WebhookSettings(secrets=(SECRET,)), push=push)
    with TestClient(app) as client:
        yield client


Ask = Callable[..., Any]


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
