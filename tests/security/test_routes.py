"""What can be asked of the webhook at all, and what by whom?"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import stripe
from starlette.routing import Route
from starlette.testclient import TestClient

from reconciler.config import Settings
from reconciler.db.digest import digest
from reconciler.db.session import Database
from reconciler.inbox import Inbox
from tests.webhook.push_app import PATH, settings
from tests.webhook.signing import SECRET
from webhook.app import STRIPE_PATH, create_app
from webhook.push.endpoint import Push
from webhook.wiring import WebhookSettings

ROOT = Path(__file__).resolve().parents[2]
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
# Whoever asks these needs a signature or a token; the rest tells what everybody may know.
KEPT = {(STRIPE_PATH, "POST"): 400, (PATH, "POST"): 401, (PATH, "DELETE"): 401}
OPEN = {"/healthz", "/readyz", "/push/vapid-public-key", "/push/sw.js"}


def _books(database: Database) -> str:
    with database.reading() as tx:
        return digest(tx)


@pytest.fixture
def client(database: Database) -> Iterator[TestClient]:
    """Give the whole application, push included, as a stranger sees it."""
    push = Push(database, settings())
    app = create_app(Inbox(db=database), WebhookSettings(secrets=(SECRET,)), push=push)
    with TestClient(app, follow_redirects=False) as client:
        yield client


def test_it_has_no_route_that_nobody_has_thought_of(client: TestClient) -> None:
    """Each route is either for those who sign, or known to be for everybody."""
    paths = {route.path for route in client.app.routes if isinstance(route, Route)}  # type: ignore[attr-defined]

    assert paths == OPEN | {path for path, _ in KEPT}


@pytest.mark.parametrize("method", METHODS)
def test_it_does_nothing_for_strangers(client: TestClient, database: Database, method: str) -> None:
    """No route changes anything by any method for who shows no signature and no token, least of all by GET."""
    before = _books(database)
    for path in (
        *OPEN,
        STRIPE_PATH,
        PATH,
        f"{STRIPE_PATH}/",
        "/",
        "/metrics",
        "/docs",
        "/openapi.json",
    ):
        answer = client.request(method, path, content=b"{}")

        expected = KEPT.get((path, method))
        assert answer.status_code in ({expected} if expected else {200, 403, 404, 405}), path
        assert answer.status_code != 200 or path in OPEN, path
    assert _books(database) == before


def test_it_tells_a_prober_one_word(client: TestClient) -> None:
    """Health is "ok": no version, no count and no name."""
    for path in ("/healthz", "/readyz"):
        answer = client.get(path)

        assert answer.text in {"ok", "not ready"}
        assert set(answer.headers) <= {"content-length", "content-type"}


def test_it_goes_by_nobodys_address() -> None:
    """No decision rests on where a request seems to come from, so nothing that is forwarded can forge one."""
    for file in (ROOT / "webhook").rglob("*.py"):
        said = re.findall(r"request\.client|x-forwarded-for|x-real-ip", file.read_text().lower())
        assert said == [], file
    assert "proxy_headers=False" in (ROOT / "webhook" / "app.py").read_text()


def test_it_shows_figures_and_webhook_to_this_machine_alone() -> None:
    """As it is shipped, everything listens on loopback."""
    shipped = Settings()

    listeners = (shipped.webhook.listen, shipped.metrics.serve, shipped.metrics.daemon)
    assert {each.host for each in listeners if each} == {"127.0.0.1"}


def test_it_asks_the_real_stripe_over_checked_tls() -> None:
    """Unless a test says otherwise, questions go to api.stripe.com over TLS whose certificate is checked."""
    assert stripe.DEFAULT_API_BASE == "https://api.stripe.com"
    assert stripe.verify_ssl_certs is True
    assert Settings().stripe_api_base is None
