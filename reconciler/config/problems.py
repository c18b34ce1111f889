"""What is wrong with the settings, said so that a person can mend it and nobody learns a secret."""

import difflib
import re
from collections.abc import Iterable

_STRIPE_SECRET = re.compile(r"((?:whsec|[sr]k_(?:test|live))_)[A-Za-z0-9_+/=-]+")
_URL_PASSWORD = re.compile(r"(://[^:/@?#]*):.*@", re.DOTALL)
_PASSWORD_PARAMETER = re.compile(r"(passw(?:or)?d=)[^&\s'\"]*", re.IGNORECASE)
_LONGEST_SHOWN = 40


class SettingsError(Exception):
    """All that is wrong with the settings, at once: one line each in `problems`."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(_on_one_line(_without_secrets(problem)) for problem in problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(self.problems)


def redacted_url(url: str) -> str:
    """Return a database address fit for people to see: every password in it is three stars.

    A password may hold an unescaped "@", so all up to the last one goes: rather too much than a part.
    """
    return _PASSWORD_PARAMETER.sub(r"\1***", _URL_PASSWORD.sub(r"\1:***@", url))


def looks_secret(text: str) -> bool:
    """Return whether the text holds a Stripe key or a webhook secret, wherever it stands."""
    return _STRIPE_SECRET.search(text) is not None


def refused(value: object) -> str:
    """Return ", not VALUE" for the end of a message; nothing for a value that is long or has parts.

    A long text is not shown at all: shortened, it could still show most of a key put in the wrong place.
    """
    match value:
        case bool():
            shown = str(value).lower()
        case str() | float():
            shown = repr(value)
        case int() if abs(value) < 10**_LONGEST_SHOWN:
            shown = repr(value)
        case _:
            return ""
    return f", not {shown}" if len(shown) <= _LONGEST_SHOWN else ""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return "; did you mean NAME?" for the end of a message, or nothing where nothing is close."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _without_secrets(text: str) -> str:
    return redacted_url(_STRIPE_SECRET.sub(r"\1***", text))


def _on_one_line(text: str) -> str:
    """Write control characters as escapes: names and values come from files that anyone may write."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
