"""How a log line is written, and how it is kept free of secrets, of people, and of forged lines.

Our own events go straight to the stream; those of the libraries (uvicorn, sqlalchemy, alembic, apscheduler)
come by the standard library's root logger. Both take one chain of processors, become one line, and obey one
level. uvicorn takes this way when started with `log_config=None`.
"""

import json
import logging
import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, Literal, NoReturn, TextIO

import structlog
from structlog.stdlib import BoundLogger
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
# What every text has, once folded, in which one of them finds something: most have nothing of it, and are
# looked at once. To fold the text first is three times as fast as to ignore its case.
_SUSPECT = re.compile(r"whsec_|k_(?:live|test)_|bearer|://|passw|@|%40")
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
    _LINES.aim(stream, _chain(for_people=for_people))
    logging.basicConfig(
        handlers=[_LINES], level=logging.getLevelNamesMapping()[level.upper()], force=True
    )
    # Alembic tells of its plumbing at every upgrade; what was done, `init` says itself.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, _LINES.write],
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
    return _clean_fields(event.items(), depth=0)


def _chain(*, for_people: bool) -> list[Processor]:
    return [
        structlog.stdlib.add_log_level,
        _add_name,
        structlog.contextvars.merge_contextvars,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact,
        _console_line if for_people else _json_line,
    ]


class _Lines(logging.Handler):
    """Writes each event as one line, and lets no failure of that reach the one who logs.

    There is one for the process, so that a logger with bound fields obeys a later `configure` too. It is a
    handler for the libraries' sake, and for its lock: the standard library renews that in a forked child.
    """

    _stream: TextIO
    _chain: Sequence[Processor]

    def aim(self, stream: TextIO, chain: Sequence[Processor]) -> None:
        """Write to this stream from now on, what this chain makes of an event."""
        self.acquire()
        self._stream, self._chain = stream, chain
        self.release()

    def write(self, logger: logging.Logger, method: str, event: EventDict) -> NoReturn:
        """Write an event of ours, and leave nothing of it for the standard library to write again."""
        try:
            self._put(self._line(logger, method, event))
        except Exception:  # noqa: BLE001
            self._tell_lost(logger)
        raise structlog.DropEvent

    def emit(self, record: logging.LogRecord) -> None:
        """Write what a library logged."""
        try:
            self._put(self._line(record, record.levelname.lower(), _event_of(record)))
        except Exception:  # noqa: BLE001
            self._tell_lost(record)

    def _tell_lost(self, source: logging.Logger | logging.LogRecord) -> None:
        """Say that a line was lost, and whose; what was to be in it may be a secret."""
        with suppress(Exception):
            self._put(self._line(source, "error", {"event": "log.failed"}))

    def _line(self, source: WrappedLogger, method: str, event: EventDict) -> str:
        said: Any = event
        for step in self._chain:
            said = step(source, method, said)
        return f"{said}\n"

    def _put(self, line: str) -> None:
        self.acquire()
        try:
            self._stream.write(line)
            self._stream.flush()
        finally:
            self.release()


_LINES = _Lines()


def _event_of(record: logging.LogRecord) -> EventDict:
    event: EventDict = {"event": record.getMessage()}
    if record.exc_info:
        event["exc_info"] = record.exc_info
    if record.stack_info:
        event["stack_info"] = record.stack_info
    return event


def _add_name(source: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Add whose the event is; a logger and a record both know."""
    event["logger"] = source.name
    return event


def _clean(value: object, depth: int) -> object:
    """Return a value as JSON has them, masked; what is nested too deeply is left out."""
    match value:
        case str():  # Most values are texts.
            return _masked(_text(value))
        case None | bool() | int():
            return value
        case float() if math.isfinite(value):
            return value
        case Mapping() | list() | tuple() | set() | frozenset() if depth == _DEEPEST:
            return "..."
        case Mapping():
            return _clean_fields(((_text(key), item) for key, item in value.items()), depth + 1)
        case list() | tuple() | set() | frozenset():
            return [_clean(item, depth + 1) for item in value]
        case _:
            return _masked(_text(value))


def _clean_fields(fields: Iterable[tuple[str, object]], depth: int) -> dict[str, object]:
    clean: dict[str, object] = {}
    for key, value in fields:
        name, is_secret = _name(key)
        is_hidden = is_secret and not isinstance(value, bool | int | float | None)
        clean[name] = "***" if is_hidden else _clean(value, depth)
    return clean


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
    if _SUSPECT.search(text.casefold()) is None:
        return text
    for pattern, stars in _MASKS:
        text = pattern.sub(stars, text)
    return text


def _json_line(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    return json.dumps(event)


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
