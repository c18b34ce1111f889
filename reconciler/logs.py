"""How a log line is written, and how it is kept free of secrets, of people, and of forged lines.

Our own events and those of the libraries (uvicorn, sqlalchemy, alembic, apscheduler) take one way: the
standard library's root logger, one chain of processors, one line. uvicorn takes it when started with
`log_config=None`.
"""

import json
import logging
import math
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from typing import Literal, TextIO

import structlog
from structlog.stdlib import BoundLogger, ProcessorFormatter
from structlog.typing import EventDict, Processor, WrappedLogger

Format = Literal["auto", "json", "console"]

# Each pattern looks at a character a bounded number of times, because others choose the text.
_MASKS = (
    (re.compile(r"(whsec_|[sr]k_(?:live|test)_)[A-Za-z0-9_+/=-]+"), r"\1***"),
    (re.compile(r"\b(bearer)(?:\s|%20)+[^\s\"',;]+", re.IGNORECASE), r"\1 ***"),
    (re.compile(r"(://[^\s:/@]{0,256}):[^\s\"'<>]{0,1024}@"), r"\1:***@"),
    (re.compile(r"(passw(?:or)?d=)[^\s&\"']+", re.IGNORECASE), r"\1***"),
    (re.compile(r"(?<![\w.+-])[\w.+-]++(?:@|%40)[\w-]+(?:\.[\w-]+)+"), "[e-mail]"),
)
# What every text has in which one of them finds something: most have nothing of it, and are looked at once.
_SUSPECT = re.compile(r"whsec_|k_(?:live|test)_|bearer|://|passw|@|%40", re.IGNORECASE)
# Some secrets look like nothing in particular, and only the name tells.
_SECRET_NAME = re.compile(r"secret|passw|authorization|cookie|(?:api|private)_?key", re.IGNORECASE)
_DEEPEST = 6
_PLAIN_WORD = re.compile(r"[^\s\"'=\\]+")


def configure(fmt: Format, level: str, stream: TextIO | None = None) -> None:
    """Send every log line of the process to a stream, by default to standard error as it is now.

    "auto" is for people where the stream is a terminal, and JSON elsewhere. `level` is a name that the
    standard library knows, in any case; what is below it is dropped.
    """
    stream = stream or sys.stderr
    for_people = fmt == "console" or (fmt == "auto" and stream.isatty())
    lines = _Lines(stream)
    lines.setFormatter(ProcessorFormatter(processors=_chain(for_people=for_people)))
    logging.basicConfig(
        handlers=[lines], level=logging.getLevelNamesMapping()[level.upper()], force=True
    )
    # Alembic tells of its plumbing at every upgrade; what was done, `init` says itself.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    structlog.configure(
        processors=[ProcessorFormatter.wrap_for_formatter],
        wrapper_class=BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )


def get(name: str) -> BoundLogger:
    """Return the logger of that name; it obeys the `configure` that was called last."""
    logger: BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Return the event as plain JSON values, with stars wherever something looks like a secret.

    Masked in names, values and tracebacks, at any depth: Stripe keys and webhook secrets, bearer tokens,
    passwords in addresses, e-mail addresses, and whatever stands under the name of a secret.
    """
    return dict(_clean_field(key, value, depth=0) for key, value in event.items())


def _chain(*, for_people: bool) -> list[Processor]:
    return [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        ProcessorFormatter.remove_processors_meta,
        structlog.contextvars.merge_contextvars,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
        _console_line if for_people else structlog.processors.JSONRenderer(),
    ]


class _Lines(logging.StreamHandler[TextIO]):
    """Writes each record as one line."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Say that a line was lost; the standard library would print it raw, secrets included."""
        lost = {"name": record.name, "levelname": "ERROR", "msg": "log.failed"}
        with suppress(OSError, ValueError):
            self.stream.write(self.format(logging.makeLogRecord(lost)) + self.terminator)


def _clean(value: object, depth: int) -> object:
    """Return a value as JSON has them, masked; what is nested too deeply is left out."""
    match value:
        case None | bool() | int():
            return value
        case float() if math.isfinite(value):
            return value
        case Mapping() | list() | tuple() | set() | frozenset() if depth == _DEEPEST:
            return "..."
        case Mapping():
            named = ((_text(key), item) for key, item in value.items())
            return dict(_clean_field(key, item, depth + 1) for key, item in named)
        case list() | tuple() | set() | frozenset():
            return [_clean(item, depth + 1) for item in value]
        case _:
            return _masked(_text(value))


def _clean_field(key: str, value: object, depth: int) -> tuple[str, object]:
    name, is_secret = _name(key)
    is_number = value is None or isinstance(value, bool | int | float)
    return name, "***" if is_secret and not is_number else _clean(value, depth)


@lru_cache(maxsize=512)
def _name(key: str) -> tuple[str, bool]:
    """A masked name, and whether what stands under it is a secret; every line has the same few names."""
    return _masked(key), _SECRET_NAME.search(key) is not None


def _text(value: object) -> str:
    """Return a value as text; one whose own code fails must not take the caller down."""
    if isinstance(value, bytes):
        return value.decode(errors="backslashreplace")
    try:
        return str(value)
    except Exception:  # noqa: BLE001
        return f"<{type(value).__name__} that cannot be shown>"


def _masked(text: str) -> str:
    if _SUSPECT.search(text) is None:
        return text
    for pattern, stars in _MASKS:
        text = pattern.sub(stars, text)
    return text


def _console_line(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """Return one line for people: when, how bad, what, and then name=value."""
    head = f"{event.pop('timestamp')} {event.pop('level'):<8} {event.pop('event')}"
    fields = (f"{_word(name)}={_word(value)}" for name, value in event.items())
    return _on_one_line(" ".join((head, *fields)))


def _word(value: object) -> str:
    """Return a value so that it can't be taken for two, or for a name and a value."""
    if isinstance(value, str) and _PLAIN_WORD.fullmatch(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def _on_one_line(text: str) -> str:
    """Write control characters as escapes: they could forge a line, or take over the terminal."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )
