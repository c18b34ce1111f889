"""Whether each secret is found where it belongs, and never seen where it does not."""

import pickle
from pathlib import Path

import pytest
from pydantic import SecretStr

from reconciler.config import Secrets, Settings, SettingsError, load, redacted_url

CANARY = "canary0123456789"
# Variable, section and key of the file that may hold it, and a value that is good as it is.
SECRETS = [
    ("STRIPE_API_KEY", "stripe", "api_key_file", "rk_test_{}"),
    ("STRIPE_WEBHOOK_SECRET", "stripe", "webhook_secret_file", "whsec_{}"),
    ("DATABASE_URL", "database", "url_file", "postgresql+psycopg://u:{}@h/db"),
    ("VAPID_PRIVATE_KEY", "push", "vapid_private_key_file", "{}"),
    ("PUSH_TOKEN_SECRET", "push", "token_secret_file", "{}"),
]


def revealed(settings: Settings, variable: str) -> str:
    """Return the clear text of a secret; of several, joined as in the variable."""
    secret = getattr(settings.secrets, variable.lower())
    if isinstance(secret, tuple):
        return ",".join(one.get_secret_value() for one in secret)
    assert isinstance(secret, SecretStr)
    return secret.get_secret_value()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return the path of an empty settings file."""
    file = tmp_path / "config.toml"
    file.touch()
    return file


@pytest.mark.parametrize(("variable", "section", "file_key", "form"), SECRETS)
def test_it_takes_a_secret_from_the_first_place_that_has_it(
    variable: str, section: str, file_key: str, form: str, tmp_path: Path
) -> None:
    """The service manager's credential beats the named file, which beats the environment."""
    config = tmp_path / "config.toml"
    config.touch()
    environ = {variable: form.format("environment")}
    assert revealed(load(config, environ), variable) == form.format("environment")

    named = tmp_path / "named"
    named.write_text(form.format("named") + "\n")
    config.write_text(f"[{section}]\n{file_key} = '{named}'\n")
    assert revealed(load(config, environ), variable) == form.format("named")

    environ["CREDENTIALS_DIRECTORY"] = str(tmp_path)
    assert revealed(load(config, environ), variable) == form.format("named")

    (tmp_path / variable).write_text(form.format("credential") + "\n")
    assert revealed(load(config, environ), variable) == form.format("credential")


@pytest.mark.parametrize(("variable", "section", "file_key", "form"), SECRETS)
def test_it_shows_no_secret(
    variable: str, section: str, file_key: str, form: str, config: Path
) -> None:
    """Settings can be printed: where a secret is, stars are seen."""
    settings = load(config, {variable: form.format(CANARY)})

    assert CANARY in revealed(settings, variable)
    assert CANARY not in f"{settings} {settings!r} {settings.secrets} {section} {file_key}"


def test_it_takes_several_webhook_secrets(config: Path) -> None:
    """While one secret replaces another both are accepted; blanks around and between are dropped."""
    settings = load(config, {"STRIPE_WEBHOOK_SECRET": " whsec_a , ,whsec_b,"})

    assert revealed(settings, "STRIPE_WEBHOOK_SECRET") == "whsec_a,whsec_b"


@pytest.mark.parametrize("variable", ["STRIPE_API_KEY", "VAPID_PRIVATE_KEY", "PUSH_TOKEN_SECRET"])
def test_it_takes_a_blank_secret_for_none(variable: str, config: Path) -> None:
    """A secret of blanks is no secret."""
    assert getattr(load(config, {variable: " \n"}).secrets, variable.lower()) is None


def test_it_does_not_fall_back_from_a_blank_credential(tmp_path: Path, config: Path) -> None:
    """A secret emptied by accident is not replaced by an older one from the environment."""
    (tmp_path / "STRIPE_API_KEY").write_text("\n")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path), "STRIPE_API_KEY": "rk_test_old"}

    assert load(config, environ).secrets.stripe_api_key is None


@pytest.mark.parametrize(
    ("given_url", "url"),
    [
        ("sqlite:///a/b.db", "sqlite:///a/b.db"),
        ("sqlite:////var/lib/b.db", "sqlite:////var/lib/b.db"),
        ("postgres://u@h/db", "postgresql+psycopg://u@h/db"),
        ("postgresql://u@h:5432/db?sslmode=require", "postgresql+psycopg://u@h:5432/db?sslmode=require"),
        ("postgresql+psycopg:///db?host=/run/pg", "postgresql+psycopg:///db?host=/run/pg"),
        (" postgres://u:p%40ss@h/db\n", "postgresql+psycopg://u:p%40ss@h/db"),
    ],
)  # fmt: skip
def test_it_names_the_driver_of_the_database(given_url: str, url: str, config: Path) -> None:
    """Every spelling of PostgreSQL's address becomes the one that SQLAlchemy needs."""
    settings = load(config, {"DATABASE_URL": given_url})

    assert revealed(settings, "DATABASE_URL") == url
    assert settings.database.url == settings.secrets.database_url


def test_it_takes_the_address_of_the_database_from_the_file_last(config: Path) -> None:
    """An address without a password may stand in the file; the environment still beats it."""
    config.write_text('[database]\nurl = "postgres://u@file/db"\n')

    assert "u@file" in revealed(load(config, {}), "DATABASE_URL")
    assert "u@env" in revealed(
        load(config, {"DATABASE_URL": "postgres://u@env/db"}), "DATABASE_URL"
    )


@pytest.mark.parametrize(
    "url",
    [
        f"mysql://u:{CANARY}@h/db",
        f"postgresql+asyncpg://u:{CANARY}@h/db",
        f"postgres:/u:{CANARY}@h",
        f"POSTGRES://u:{CANARY}@h/db",
        f"postgres://u:{CANARY} @h/db",
        f"host=h password={CANARY}",
        "postgres://",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        CANARY,
        "",
        " ",
    ],
)
def test_it_refuses_another_database(url: str, config: Path) -> None:
    """Anything but SQLite in a file and PostgreSQL is refused, without repeating the address."""
    with pytest.raises(SettingsError) as refusal:
        load(config, {"DATABASE_URL": url})

    [problem] = refusal.value.problems
    assert problem.startswith("DATABASE_URL: must be the address of a database: sqlite:///PATH, ")
    assert CANARY not in problem


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (f'[stripe]\napi_key = "rk_live_{CANARY}"', "[stripe] api_key: a secret does not belong in this file; set STRIPE_API_KEY, or name a file that holds it in [stripe] api_key_file"),
        (f'[stripe]\nwebhook_secret = "whsec_{CANARY}"', "[stripe] webhook_secret: a secret does not belong"),
        (f'[push]\nvapid_private_key = "{CANARY}"', "[push] vapid_private_key: a secret does not belong"),
        (f'[push]\ntoken_secret = ["{CANARY}"]', "[push] token_secret: a secret does not belong"),
        (f'stripe_api_key = "{CANARY}"', "stripe_api_key: a secret does not belong"),
        (f'[stripe]\napi_key_file = "rk_live_{CANARY}"', "[stripe] api_key_file: holds what looks like a secret"),
        (f'[stripe]\nmode = "sk_test_{CANARY}"', "[stripe] mode: holds what looks like a secret"),
        (f'[stripe]\napikey = "sk_test_{CANARY}"', "[stripe] apikey: holds what looks like a secret"),
        (f'[stripe]\nsk_live_{CANARY} = 1', "[stripe] sk_live_***: unknown key"),
        (f'[sk_live_{CANARY}]', "[sk_live_***]: unknown section"),
        (f'[push]\ntoken_secret_file = "{CANARY}"', "[push] token_secret_file: the file cannot be read: No such file"),
        (f'[database]\nurl = "postgres://u:{CANARY}@h/db"', "[database] url: holds a password; put the whole address into DATABASE_URL"),
        (f'[database]\nurl = "postgres://h/db?password={CANARY}"', "[database] url: holds a password"),
        (f'[database]\nurl = "mysql://{CANARY}"', "[database] url: must be the address of a database"),
        (f'[push]\nsubject = "postgres://u:{CANARY}@h"', "[push] subject: must be"),
        (f'[push]\nfinance_users = ["{CANARY * 3} "]', "[push] finance_users[0]: must not be empty"),
        (f'[log]\nlevel = ["whsec_{CANARY}"]', "[log] level: must be"),
    ],
)  # fmt: skip
def test_it_refuses_a_secret_in_the_file(text: str, sentence: str, config: Path) -> None:
    """The file is kept in version control and copied about, so no secret stands in it or is repeated."""
    config.write_text(text)

    with pytest.raises(SettingsError) as refusal:
        load(config, {})

    [problem] = refusal.value.problems
    assert problem.startswith(f"{config}: {sentence}")
    assert CANARY not in f"{refusal.value!r} {refusal.value}"
    assert refusal.value.__context__ is None


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "the file cannot be read: Is a directory"), (b"\xff", "the file is not text in UTF-8")],
)
def test_it_says_which_secret_file_it_cannot_read(
    content: bytes | None, sentence: str, tmp_path: Path, config: Path
) -> None:
    """A credential that is there and unreadable is an error, and nothing else takes its place."""
    credential = tmp_path / "STRIPE_API_KEY"
    if content is None:
        credential.mkdir()
    else:
        credential.write_bytes(content)

    with pytest.raises(SettingsError) as refusal:
        load(config, {"CREDENTIALS_DIRECTORY": str(tmp_path), "STRIPE_API_KEY": "rk_test_1"})

    assert refusal.value.problems == (f"$CREDENTIALS_DIRECTORY/STRIPE_API_KEY: {sentence}",)


@pytest.mark.parametrize(
    ("url", "seen"),
    [
        ("postgresql+psycopg://u:secret@h/db", "postgresql+psycopg://u:***@h/db"),
        ("postgres://:secret@h/db", "postgres://:***@h/db"),
        ("postgres://u:se@cr:et/@h/db", "postgres://u:***@h/db"),
        ("postgres://h/db?user=u&password=secret&x=1", "postgres://h/db?user=u&password=***&x=1"),
        ("postgres://u@h:5432/db", "postgres://u@h:5432/db"),
        ("sqlite:///a.db", "sqlite:///a.db"),
    ],
)
def test_it_shows_an_address_without_its_password(url: str, seen: str) -> None:
    """An address can be shown to a person once its password is stars."""
    assert redacted_url(url) == seen


def test_it_can_be_sent_to_another_process() -> None:
    """Settings and their problems survive pickling, so that `up` may start more than one process."""
    settings = Settings(secrets=Secrets(stripe_api_key=SecretStr("rk_test_1")))
    error = SettingsError(["one", "two"])

    assert pickle.loads(pickle.dumps(settings)) == settings  # noqa: S301
    assert pickle.loads(pickle.dumps(error)).problems == error.problems  # noqa: S301
