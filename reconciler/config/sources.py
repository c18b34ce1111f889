"""Which values the file and the environment give, and which names in them mean nothing."""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from reconciler.config.problems import did_you_mean, looks_secret, redacted_url
from reconciler.config.sections import DEFAULTS, SECTIONS, Key

CONFIG_VARIABLE = "RECONCILER_CONFIG"
_PREFIX = "RECONCILER_"


@dataclass(frozen=True, slots=True)
class Found:
    """One value as it was given, and the place where a person can change it."""

    value: object
    place: str


@dataclass(frozen=True, slots=True)
class SecretName:
    """The variable of a secret, and the key that may name a file which holds it."""

    variable: str
    section: str
    file_key: str


SECRET_NAMES = (
    SecretName("STRIPE_API_KEY", "stripe", "api_key_file"),
    SecretName("STRIPE_WEBHOOK_SECRET", "stripe", "webhook_secret_file"),
    SecretName("DATABASE_URL", "database", "url_file"),
    SecretName("VAPID_PRIVATE_KEY", "push", "vapid_private_key_file"),
    SecretName("PUSH_TOKEN_SECRET", "push", "token_secret_file"),
)
DATABASE_URL: Key = ("database", "url")

_VARIABLES = {f"{_PREFIX}{section}__{key}".upper(): (section, key) for section, key in DEFAULTS}
# The keys that a person would write a secret under, were it allowed in the file.
_SECRET_KEYS = {(name.section, name.file_key.removesuffix("_file")): name for name in SECRET_NAMES}
del _SECRET_KEYS[DATABASE_URL]  # an address without a password is no secret


def read_file(path: Path) -> tuple[dict[Key, Found], list[str]]:
    """Return the values of a TOML file with their places, and what is wrong with it."""
    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        hint = f"check --config and ${CONFIG_VARIABLE}"
        return {}, [f"{path}: cannot be read: {error.strerror}; {hint}"]
    except UnicodeDecodeError:
        return {}, [f"{path}: is not text in UTF-8"]
    except (ValueError, RecursionError) as error:
        return {}, [f"{path}: is not valid TOML: {error}"]
    found: dict[Key, Found] = {}
    problems: list[str] = []
    for section, table in tables.items():
        problem = _section_problem(section, table)
        if problem:
            problems.append(f"{path}: {problem}")
            continue
        for key, value in table.items():
            place = f"{path}: [{section}] {key}"
            problem = _key_problem((section, key), value)
            if problem:
                problems.append(f"{place}: {problem}")
            else:
                found[section, key] = Found(value, place)
    return found, problems


def read_environment(environ: Mapping[str, str]) -> tuple[dict[Key, Found], list[str]]:
    """Return the values of all RECONCILER_SECTION__KEY variables, and the names that mean nothing."""
    found: dict[Key, Found] = {}
    problems: list[str] = []
    for variable in _ours(environ):
        key = _VARIABLES.get(variable)
        if key is None:
            problems.append(f"{variable}: {_variable_problem(variable)}")
        else:
            found[key] = Found(_typed(environ[variable], DEFAULTS[key]), variable)
    return found, problems


def _section_problem(section: str, table: object) -> str:
    """Return what is wrong with a name at the top of the file, or nothing."""
    by_variable = {name.variable.lower(): name for name in SECRET_NAMES}
    if section.lower() in by_variable:
        return f"{section}: {_belongs_elsewhere(by_variable[section.lower()])}"
    if not isinstance(table, dict):
        return f"{section}: stands in no section; each key belongs below a line like [stripe]"
    if section not in SECTIONS:
        return f"[{section}]: unknown section{did_you_mean(section, SECTIONS)}"
    return ""


def _key_problem(key: Key, value: object) -> str:
    """Return why this key must not stand in the file, whatever its type; or nothing."""
    if key in _SECRET_KEYS:
        return _belongs_elsewhere(_SECRET_KEYS[key])
    if isinstance(value, str) and looks_secret(value):
        return "holds what looks like a secret of Stripe; secrets do not belong in this file"
    if key == DATABASE_URL and isinstance(value, str) and redacted_url(value) != value:
        return (
            "holds a password; put the whole address into DATABASE_URL or a file named by url_file"
        )
    if key not in DEFAULTS:
        keys = [name for section, name in DEFAULTS if section == key[0]]
        hint = did_you_mean(key[1], keys) or f"; [{key[0]}] has {', '.join(keys)}"
        return f"unknown key{hint}"
    return ""


def _variable_problem(variable: str) -> str:
    """Return why a variable of ours means nothing, and which one was probably meant."""
    for (section, key), name in _SECRET_KEYS.items():
        if variable == f"{_PREFIX}{section}__{key}".upper():
            return f"unknown variable; this secret is read from {name.variable}"
    return f"unknown variable{did_you_mean(variable, [*_VARIABLES, CONFIG_VARIABLE])}"


def _belongs_elsewhere(name: SecretName) -> str:
    return (
        "a secret does not belong in this file; "
        f"set {name.variable}, or name a file that holds it in [{name.section}] {name.file_key}"
    )


def _ours(environ: Mapping[str, str]) -> Iterator[str]:
    return (
        name for name in sorted(environ) if name.startswith(_PREFIX) and name != CONFIG_VARIABLE
    )


def _typed(text: str, default: object) -> object:
    """Return the text as TOML where that gives a value of the default's type, else as it is."""
    wanted: tuple[type, ...]
    match default:
        case int() | dict():
            wanted = (type(default),)
        case float():
            wanted = (float, int)
        case tuple():
            wanted = (list,)
        case _:
            wanted = (str,)
    try:
        table = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text
    # A line break in the text could smuggle in more than the one value.
    return table["value"] if len(table) == 1 and isinstance(table["value"], wanted) else text
