"""Whether a command starts only with what it needs, and learns of everything that is missing."""

from pathlib import Path
from typing import Literal

import pytest
from pydantic import SecretStr

from reconciler.config import (
    Push,
    Secrets,
    Settings,
    SettingsError,
    Stripe,
    load,
    missing_for_push,
    missing_for_sending,
    require,
)

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


@pytest.mark.parametrize("variable", ["STRIPE_API_BASE", "PUSH_RELAY"])
@pytest.mark.parametrize("key", ["sk_live_canary", "rk_live_canary"])
def test_it_sends_what_is_live_to_the_real_ones_only(key: str, variable: str) -> None:
    """With a live key another address for Stripe, or for the push services, is refused."""
    with pytest.raises(SettingsError) as refusal:
        load(None, {"STRIPE_API_KEY": key, variable: "http://127.0.0.1:1"})

    [problem] = refusal.value.problems
    assert problem.startswith(f"{variable}: is refused with a live key")


def test_it_notifies_live_users_by_the_real_push_services_only() -> None:
    """Whoever only serves has no key, and is known to be live by its mode."""
    environ = {"RECONCILER_STRIPE__MODE": "live", "PUSH_RELAY": "http://127.0.0.1:1"}

    with pytest.raises(SettingsError, match="PUSH_RELAY: is refused in live mode"):
        load(None, environ)


def with_push(subject: str = "", key: str | None = None, token: str | None = None) -> Settings:
    """Return settings with these parts of push."""
    secrets = Secrets(
        vapid_private_key=SecretStr(key) if key else None,
        push_token_secret=SecretStr(token) if token else None,
    )
    return Settings(push=Push(subject=subject), secrets=secrets)


def test_it_says_what_push_lacks() -> None:
    """Sending needs a subject and a key; that browsers subscribe needs the app's secret too."""
    nothing, all_ = with_push(), with_push("mailto:a@b.c", "key", "t" * 32)

    assert missing_for_sending(nothing) == ("[push] subject", "VAPID_PRIVATE_KEY")
    assert missing_for_push(nothing) == (*missing_for_sending(nothing), "PUSH_TOKEN_SECRET")
    assert missing_for_push(with_push("mailto:a@b.c", "key")) == ("PUSH_TOKEN_SECRET",)
    assert missing_for_push(with_push("", "key", "t" * 32)) == ("[push] subject",)
    assert missing_for_push(all_) == missing_for_sending(all_) == ()

    with pytest.raises(SettingsError) as refusal:
        require(nothing, "push")
    subject, key = refusal.value.problems
    assert subject.startswith("[push] subject: is empty or not set; write subject = ")
    assert key == "VAPID_PRIVATE_KEY: is empty or not set; `reconciler push keys` makes one"
    require(all_, "push", "push_secret")


@pytest.mark.parametrize(
    ("token", "is_good"),
    [(None, True), ("t" * 31, False), ("t" * 32, True), ("é" * 15 + "c", False), ("é" * 16, True)],
)
def test_it_refuses_a_short_secret_for_tokens(token: str | None, is_good: bool) -> None:
    """Whoever guesses the app's secret is any user; where nobody subscribes, none is needed."""
    settings = with_push(token=token)
    if is_good:
        require(settings, "push_secret")
        return

    with pytest.raises(SettingsError) as refusal:
        require(settings, "push_secret")

    [problem] = refusal.value.problems
    assert problem.startswith("PUSH_TOKEN_SECRET: is shorter than 32 bytes; make one with `openssl")
    assert str(token) not in problem


@pytest.mark.parametrize("variable", ["STRIPE_API_BASE", "PUSH_RELAY"])
@pytest.mark.parametrize(
    "base",
    ["ftp://x", "http://", "http://u:canary@h", "http://h/path", "http://h:x", "h:1", "http://h /"],
)
def test_it_wants_the_bare_address_of_a_stand_in(base: str, variable: str) -> None:
    """An address of another Stripe, or of a relay, is a scheme, a host and a port, and holds no password."""
    with pytest.raises(SettingsError) as refusal:
        load(None, {variable: base})

    assert refusal.value.problems == (
        f"{variable}: must be http://HOST:PORT or https://HOST:PORT and nothing more",
    )
