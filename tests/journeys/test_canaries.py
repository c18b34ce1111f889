"""Is any secret, or anything of a payer's, ever seen where it does not belong, whatever the programs do and however they fail?

Every secret is a canary. The programs run with all they can do, are broken on purpose, and are asked for everything that they
tell; then every line, figure, report, row and file is searched.
"""

import json
import logging
import os
import shutil
import time
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from sqlalchemy import make_url, select

from reconciler.db import tables
from reconciler.db.push_tables import push_subscriptions
from reconciler.db.session import Database
from reconciler.push.keys import encoded, new_key, pem
from reconciler.simulator import till
from reconciler.simulator.api import Api, Key
from reconciler.simulator.browser import Browser
from reconciler.simulator.clock import Clock
from reconciler.simulator.push_service import PushService
from reconciler.simulator.server import SimulatedStripe
from reconciler.simulator.world import World
from tests.cli.conftest import OURS
from tests.cli.program import Commands
from tests.journeys.conftest import add_invoices
from tests.journeys.programs import (
    ROOT,
    StallingApi,
    Start,
    Stripe,
    environment,
    free_port,
    is_ready,
    set_out,
    wait_until,
)
from tests.journeys.stories import Sender, event, intent
from tests.metrics.scraping import scrape

API_KEY = "rk_test_canaryApiKey0123456789"
HOOK = "whsec_canaryHook0123456789abcdef"
PASSWORD = "canaryPassword0123"
TOKEN_SECRET = "canaryToken0123456789" * 2
EMAIL, NAME = "canary.payer@example.com", "Canary Payerson"
VAPID = new_key()
VAPID_LINES = pem(VAPID).splitlines()[1:-1]
VAPID_NUMBER = encoded(VAPID.private.private_numbers().private_value.to_bytes(32, "big"))
SECRETS = (API_KEY, HOOK, PASSWORD, TOKEN_SECRET, *VAPID_LINES, VAPID_NUMBER)
# Where a payer is named on purpose: in the app's table, in what we were told, and to people who must find out who paid.
EMAIL_AT = {
    ("invoices", "customer_email"), ("payments", "customer_email"), ("payments", "facts"), ("observations", "projection"),
    ("stripe_events", "body"),
}  # fmt: skip
NAME_AT = {("stripe_events", "body")}
BROWSER_AT = {("push_subscriptions", each) for each in ("endpoint", "p256dh", "auth")}
BREAKING = """
import os, reconciler.inbox, reconciler.poll.events
def broken(*_, **__):
    raise RuntimeError(" ".join(os.environ[n] for n in ("STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRET", "DATABASE_URL")) + " {email}")
reconciler.inbox.apply_payment_state = broken
"""


@pytest.fixture
def stripe() -> Iterator[Stripe]:
    """Give an account whose only key is a canary."""
    world = World(seed=3, clock=Clock(int(time.time() * 1000) - 60_000))
    api = StallingApi(Api(world, [Key(API_KEY)]))
    with SimulatedStripe(api) as server:  # type: ignore[arg-type]
        yield Stripe(world, api, server.base_url)


@pytest.fixture
def service() -> Iterator[PushService]:
    """Give a push service that stands in for all."""
    with PushService() as service:
        yield service


@pytest.fixture
def commands(
    tmp_path: Path,
    schema: str,
    stripe: Stripe,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Iterator[Commands]:
    """Give the commands, in the folder in which the programs run."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    monkeypatch.chdir(tmp_path)
    for name in os.environ:
        if name.startswith(OURS):
            monkeypatch.delenv(name)
    monkeypatch.setenv("USER", "ann")
    for name, value in environment("", schema, stripe.base_url).items():
        monkeypatch.setenv(name, value)
    yield Commands(monkeypatch, capsys)
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def secrets(database_url: str, dialect: str, service: PushService) -> dict[str, str]:
    """Give the variables of a program all of whose secrets are canaries."""
    url = make_url(database_url)
    if dialect == "postgresql":
        url = url.set(password=PASSWORD)
    return {
        "DATABASE_URL": url.render_as_string(hide_password=False),
        "STRIPE_API_KEY": API_KEY,
        "STRIPE_WEBHOOK_SECRET": HOOK,
        "VAPID_PRIVATE_KEY": pem(VAPID),
        "PUSH_TOKEN_SECRET": TOKEN_SECRET,
        "PUSH_RELAY": service.base_url,
        "RECONCILER_PUSH__SUBJECT": "mailto:ops@example.com",
        "RECONCILER_LOG__LEVEL": "debug",
        "RECONCILER_SWEEPS__OPEN_S": "1",
    }


def test_it_shows_no_secret_and_no_payer_whatever_happens(
    run: Start,
    commands: Commands,
    database: Database,
    stripe: Stripe,
    service: PushService,
    secrets: dict[str, str],
    tmp_path: Path,
) -> None:
    """Logs, metrics, answers, reports, columns and files are free of every canary, after good days and after broken ones."""
    browser = service.new_subscription()
    told = _good_day(run, database, stripe, service, secrets, browser)
    told |= _questions(commands, secrets)
    told |= _bad_settings(commands, secrets, tmp_path)
    told |= _bad_day(run, secrets, tmp_path)
    of_browser = (browser.endpoint, browser.path, browser.p256dh, browser.auth)

    for where, text in told.items():
        assert [each for each in (*SECRETS, *of_browser) if each in text] == [], where
    for where, text in told.items():
        if not where.startswith("people: "):
            assert [each for each in (EMAIL, NAME) if each in text] == [], where
    _judge_rows(database, browser)
    _judge_files(tmp_path)


def _good_day(
    run: Start,
    database: Database,
    stripe: Stripe,
    service: PushService,
    secrets: dict[str, str],
    browser: Browser,
) -> dict[str, str]:
    """Let a payer pay, by webhook and by sweep, and be told; return what was said meanwhile."""
    set_out(database)
    stripe.catch_up()
    add_invoices(
        database,
        {
            "id": "1",
            "number": "INV-1",
            "amount_due": 1000,
            "user_id": "u1",
            "customer_email": EMAIL,
        },
        {
            "id": "2",
            "number": "INV-2",
            "amount_due": 2000,
            "user_id": "u1",
            "customer_email": EMAIL,
        },
    )
    paid = till.make_intent(
        stripe.world,
        amount=2000,
        currency="eur",
        metadata={"invoice_id": "INV-2"},
        receipt_email=EMAIL,
    )
    till.succeed(stripe.world, paid)
    port, serve, daemon = free_port(), free_port(), free_port()
    at = {
        "RECONCILER_METRICS__SERVE": f"127.0.0.1:{serve}",
        "RECONCILER_METRICS__DAEMON": f"127.0.0.1:{daemon}",
    }
    both = run("up", port=port, **secrets, **at)
    wait_until(lambda: is_ready(port), both)
    subscribed = _subscribe(port, browser)
    by_webhook = intent(
        "pi_1", "succeeded", 1000, invoice="INV-1", receipt_email=EMAIL, shipping={"name": NAME}
    )
    sender = Sender(port)
    happened = event("evt_1", "payment_intent.succeeded", by_webhook)
    answers = [sender.send(happened, secret=each) for each in (HOOK, HOOK, "whsec_" + PASSWORD)]
    sender.close()
    wait_until(lambda: len(service.arrived) >= 2, both)
    figures = {f"metrics {port}": scrape(port).text for port in (serve, daemon)}
    commands = {
        f"argv {pid}": Path(f"/proc/{pid}/cmdline").read_text()
        for pid in (both.process.pid, *both.children())
    }
    assert both.stop() == 0
    assert answers == [200, 200, 400]
    assert {each.browser.endpoint for each in service.arrived} == {browser.endpoint}
    return {"up": both.log.read_text(), "subscribed": subscribed, **figures, **commands}


def _questions(commands: Commands, secrets: dict[str, str]) -> dict[str, str]:
    """Ask for everything that can be asked; return what was said to programs and to people."""
    yesterday, today = (
        time.strftime("%Y-%m-%d", time.gmtime(time.time() - ago_s)) for ago_s in (86_400, 0)
    )
    span = ("--from", yesterday, "--to", today)
    asked: list[tuple[str, ...]] = [
        ("status",), ("status", "--json"), ("doctor",), ("doctor", "--json"), ("verify", "--rebuild"),
        ("reconcile", *span, "--dry-run"), ("reconcile", *span, "--format", "csv", "--output", "csv"),
        ("reconcile", *span, "--format", "html", "--output", "r.html"), ("reconcile", *span, "--format", "json", "--output", "r.json"),
        ("reconcile", *span, "--format", "xlsx", "--output", "r.xlsx"), ("runs", "list", "--json"), ("events", "list"),
        ("events", "show", "evt_1", "--json"), ("exceptions", "list"), ("push", "test", "u1"), ("push", "test", "u1", "--json"),
        ("explain", "INV-1", "--json"), ("invoices", "show", "INV-1"), ("payments", "show", "pi_1"),
    ]  # fmt: skip
    told = {}
    for words in asked:
        ended = commands.run(*words, **secrets)
        assert ended.code in {0, 1}, (words, ended)
        assert "Traceback" not in ended.everything, words
        # Who looks at one invoice, one payment or one event of a payer's is to see whose it is.
        names_payers = words[0] in {"explain", "invoices", "payments", "events"}
        told[f"{'people: ' if names_payers else ''}{' '.join(words)}"] = ended.everything
    return told


def _bad_settings(commands: Commands, secrets: dict[str, str], folder: Path) -> dict[str, str]:
    """Let everything be wrong, one thing at a time; return what was said about it."""
    away = f"postgresql://me:{PASSWORD}@127.0.0.1:1/books"
    wrong: dict[str, tuple[tuple[str, ...], dict[str, str]]] = {
        "no database": (("status",), {"DATABASE_URL": away}),
        "no database, served": (("serve",), {"DATABASE_URL": away}),
        "no database, asked": (("doctor",), {"DATABASE_URL": away}),
        "a database of another kind": (("status",), {"DATABASE_URL": away.replace("postgresql", "oracle")}),
        "another key": (("doctor",), {"STRIPE_API_KEY": API_KEY + "x"}),
        "a live key": (("doctor",), {"STRIPE_API_KEY": API_KEY.replace("test", "live")}),
        "nobody at Stripe": (("doctor",), {"STRIPE_API_BASE": "http://127.0.0.1:1"}),
        "secrets exchanged": (("doctor",), {"STRIPE_API_KEY": HOOK, "STRIPE_WEBHOOK_SECRET": API_KEY}),
        "half a key pair": (("serve",), {"VAPID_PRIVATE_KEY": pem(VAPID)[:120]}),
        "a key that is a password": (("doctor",), {"VAPID_PRIVATE_KEY": PASSWORD}),
        "a short secret": (("serve",), {"PUSH_TOKEN_SECRET": TOKEN_SECRET[:21]}),
        "a setting in the wrong place": (("serve",), {"RECONCILER_STRIPE__API_KEY": API_KEY}),
    }  # fmt: skip
    told = {}
    for name, (words, odd) in wrong.items():
        ended = commands.run(*words, **{**secrets, **odd})
        assert ended.code in {1, 2, 3}, name
        told[name] = ended.everything
    (folder / "bad.toml").write_text(
        f'[stripe]\nmode = "test"\napi_key = "{API_KEY}"\nnote = "{HOOK}"\n'
        f'[database]\nurl = "{away}"\n[push]\ntoken_secret = "{TOKEN_SECRET}"\n'
    )
    ended = commands.run("serve", "--config", "bad.toml", **secrets)
    (folder / "bad.toml").unlink()
    assert ended.code == 2
    return told | {"secrets in the file": ended.everything}


def _bad_day(run: Start, secrets: dict[str, str], folder: Path) -> dict[str, str]:
    """Let the program itself be broken, with an error that says everything; return what the log has of it."""
    (folder / "broken").mkdir()
    (folder / "broken" / "sitecustomize.py").write_text(BREAKING.replace("{email}", EMAIL))
    port = free_port()
    broken = run("serve", port=port, **{**secrets, "PYTHONPATH": f"{folder / 'broken'}:{ROOT}"})
    wait_until(lambda: is_ready(port), broken)
    sender = Sender(port)
    paid = intent("pi_9", "succeeded", 900, receipt_email=EMAIL)
    answer = sender.send(event("evt_9", "payment_intent.succeeded", paid), secret=HOOK)
    sender.close()
    assert (answer, broken.stop()) == (200, 0)
    told = broken.log.read_text()
    assert "RuntimeError" in told
    shutil.rmtree(folder / "broken")
    # Whoever ends these programs allows no traceback, and this one was wanted.
    broken.log.write_text("")
    return {"a traceback": told}


def _subscribe(port: int, browser: Browser) -> str:
    token = jwt.encode({"sub": "u1", "exp": int(time.time()) + 60}, TOKEN_SECRET, algorithm="HS256")
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/api/push/subscriptions",
        json.dumps(dict(browser.subscription)).encode(),
        {"Authorization": f"Bearer {token}"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return str(answer.read().decode())


def _judge_rows(database: Database, browser: Browser) -> None:
    """Secrets are in no column, a payer and a browser only in those that are meant for them."""
    allowed: dict[str, set[tuple[str, str]]] = {each: set() for each in SECRETS}
    allowed |= {EMAIL: EMAIL_AT, NAME: NAME_AT}
    allowed |= dict.fromkeys((browser.endpoint, browser.p256dh, browser.auth), BROWSER_AT)
    for table in {*tables.metadata.tables.values(), push_subscriptions}:
        with database.reading() as tx:
            rows = tx.execute(select(table)).mappings().all()
        for canary, places in allowed.items():
            found = {
                (table.name, name)
                for row in rows
                for name, value in row.items()
                if canary in _text(value)
            }
            assert found <= places, canary


def _judge_files(folder: Path) -> None:
    """What the programs left behind on the disk, the database and its journal included, holds no secret."""
    files = [each for each in folder.rglob("*") if each.is_file()]
    assert {each.name for each in files} >= {"r.html", "r.json", "r.xlsx"}
    for each in files:
        raw = _unpacked(each)
        assert [secret for secret in SECRETS if secret.encode() in raw] == [], each
        if each.suffix not in {".db", ".db-wal", ".db-shm"} and not each.name.endswith(
            ("-wal", "-shm")
        ):
            assert EMAIL.encode() not in raw, each


def _unpacked(file: Path) -> bytes:
    """Return what is in a file; of one that is packed, what is in its parts."""
    if not zipfile.is_zipfile(file):
        return file.read_bytes()
    with zipfile.ZipFile(file) as packed:
        return b"".join(packed.read(name) for name in packed.namelist())


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
