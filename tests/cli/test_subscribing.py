"""Does `serve` let browsers subscribe exactly when everything is set, and say why not where it does not?"""

import socket
from collections.abc import Sequence

import pytest
import structlog
from pydantic import SecretStr
from starlette.testclient import TestClient

from reconciler.cli.subscribing import push_of
from reconciler.config import Push, Secrets, Settings, SettingsError
from reconciler.db.session import Database
from reconciler.push.keys import new_key, pem
from tests.webhook.fake_inbox import FakeInbox
from tests.webhook.push_app import PATH, subscription, token
from tests.webhook.signing import SECRET as SIGNING
from webhook.app import WebhookSettings, create_app

KEY = pem(new_key())
SECRET = "s" * 32


def settings(subject: str = "mailto:a@b.c", key: str = KEY, secret: str = SECRET) -> Settings:
    """Give settings with these parts of push; "" is not set."""
    secrets = Secrets(
        vapid_private_key=SecretStr(key) if key else None,
        push_token_secret=SecretStr(secret) if secret else None,
    )
    return Settings(push=Push(subject=subject), secrets=secrets)


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("given", "missing"),
    [
        (settings(), None),
        (settings(subject=""), ["[push] subject"]),
        (settings(key=""), ["VAPID_PRIVATE_KEY"]),
        (settings(secret=""), ["PUSH_TOKEN_SECRET"]),
        (settings("", "", ""), ["[push] subject", "VAPID_PRIVATE_KEY", "PUSH_TOKEN_SECRET"]),
    ],
)
def test_it_lets_browsers_subscribe_if_all_is_set(
    database: Database, given: Settings, missing: Sequence[str] | None
) -> None:
    """With a part missing there are no routes, and one line of the log names it."""
    with structlog.testing.capture_logs() as lines:
        push = push_of(given, database)

    told = [each["missing"] for each in lines if each["event"] == "push.left_off"]
    assert (push is not None, told) == (missing is None, [missing] if missing else [])


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_it_refuses_a_key_that_is_none(database: Database) -> None:
    """A key that can't be read is said in one line, without the key."""
    with pytest.raises(SettingsError, match="VAPID_PRIVATE_KEY: ") as refusal:
        push_of(settings(key="no key at all"), database)

    assert "no key at all" not in str(refusal.value)


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_it_looks_where_a_name_leads_before_it_keeps_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The routes that `serve` has ask the system's DNS: a push service that it sends into our own network is refused."""
    private = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.7", 443))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [private])
    app = create_app(
        FakeInbox(), WebhookSettings(secrets=(SIGNING,)), push=push_of(settings(), database)
    )
    told = subscription(host="fcm.googleapis.com")
    header = {"Authorization": f"Bearer {token(secret=SECRET)}"}

    with TestClient(app) as client:
        answer = client.post(PATH, json=told, headers=header)

    assert answer.status_code == 400
    assert "not public" in answer.json()["error"]
