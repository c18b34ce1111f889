"""What do bent settings lead to? To settings or to a list of problems, a line each, that shows no secret."""

from pathlib import Path
from typing import Final

from reconciler.config import SettingsError, load
from reconciler.config.sections import DEFAULTS
from tests.fuzz.mutation import NUMBERS, TEXTS, WORDS, Chance, bytes_bent

CANARY: Final = "canary0123456789"
SECRETS: Final = {
    "STRIPE_API_KEY": f"rk_test_{CANARY}",
    "STRIPE_WEBHOOK_SECRET": f"whsec_{CANARY}",
    "DATABASE_URL": f"postgresql://user:{CANARY}@host/db",
    "VAPID_PRIVATE_KEY": CANARY,
    "PUSH_TOKEN_SECRET": CANARY * 3,
}
OTHERS: Final = (
    "STRIPE_API_BASE",
    "PUSH_RELAY",
    "RECONCILER_CONFIG",
    "RECONCILER_",
    "RECONCILER_X__Y",
)
_FILE: Final = (Path(__file__).resolve().parents[2] / "config.toml").read_bytes()
_KEYS: Final = tuple(DEFAULTS)


class SettingsTarget:
    """A folder in which a config.toml is written again and again."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "config.toml"

    def play(self, chance: Chance) -> str:
        """Load one bent file in one bent environment; returns a word for the count."""
        self._file.write_bytes(_text(chance))
        environ = _environ(chance)
        told: tuple[str, ...] = ()
        try:
            shown = f"{load(self._file, environ)!r}"
        except SettingsError as error:
            told, shown = error.problems, repr(error)
            assert told
        assert CANARY not in shown, shown
        assert all(each.isprintable() for each in told), told
        return "refused" if told else "loaded"

    def check(self) -> None:
        """Nothing is left behind."""


def _text(chance: Chance) -> bytes:
    if chance.random() < 0.3:
        return bytes_bent(chance, _FILE)
    lines = []
    for section, key in chance.sample(_KEYS, chance.randrange(5)):
        lines.append(f"[{section}]\n{key} = {_value(chance, section, key)}\n")
    raw = "".join(lines).encode("utf-8", "surrogatepass")
    return bytes_bent(chance, raw) if chance.random() < 0.2 else raw


def _value(chance: Chance, section: str, key: str) -> str:
    default = DEFAULTS[section, key]
    if isinstance(default, bool):
        return chance.choice(("true", "false", "1", '"true"'))
    if isinstance(default, int | float) and chance.random() < 0.7:
        return str(
            chance.choice((default, default + 1, -default, *NUMBERS, "nan", "inf", "0x10", "1e400"))
        )
    word = _quoted(chance.choice((*WORDS, *TEXTS, str(default), "*", "Europe/Paris", "1970-01-01")))
    return chance.choice(
        (word, word, f"[{word}]", f"{{ id = {word} }}", f"{{ {word} = {word} }}", "[]", "{}")
    )


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _environ(chance: Chance) -> dict[str, str]:
    environ = {name: value for name, value in SECRETS.items() if chance.random() < 0.6}
    for name in list(environ):
        if chance.random() < 0.2:
            environ[name] = bytes_bent(chance, environ[name].encode()).decode(
                "utf-8", "surrogateescape"
            )
    if chance.random() < 0.5:
        section, key = chance.choice(_KEYS)
        environ[f"RECONCILER_{section}__{key}".upper()] = _value(chance, section, key)
    if chance.random() < 0.2:
        environ[chance.choice(OTHERS[:2] + OTHERS[3:])] = chance.choice(
            (*WORDS, *TEXTS, "http://127.0.0.1:1")
        )
    return {name: value.replace("\x00", "") for name, value in environ.items()}
