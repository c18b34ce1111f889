"""Whether a browser is kept under the user that the app's token names, and under nobody else."""

import asyncio
import base64
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from sqlalchemy import select
from starlette.testclient import TestClient
from starlette.types import Message

from reconciler.db import subscriptions
from reconciler.db.push_tables import deliveries
from reconciler.db.session import Database
from reconciler.push.address import EndpointRefused, Unresolved, resolved
from tests.core.builders import NOON
from tests.push.hostile import ALLOWED, HOSTILE_URLS, NOT_PUBLIC
from tests.webhook.fake_inbox import FakeInbox
from tests.webhook.push_app import (
    ORIGIN,
    PATH,
    PUBLIC_KEY,
    bearer,
    keys,
    serving,
    settings,
    subscription,
    token,
)
from tests.webhook.signing import SECRET, event_body, sign
from webhook.app import WebhookSettings, create_app
from webhook.push.endpoint import Push

NOW = datetime.now(UTC)
RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def client(database: Database) -> Iterator[TestClient]:
    """Give the webhook with push on a database."""
    with serving(database) as client:
        yield client


def browsers(database: Database, user: str = "ann") -> list[subscriptions.Browser]:
    """Return what is kept of a user."""
    with database.reading() as tx:
        return subscriptions.of_user(tx, user)


def unsigned(claims: dict[str, Any]) -> str:
    """Return a token with the algorithm `none`."""
    parts = ({"alg": "none", "typ": "JWT"}, claims)
    texts = (
        base64.urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=").decode() for each in parts
    )
    return ".".join(texts) + "."


def soon() -> int:
    """Return a moment that a token may end at."""
    return int(time.time()) + 300


BAD_TOKENS: dict[str, Callable[[], list[str]]] = {
    "none": list,
    "empty": lambda: [""],
    "no word before it": lambda: [token()],
    "no token": lambda: ["Bearer "],
    "another scheme": lambda: [f"Basic {token()}"],
    "garbage": lambda: ["Bearer garbage"],
    "two of them": lambda: [f"Bearer {token()}", f"Bearer {token()}"],
    "of another secret": lambda: [f"Bearer {token(secret='x' * 40)}"],
    "of an empty secret": lambda: [f"Bearer {jwt.encode({'sub': 'ann', 'exp': soon()}, 'x' * 32)}"],
    "unsigned": lambda: [f"Bearer {unsigned({'sub': 'ann', 'exp': soon()})}"],
    "RS256": lambda: ["Bearer " + jwt.encode({"sub": "ann", "exp": soon()}, RSA_KEY, "RS256")],
    "HS512": lambda: [f"Bearer {token(algorithm='HS512')}"],
    "expired": lambda: [f"Bearer {token(exp=int(time.time()) - 60)}"],
    "without an end": lambda: [f"Bearer {token(exp=None)}"],
    "an end that is no time": lambda: [f"Bearer {token(exp='tomorrow')}"],
    "an end beyond all numbers": lambda: [f"Bearer {token(exp=float('inf'))}"],
    "not yet": lambda: [f"Bearer {token(nbf=int(time.time()) + 600)}"],
    "without a user": lambda: [f"Bearer {token(None)}"],
    "an empty user": lambda: [f"Bearer {token('')}"],
    "a user with a zero": lambda: [f"Bearer {token('a' + chr(0))}"],
    "a user that is too long": lambda: [f"Bearer {token('a' * 201)}"],
    "too long": lambda: [f"Bearer {token(note='x' * 5000)}"],
}


@pytest.mark.parametrize("kind", BAD_TOKENS)
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_it_takes_no_word_from_a_stranger(
    client: TestClient, database: Database, kind: str, method: str
) -> None:
    """A request without a good token of the app changes nothing, and every reason gets the same answer."""
    headers = [("Authorization", value) for value in BAD_TOKENS[kind]()]

    answer = client.request(method, PATH, json=subscription(), headers=headers)

    assert answer.status_code == 401
    assert answer.json() == {"error": "a bearer token of the app is needed"}
    assert answer.headers["www-authenticate"] == "Bearer"
    assert browsers(database) == []


def test_it_keeps_a_browser(client: TestClient, database: Database) -> None:
    """What a browser says of itself is kept whole, and said again it is only confirmed."""
    asked = subscription(locale="fr-CA", vapid_public_key=PUBLIC_KEY)

    first = client.post(PATH, json=asked, headers=bearer())
    again = client.post(PATH, json=asked, headers=bearer())

    assert (first.status_code, first.json()) == (201, {"status": "created"})
    assert (again.status_code, again.json()) == (200, {"status": "confirmed"})
    [kept] = browsers(database)
    assert (kept.endpoint, kept.host) == (asked["endpoint"], "push.example.com")
    assert {"p256dh": kept.p256dh, "auth": kept.auth} == asked["keys"]
    assert (kept.vapid_key, kept.locale, kept.state) == (PUBLIC_KEY, "fr", "active")
    assert asked["endpoint"] not in repr(kept)


def test_it_takes_the_user_from_the_token_alone(client: TestClient, database: Database) -> None:
    """A user id in the body says nothing."""
    asked = subscription(user_id="bob", sub="bob", user="bob")

    assert client.post(f"{PATH}?user_id=bob", json=asked, headers=bearer("ann")).status_code == 201

    assert len(browsers(database, "ann")) == 1
    assert browsers(database, "bob") == []


def test_it_replaces_the_keys_of_a_browser(client: TestClient, database: Database) -> None:
    """A browser that subscribed anew at the same address is written to with its new keys."""
    asked = subscription()
    client.post(PATH, json=asked, headers=bearer())
    changed = {**asked, "keys": keys()}

    answer = client.post(PATH, json=changed, headers=bearer())

    assert (answer.status_code, answer.json()) == (200, {"status": "replaced"})
    [kept] = browsers(database)
    assert {"p256dh": kept.p256dh, "auth": kept.auth} == changed["keys"]


def test_it_forgets_only_the_users_own_browser(client: TestClient, database: Database) -> None:
    """Another user's browser stays, and the answer does not tell that it is there."""
    asked = subscription()
    client.post(PATH, json=asked, headers=bearer("ann"))
    named = {"endpoint": asked["endpoint"]}

    foreign = client.request("DELETE", PATH, json=named, headers=bearer("bob"))
    assert len(browsers(database)) == 1
    own = client.request("DELETE", PATH, json=named, headers=bearer("ann"))
    nobodys = client.request("DELETE", PATH, json=named, headers=bearer("ann"))

    assert [foreign.status_code, own.status_code, nobodys.status_code] == [204, 204, 204]
    assert foreign.content == own.content == b""
    assert browsers(database) == []


def test_it_gives_a_browser_to_who_is_signed_in_now(client: TestClient, database: Database) -> None:
    """A browser with another user is a new one, and what still waited for the user before never goes out."""
    asked = subscription()
    client.post(PATH, json=asked, headers=bearer("ann"))
    [before] = browsers(database, "ann")
    with database.writing() as tx:
        tx.execute(
            deliveries.insert().values(
                notification_id=1,
                subscription_id=before.id,
                host=before.host,
                due_at=NOW,
                claim="somebody sends it",
                claimed_until=NOW,
                created_at=NOW,
            )
        )

    answer = client.post(PATH, json=asked, headers=bearer("bob"))

    assert answer.json() == {"status": "created"}
    assert browsers(database, "ann") == []
    [after] = browsers(database, "bob")
    assert after.id != before.id
    with database.reading() as tx:
        row = tx.execute(select(deliveries)).one()
    assert (row.state, row.claim) == ("gone", None)
    assert row.ended_at is not None


def test_it_keeps_the_latest_browsers_of_a_user(database: Database) -> None:
    """Beyond twenty, the browser that was confirmed longest ago goes, and no other user's."""
    hours = itertools.count()
    made = [subscription(f"b{number}") for number in range(20)]
    with serving(database, clock=lambda: NOON + timedelta(hours=next(hours))) as client:
        client.post(PATH, json=subscription("bobs"), headers=bearer("bob"))
        for each in (*made, made[0], subscription("b20")):
            client.post(PATH, json=each, headers=bearer())

    names = {each.endpoint.rpartition("/")[2] for each in browsers(database)}

    assert names == {f"b{number}" for number in (0, *range(2, 21))}
    assert len(browsers(database, "bob")) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff",
        b'{"endpoint": 1, "keys": {"p256dh": "a", "auth": "b"}}',
        b'{"endpoint": "https://push.example.com/x"}',
        b'{"endpoint": "https://push.example.com/x", "keys": {"p256dh": "a"}}',
        b'{"endpoint": "https://push.example.com/x", "keys": {"p256dh": "a", "auth": "b"}}',
        b'{"endpoint": "\\ud800", "keys": {"p256dh": "a", "auth": "b"}}',
        b"[" * 5_000,
        b'{"a":' * 1_000 + b"1" + b"}" * 1_000,
    ],
)
def test_it_refuses_what_is_no_subscription(
    client: TestClient, database: Database, body: bytes
) -> None:
    """Broken JSON, missing parts and keys that nothing can be encrypted with are refused in one sentence."""
    answer = client.post(PATH, content=body, headers=bearer())

    assert answer.status_code == 400
    assert answer.json()["error"].startswith("the ")
    assert browsers(database) == []


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"endpoint": null}', b"\xff", b'{"endpoint": "\xc2"}']
)
def test_it_asks_which_browser_to_forget(client: TestClient, body: bytes) -> None:
    """A DELETE names an endpoint."""
    answer = client.request("DELETE", PATH, content=body, headers=bearer())

    assert answer.status_code == 400
    assert answer.json() == {"error": 'the body must be JSON: {"endpoint": "..."}'}


def test_it_refuses_a_hostile_address(database: Database) -> None:
    """Only an https address of a host on the list is kept, and no refusal repeats what was refused."""
    with serving(database, allowed_hosts=ALLOWED) as client:
        answers = {
            url: client.post(PATH, json={**subscription(), "endpoint": url}, headers=bearer())
            for url in (*HOSTILE_URLS, f"https://{ALLOWED[0]}/{'x' * 1000}")
        }

    assert {url for url, answer in answers.items() if answer.status_code != 400} == set()
    assert {url for url, answer in answers.items() if len(url) > 9 and url in answer.text} == set()
    assert browsers(database) == []


def test_it_saves_no_host_of_which_one_address_is_not_public(database: Database) -> None:
    """What DNS says is looked at when a browser subscribes, by the same eyes as when something is sent."""
    answers = {}
    for found in NOT_PUBLIC:
        resolve = partial(resolved, resolve=lambda _, found=found: found)
        with serving(database, resolve=resolve) as client:
            answers[found] = client.post(PATH, json=subscription(), headers=bearer())

    assert {found for found, answer in answers.items() if answer.status_code != 400} == set()
    assert browsers(database) == []


def test_it_refuses_a_host_whose_address_is_private(database: Database) -> None:
    """A host on the list that DNS sends into our own network is refused when it is saved."""

    def private(host: str) -> None:
        raise EndpointRefused("the endpoint's host has an address that is not public")

    with serving(database, resolve=private) as client:
        answer = client.post(PATH, json=subscription(), headers=bearer())

    assert answer.status_code == 400
    assert "not public" in answer.json()["error"]
    assert browsers(database) == []


def test_it_asks_to_try_again_where_dns_is_silent(database: Database) -> None:
    """Without an answer of DNS nothing is known of a host, neither good nor bad."""

    def silent(host: str) -> None:
        raise Unresolved("DNS gave no answer")

    with serving(database, resolve=silent) as client:
        answer = client.post(PATH, json=subscription(), headers=bearer() | {"Origin": ORIGIN})

    assert (answer.status_code, answer.json()) == (503, {"error": "try again later"})
    assert answer.headers["retry-after"] == "10"
    assert answer.headers["access-control-allow-origin"] == ORIGIN
    assert browsers(database) == []


def test_it_asks_to_try_again_while_the_database_is_busy(
    client: TestClient, database: Database
) -> None:
    """What can't be stored in time is answered with 503."""
    with lock_held(database):
        answer = client.post(PATH, json=subscription(), headers=bearer())

    assert answer.status_code == 503
    assert browsers(database) == []


@contextmanager
def lock_held(database: Database) -> Iterator[None]:
    """Let somebody else write until the end of the block."""
    held, enough = threading.Event(), threading.Event()

    def hold() -> None:
        with database.writing():
            held.set()
            enough.wait(20)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(10)
    try:
        yield
    finally:
        enough.set()
        holder.join()


def test_it_writes_nothing_for_a_page_that_is_shown_again(
    client: TestClient, database: Database
) -> None:
    """Who says the same within the hour is confirmed without the lock that payments are written under."""
    asked = subscription()
    client.post(PATH, json=asked, headers=bearer())
    before = browsers(database)

    with lock_held(database):
        again = client.post(PATH, json=asked, headers=bearer())

    assert (again.status_code, again.json()) == (200, {"status": "confirmed"})
    assert browsers(database) == before


def test_it_forgets_a_browser_however_its_address_is_written(
    client: TestClient, database: Database
) -> None:
    """A host in capitals and the port of https name the same address as without."""
    client.post(PATH, json=subscription("one"), headers=bearer())
    named = {"endpoint": "HTTPS://Push.Example.com:443/send/one"}

    answer = client.request("DELETE", PATH, json=named, headers=bearer())

    assert answer.status_code == 204
    assert browsers(database) == []


@pytest.mark.parametrize("is_declared", [True, False])
def test_it_reads_no_large_body(client: TestClient, is_declared: bool) -> None:
    """More than 8 KiB is refused, told or not how much comes."""
    body = b'{"endpoint": "' + b"x" * 9000
    content: Any = body if is_declared else iter([body[:5000], body[5000:]])

    answer = client.post(PATH, content=content, headers=bearer())

    assert answer.status_code == 413


def test_it_waits_only_so_long_for_a_body(database: Database) -> None:
    """A body that does not come is given up, and its connection with it."""

    async def ask() -> list[Message]:
        sent: list[Message] = []
        scope = {
            "type": "http",
            "method": "POST",
            "path": PATH,
            "query_string": b"",
            "headers": [(b"authorization", bearer()["Authorization"].encode())],
        }

        async def never() -> Message:
            await asyncio.Event().wait()
            raise AssertionError

        async def keep(message: Message) -> None:
            sent.append(message)

        await push.routes()[0].handle(scope, never, keep)
        return sent

    push = Push(database, settings(body_timeout_s=0.05))
    head = asyncio.run(ask())[0]

    assert head["status"] == 408
    assert (b"connection", b"close") in head["headers"]


def test_it_lets_subscribers_hold_only_so_many_connections(database: Database) -> None:
    """Whoever subscribes in a loop is asked to come again, and the rest of the listener is Stripe's."""

    async def ask() -> list[int]:
        statuses: list[int] = []
        scope = {
            "type": "http",
            "method": "POST",
            "path": PATH,
            "query_string": b"",
            "headers": [(b"authorization", bearer()["Authorization"].encode())],
        }

        async def slow() -> Message:
            await asyncio.sleep(0.2)
            return {"type": "http.disconnect"}

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        asked = [asyncio.create_task(push.routes()[0].handle(scope, slow, keep)) for _ in range(40)]
        await asyncio.gather(*asked)
        return statuses

    push = Push(database, settings())

    assert sorted(asyncio.run(ask()))[-8:] == [503] * 8
    assert sorted(asyncio.run(ask()))[:32] == [400] * 32


def test_it_keeps_stripe_waiting_for_nobodys_dns(database: Database) -> None:
    """While every place for subscriptions waits for DNS, an event of Stripe is stored at once."""
    enough, asked = threading.Event(), threading.Semaphore(0)

    def hang(host: str) -> None:
        asked.release()
        enough.wait(20)

    inbox = FakeInbox()
    with serving(database, inbox, resolve=hang, threads=2) as client:
        waiting = [
            threading.Thread(
                target=client.post,
                args=(PATH,),
                kwargs={"json": subscription(f"b{number}"), "headers": bearer()},
            )
            for number in range(4)
        ]
        for each in waiting:
            each.start()
        for _ in range(2):
            assert asked.acquire(timeout=10)
        body = event_body("evt_1")
        signature = {"Stripe-Signature": sign(body, SECRET, datetime.now(UTC))}
        stored = client.post("/api/webhooks/stripe", content=body, headers=signature)
        is_hanging = not enough.is_set()
        enough.set()
        for each in waiting:
            each.join()

    assert stored.status_code == 200
    assert is_hanging
    assert inbox.ids == {"evt_1"}


def test_it_lets_the_apps_pages_ask(client: TestClient) -> None:
    """A page from an origin in the settings may send a token, post and delete, and read every answer."""
    origin = {"Origin": ORIGIN}
    asked = {
        "Access-Control-Request-Method": "DELETE",
        "Access-Control-Request-Headers": "authorization",
    }

    preflight = client.options(PATH, headers=origin | asked)
    answers = [
        preflight,
        client.post(PATH, json=subscription(), headers=origin | bearer()),
        client.post(PATH, json=subscription(), headers=origin),
        client.post(PATH, content=b"", headers=origin | bearer()),
        client.get("/push/vapid-public-key", headers=origin),
    ]

    assert [each.status_code for each in answers] == [204, 201, 401, 400, 200]
    assert {each.headers["access-control-allow-origin"] for each in answers} == {ORIGIN}
    assert {each.headers["vary"] for each in answers} == {"Origin"}
    assert preflight.headers["access-control-allow-methods"] == "POST, DELETE"
    assert preflight.headers["access-control-allow-headers"] == "Authorization, Content-Type"
    assert not any("access-control-allow-credentials" in each.headers for each in answers)


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "https://app.example.com.evil.example", "null", ORIGIN.upper(), "*"],
)
def test_it_lets_no_other_page_ask(client: TestClient, origin: str) -> None:
    """A page from elsewhere may ask nothing, and read no answer."""
    preflight = client.options(PATH, headers={"Origin": origin})
    key = client.get("/push/vapid-public-key", headers={"Origin": origin})

    assert preflight.status_code == 403
    for answer in (preflight, key):
        assert not any(name.startswith("access-control") for name in answer.headers)


def test_it_gives_a_browser_the_key_and_the_worker(client: TestClient) -> None:
    """The public key is plain text, and the worker is a script that may serve the app's origin and is never stale."""
    key = client.get("/push/vapid-public-key")
    worker = client.get("/push/sw.js")

    assert (key.text, key.headers["cache-control"]) == (PUBLIC_KEY, "public, max-age=60")
    assert key.headers["content-type"].startswith("text/plain")
    assert worker.headers["content-type"].startswith("text/javascript")
    assert worker.headers["service-worker-allowed"] == "/"
    assert worker.headers["cache-control"] == "no-cache"
    assert 'addEventListener("push"' in worker.text


def test_it_sends_a_browser_with_an_old_key_back(client: TestClient, database: Database) -> None:
    """What was subscribed with another key could never be sent to; the page subscribes again."""
    answer = client.post(PATH, json=subscription(vapid_public_key="another"), headers=bearer())

    assert answer.status_code == 409
    assert browsers(database) == []


def test_it_is_not_there_where_push_is_off() -> None:
    """Without the settings of push, none of its routes exists."""
    app = create_app(FakeInbox(), WebhookSettings(secrets=(SECRET,)))

    with TestClient(app) as client:
        answers = [
            client.post(PATH, json=subscription(), headers=bearer()),
            client.get("/push/vapid-public-key"),
            client.get("/push/sw.js"),
        ]

    assert [each.status_code for each in answers] == [404, 404, 404]
