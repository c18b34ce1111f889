"""Whether a command starts only with what it needs, and learns of everything that is missing."""

from pathlib import Path
from typing import Literal

import pytest
from pydantic import SecretStr

from reconciler.config import Secrets, Settings, SettingsError, Stripe, load, require

GOOD_WEBHOOK_SECRET = "whsec_0123456789a"
Mode = Literal["test", "live"]


@pytest.fixture(autouse=True)
def _no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the config.toml of the folder that the tests are run in out of them."""
    monkeypatch.chdir(tmp_path)


def with_webhook_secrets(*texts: str) -> Settings:
    """Return settings with these signing secrets."""
    return Settings(secrets=Secrets(stripe_webhook_secret=tuple(map(SecretStr, texts))))


def with_key(key: str | None, mode: Mode | None) -> Settings:
    """Return settings with this API key and mode."""
    secret = SecretStr(key) if key is not None else None
    return Settings(stripe=Stripe(mode=mode), secrets=Secrets(stripe_api_key=secret))


def test_it_reports_all_that_is_missing() -> None:
    """A command's needs are checked together, each with where to find what is missing."""
    with pytest.raises(SettingsError) as refusal:
        require(Settings(), "mode", "webhook_secret", "api_key")

    mode, webhook_secret, api_key = refusal.value.problems
    assert mode == '[stripe] mode: is not set; write mode = "test" or mode = "live" in config.toml'
    assert webhook_secret.startswith(
        "STRIPE_WEBHOOK_SECRET: is empty or not set; it is the endpoint's"
    )
    assert "Stripe Dashboard" in webhook_secret
    assert api_key.startswith("STRIPE_API_KEY: is empty or not set; make a restricted key")


def test_it_asks_for_no_more_than_the_command_needs() -> None:
    """Serving needs no API key, and reading what is stored needs nothing."""
    require(Settings())
    require(with_webhook_secrets(GOOD_WEBHOOK_SECRET), "webhook_secret")
    require(with_key(None, "test"), "mode")


def test_it_accepts_several_good_secrets() -> None:
    """While one secret replaces another, both may be there."""
    require(with_webhook_secrets(GOOD_WEBHOOK_SECRET, "whsec_zzzzzzzzzzzzzzzz"), "webhook_secret")


@pytest.mark.parametrize(
    "secret",
    [
        "whsec_",
        "whsec_0123456789",
        "whsec_01234 56789abc",
        "whsec_0123456789a\tb",
        "whsec_0123456789é",
        "WHSEC_0123456789ab",
        "sk_test_0123456789abc",
        '"whsec_0123456789abc"',
    ],
)
def test_it_refuses_what_is_no_signing_secret(secret: str) -> None:
    """One bad secret among good ones is enough: with it anybody might sign an event."""
    with pytest.raises(SettingsError) as refusal:
        require(with_webhook_secrets(GOOD_WEBHOOK_SECRET, secret), "webhook_secret")

    [problem] = refusal.value.problems
    assert problem.startswith(
        "STRIPE_WEBHOOK_SECRET: secret 2 of 2 is no signing secret; it begins with"
    )
    assert "0123456789" not in problem


@pytest.mark.parametrize("blank", ["", "  ", ",", " , ,"])
def test_it_refuses_a_blank_signing_secret(blank: str) -> None:
    """An empty key would verify what an attacker signs with an empty key."""
    settings = load(None, {"STRIPE_WEBHOOK_SECRET": blank})

    with pytest.raises(SettingsError, match="is empty or not set"):
        require(settings, "webhook_secret")


@pytest.mark.parametrize(
    ("key", "mode"),
    [
        ("sk_test_1", "test"),
        ("rk_test_1", "test"),
        ("sk_live_1", "live"),
        ("rk_live_1", "live"),
        ("rk_live_1", None),
    ],
)
def test_it_accepts_a_key_of_the_mode(key: str, mode: Mode | None) -> None:
    """Secret and restricted keys are taken, if they agree with the mode where one is set."""
    require(with_key(key, mode), "api_key")


@pytest.mark.parametrize(
    ("key", "mode", "sentence"),
    [
        ("sk_test_canary", "live", 'is a test key, but [stripe] mode is live; use a live key, or set mode = "test"'),
        ("rk_live_canary", "test", 'is a live key, but [stripe] mode is test; use a test key, or set mode = "live"'),
        ("pk_test_canary", "test", "must begin with rk_test_, rk_live_, sk_test_ or sk_live_"),
        ("sk_test_", "test", "must begin with"),
        ("sk_test_canary x", "test", "must begin with"),
        ("canary", "test", "must begin with"),
    ],
)  # fmt: skip
def test_it_refuses_a_key_of_the_other_mode(key: str, mode: Mode, sentence: str) -> None:
    """A test key never touches live money, nor a live key a test database; the key is not repeated."""
    with pytest.raises(SettingsError) as refusal:
        require(with_key(key, mode), "api_key")

    [problem] = refusal.value.problems
    assert problem.startswith(f"STRIPE_API_KEY: {sentence}")
    assert "canary" not in problem


@pytest.mark.parametrize("key", ["sk_live_canary", "rk_live_canary"])
def test_it_sends_a_live_key_to_stripe_only(key: str) -> None:
    """With a live key another address for Stripe is refused."""
    with pytest.raises(SettingsError) as refusal:
        load(None, {"STRIPE_API_KEY": key, "STRIPE_API_BASE": "http://127.0.0.1:1"})

    [problem] = refusal.value.problems
    assert problem.startswith("STRIPE_API_BASE: is refused with a live key")


@pytest.mark.parametrize(
    "base",
    ["ftp://x", "http://", "http://u:canary@h", "http://h/path", "http://h:x", "h:1", "http://h /"],
)
def test_it_wants_a_bare_address_of_another_stripe(base: str) -> None:
    """STRIPE_API_BASE is a scheme, a host and a port, and holds no password."""
    with pytest.raises(SettingsError) as refusal:
        load(None, {"STRIPE_API_BASE": base})

    assert refusal.value.problems == (
        "STRIPE_API_BASE: must be http://HOST:PORT or https://HOST:PORT and nothing more",
    )
