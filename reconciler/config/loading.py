"""Which settings hold for this process, or everything that is wrong with them."""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from reconciler.config.credentials import read_credentials
from reconciler.config.kinds import ORIGIN
from reconciler.config.problems import SettingsError, refused
from reconciler.config.sections import SECTIONS, Key
from reconciler.config.settings import Secrets, Settings
from reconciler.config.sources import (
    CONFIG_VARIABLE,
    DATABASE_URL,
    Found,
    read_environment,
    read_file,
)

_TYPE_SENTENCES = {
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "string_type": "must be text in quotes",
    "tuple_type": 'must be a list like ["one", "two"]',
    "dict_type": 'must be a table like { ours = "theirs" }',
}
# The longer key must reach back at least as far as the shorter one waits, or events fall in between.
_OVERLAPS = (("events_overlap_s", "events_s"), ("events_deep_overlap_s", "events_deep_s"))
# Where tests and the demo play Stripe's part, and that of the push services.
_STAND_INS = ("STRIPE_API_BASE", "PUSH_RELAY")
_LISTENERS = (("webhook", "listen"), ("metrics", "serve"), ("metrics", "daemon"))


def load(path: Path | None = None, environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings of the file and the environment, or raise SettingsError with all problems.

    The file is `path`, else $RECONCILER_CONFIG, else ./config.toml where it exists, else none. A key
    is taken from RECONCILER_SECTION__KEY, else the file, else its default. A secret is taken from
    $CREDENTIALS_DIRECTORY/NAME, else the file that its *_file key names, else the variable NAME; only
    the address of the database may stand in the file itself.
    """
    file = _chosen_file(path, environ)
    in_file, file_problems = read_file(file) if file else ({}, [])
    in_environment, variable_problems = read_environment(environ)
    found = in_file | in_environment
    texts, secret_problems = read_credentials(found, environ)
    if "DATABASE_URL" in texts:
        found[DATABASE_URL] = texts["DATABASE_URL"]
    sections = _make_sections(found)
    problems = [
        *file_problems,
        *variable_problems,
        *secret_problems,
        *sections.problems,
        *_contradictions(sections, found),
        *_stand_in_problems(environ, texts, sections.settings),
    ]
    if problems:
        raise SettingsError(problems)
    return replace(
        sections.settings,
        secrets=_make_secrets(texts, sections.settings.database.url),
        stripe_api_base=environ.get("STRIPE_API_BASE") or None,
        push_relay=environ.get("PUSH_RELAY") or None,
    )


def _chosen_file(path: Path | None, environ: Mapping[str, str]) -> Path | None:
    """Return the file to read: one that was named is returned even where it does not exist."""
    if path is not None:
        return path
    if named := environ.get(CONFIG_VARIABLE):
        return Path(named)
    usual = Path("config.toml")
    return usual if usual.exists() else None


@dataclass(frozen=True, slots=True)
class _Sections:
    """Settings with the default in the place of every bad value, and which values were bad."""

    settings: Settings
    bad: frozenset[Key]
    problems: tuple[str, ...]


def _make_sections(found: Mapping[Key, Found]) -> _Sections:
    made: dict[str, Any] = {}
    bad: set[Key] = set()
    problems: list[str] = []
    for name, section in SECTIONS.items():
        values = {key[1]: item.value for key, item in found.items() if key[0] == name}
        try:
            made[name] = section(**values)
        except ValidationError as invalid:
            for error in invalid.errors(include_url=False):
                key = (name, str(error["loc"][0]))
                bad.add(key)
                problems.append(f"{found[key].place}{_sentence(key, error)}")
            made[name] = section(**{key: values[key] for key in values if (name, key) not in bad})
    return _Sections(Settings(**made), frozenset(bad), tuple(problems))


def _sentence(key: Key, error: Mapping[str, Any]) -> str:
    """Return what pydantic found, in our words: the place inside the value, what it must be, what it is."""
    inside = "".join(f"[{part}]" for part in error["loc"][1:])
    context = error.get("ctx", {})
    match error["type"]:
        case "value_error":
            must = str(context["error"])
        case "literal_error":
            must = f"must be {context['expected']}"
        case kind:
            must = _TYPE_SENTENCES.get(kind, error["msg"])
    return f"{inside}: {must}{'' if key == DATABASE_URL else refused(error['input'])}"


def _contradictions(sections: _Sections, found: Mapping[Key, Found]) -> Iterator[str]:
    """Yield what each value allows alone and two of them together do not."""
    sweeps = sections.settings.sweeps
    for overlap, interval in _OVERLAPS:
        keys = ("sweeps", overlap), ("sweeps", interval)
        reach_s, wait_s = getattr(sweeps, overlap), getattr(sweeps, interval)
        if reach_s < wait_s and not sections.bad.intersection(keys):
            place = next(found[key].place for key in keys if key in found)
            yield f"{place}: {overlap} ({reach_s}) must be at least {interval} ({wait_s})"
    taken: dict[object, Key] = {}
    for key in _LISTENERS:
        address = getattr(getattr(sections.settings, key[0]), key[1])
        if address is None or not address.port:
            continue
        other = taken.setdefault(address, key)
        if other != key and not sections.bad.intersection((key, other)):
            place = next(found[one].place for one in (key, other) if one in found)
            yield f"{place}: [{other[0]}] {other[1]} and [{key[0]}] {key[1]} are both {address}"


def _stand_in_problems(
    environ: Mapping[str, str], texts: Mapping[str, Found], settings: Settings
) -> Iterator[str]:
    """Yield why an address that stands in for the outside can't stand: what is live goes to the real one only."""
    key = texts.get("STRIPE_API_KEY")
    is_live = key is not None and str(key.value).startswith(("sk_live_", "rk_live_"))
    for variable in _STAND_INS:
        base = environ.get(variable)
        if not base:
            continue
        if not re.fullmatch(ORIGIN, base):
            yield f"{variable}: must be http://HOST:PORT or https://HOST:PORT and nothing more"
        if is_live:
            yield f"{variable}: is refused with a live key; unset it, or use a test key"
        elif variable == "PUSH_RELAY" and settings.stripe.mode == "live":
            # Whoever only serves has no key to tell by.
            yield f"{variable}: is refused in live mode; unset it"


def _make_secrets(texts: Mapping[str, Found], database_url: SecretStr) -> Secrets:
    def single(variable: str) -> SecretStr | None:
        text = str(texts[variable].value) if variable in texts else ""
        return SecretStr(text) if text else None

    several = single("STRIPE_WEBHOOK_SECRET")
    pieces = several.get_secret_value().split(",") if several else ()
    return Secrets(
        stripe_api_key=single("STRIPE_API_KEY"),
        stripe_webhook_secret=tuple(SecretStr(piece.strip()) for piece in pieces if piece.strip()),
        database_url=database_url,
        vapid_private_key=single("VAPID_PRIVATE_KEY"),
        push_token_secret=single("PUSH_TOKEN_SECRET"),
    )
