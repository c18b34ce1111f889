"""Whether each setting comes from the right place, and the shipped file says what the code does."""

import tomllib
from dataclasses import FrozenInstanceError, fields, replace
from datetime import UTC, date, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from reconciler.config import Address, Settings, SettingsError, Stripe, Webhook, load

SHIPPED = Path(__file__).parents[2] / "config.toml"
SECTION_FIELDS = [
    field
    for field in fields(Settings)
    if field.name not in ("secrets", "stripe_api_base", "push_relay")
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the path of a settings file that a test may write."""
    return tmp_path / "some.toml"


def test_it_ships_a_file_that_equals_the_defaults() -> None:
    """Who copies config.toml gets what the program does without it; only the mode has no default."""
    shipped = load(SHIPPED, {})

    assert shipped.stripe.mode == "test"
    assert replace(shipped, stripe=replace(shipped.stripe, mode=None)) == Settings()


@pytest.mark.parametrize("section", [field.name for field in SECTION_FIELDS])
def test_it_ships_a_file_with_every_key(section: str) -> None:
    """No setting has to be found in the code; keys that name a file stand there as comments."""
    text = SHIPPED.read_text("utf-8")
    keys = {field.name for field in fields(getattr(Settings(), section))}

    in_comments = {key for key in keys if f"\n# {key} = " in text}

    assert in_comments == {key for key in keys if key.endswith("_file")}
    assert set(tomllib.loads(text)[section]) == keys - in_comments


def test_it_needs_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With no file anywhere the built-in defaults hold, without a mode."""
    monkeypatch.chdir(tmp_path)

    assert load(environ={}) == Settings()
    assert load(environ={}).stripe.mode is None


def test_it_takes_the_named_file_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The argument beats $RECONCILER_CONFIG, which beats ./config.toml."""
    monkeypatch.chdir(tmp_path)
    for name, grace_s in {"config.toml": 1, "variable.toml": 2, "argument.toml": 3}.items():
        Path(name).write_text(f"[exceptions]\ngrace_s = {grace_s}\n")
    variable = {"RECONCILER_CONFIG": "variable.toml"}

    assert load(environ={}).exceptions.grace_s == 1
    assert load(environ={"RECONCILER_CONFIG": ""}).exceptions.grace_s == 1
    assert load(environ=variable).exceptions.grace_s == 2
    assert load(Path("argument.toml"), variable).exceptions.grace_s == 3


def test_it_misses_a_named_file(tmp_path: Path) -> None:
    """A file that was named and is not there is an error and not the defaults."""
    missing = tmp_path / "nowhere.toml"

    with pytest.raises(SettingsError, match="No such file"):
        load(missing, {})
    with pytest.raises(SettingsError, match="No such file"):
        load(environ={"RECONCILER_CONFIG": str(missing)})


def test_it_lets_the_environment_beat_the_file(file: Path) -> None:
    """RECONCILER_SECTION__KEY replaces one key and leaves its neighbours to the file."""
    file.write_text('[log]\nlevel = "debug"\nformat = "json"\n')

    log = load(file, {"RECONCILER_LOG__LEVEL": "error"}).log

    assert (log.level, log.format) == ("error", "json")


@pytest.mark.parametrize(
    ("variable", "text", "value"),
    [
        ("STRIPE__MODE", "live", "live"),
        ("STRIPE__MODE", '"live"', "live"),
        ("STRIPE__REQUESTS_PER_S", "2.5", 2.5),
        ("STRIPE__REQUESTS_PER_S", "4", 4.0),
        ("WEBHOOK__TOLERANCE_S", "60", 60),
        ("WEBHOOK__LISTEN", "[::1]:3000", Address("::1", 3000)),
        ("REPORT__TIMEZONE", "Europe/Paris", ZoneInfo("Europe/Paris")),
        ("SWEEPS__NIGHT_UTC", "04:05", time(4, 5, tzinfo=UTC)),
        ("MATCHING__SINCE", "2026-03-01", date(2026, 3, 1)),
        ("MATCHING__SINCE", "", None),
        ("MATCHING__METADATA_KEYS", '["order", "invoice"]', ("order", "invoice")),
        ("METRICS__SERVE", "", None),
        ("METRICS__DAEMON", '""', None),
        ("METRICS__DAEMON", "10.0.0.7:9465", Address("10.0.0.7", 9465)),
        ("INVOICES__TABLE", "2026", "2026"),
        ("INVOICES__TABLE", "true", "true"),
        ("INVOICES__TABLE", '"a"\nb = "c"', '"a"\nb = "c"'),
        ("INVOICES__COLUMNS", '{ amount_due = "total" }', {"amount_due": "total"}),
    ],
)
def test_it_reads_a_variable_as_the_type_that_the_key_needs(
    variable: str, text: str, value: object
) -> None:
    """A variable is TOML where the key needs a number, a list or a table, and plain text elsewhere."""
    section, _, key = variable.lower().partition("__")

    settings = load(SHIPPED, {f"RECONCILER_{variable}": text})

    assert getattr(getattr(settings, section), key) == value


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:3000", "127.0.0.1", 3000),
        ("localhost:0", "localhost", 0),
        ("[::1]:65535", "::1", 65_535),
    ],
)
def test_it_takes_a_listen_address_apart(text: str, host: str, port: int) -> None:
    """A server gets host and port; written out again the address is as it was."""
    listen = load(SHIPPED, {"RECONCILER_WEBHOOK__LISTEN": text}).webhook.listen

    assert (listen.host, listen.port, str(listen)) == (host, port, text)


def test_it_reads_a_date_without_quotes(file: Path) -> None:
    """TOML has dates of its own, and a person will write one."""
    file.write_text("[matching]\nsince = 2026-03-01\n")

    assert load(file, {}).matching.since == date(2026, 3, 1)


def test_it_never_changes_after_it_was_read() -> None:
    """Settings and their sections are frozen."""
    settings = Settings()

    with pytest.raises(FrozenInstanceError):
        settings.stripe = Stripe(mode="live")  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        settings.webhook.tolerance_s = 0  # type: ignore[misc]


def test_it_checks_a_section_that_code_makes() -> None:
    """The bounds hold for settings made in code, as in the tests of other parts."""
    with pytest.raises(ValidationError, match="between 1 and 3600"):
        Webhook(tolerance_s=0)


@pytest.mark.parametrize(
    "base", ["http://127.0.0.1:18420", "https://stripe.example", "http://[::1]:9"]
)
def test_it_talks_to_another_stripe_with_a_test_key(base: str) -> None:
    """STRIPE_API_BASE is taken as it is, as long as no live key is about."""
    environ = {"STRIPE_API_BASE": base, "STRIPE_API_KEY": "rk_test_123"}

    assert load(SHIPPED, environ).stripe_api_base == base
    assert load(SHIPPED, {"STRIPE_API_BASE": ""}).stripe_api_base is None


@pytest.mark.parametrize("relay", ["http://127.0.0.1:18421", "https://relay.example"])
def test_it_sends_notifications_to_a_relay(relay: str) -> None:
    """PUSH_RELAY is taken as it is, as long as nothing live is about."""
    assert load(SHIPPED, {"PUSH_RELAY": relay}).push_relay == relay
    assert load(SHIPPED, {"PUSH_RELAY": ""}).push_relay is None


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/",
        "/invoices/{id}",
        "/#/invoices/{number}?from=push",
        "https://app.example.com/",
        "https://app.example.com:8443/i/{id}/{number}",
    ],
)
def test_it_opens_a_page_of_the_app(url: str) -> None:
    """A notification may open a page at an address of its own, or one of the app that it was subscribed in."""
    assert load(SHIPPED, {"RECONCILER_PUSH__INVOICE_URL": url}).push.invoice_url == url
