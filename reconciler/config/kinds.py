"""Which kinds of value a setting can have, and what each refuses."""

import difflib
import re
from dataclasses import dataclass
from datetime import UTC, date, time
from ipaddress import IPv6Address
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field, PlainValidator, SecretStr

_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+)):([0-9]{1,5})")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_POSTGRES = re.compile(r"postgres(?:ql)?(?:\+psycopg)?://(\S+)")
# Without a path SQLite keeps everything in memory, and with it every payment until the next restart.
_SQLITE = re.compile(r"sqlite:///(?!:memory:)\S.*")
_HIGHEST_PORT = 65_535

ORIGIN = r"https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"
"""The pattern of a scheme, a host and perhaps a port, with nothing after them."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server listens: a host name or IP address (IPv6 without brackets) and a port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def read_address(value: object) -> Address:
    """Return "host:port" in its parts; port 0 lets the system choose one."""
    match = _ADDRESS.fullmatch(value) if isinstance(value, str) else None
    if match is None or int(match[3]) > _HIGHEST_PORT or (match[1] and not _is_ipv6(match[1])):
        raise ValueError('must be written "host:port" or "[IPv6 address]:port"')
    return Address(host=match[1] or match[2], port=int(match[3]))


def read_listener(value: object) -> Address | None:
    """Return an address, or None for the empty text: then nothing listens."""
    if value == "":
        return None
    try:
        return read_address(value)
    except ValueError as problem:
        raise ValueError(f'{problem}, or "" for none') from None


def read_zone(value: object) -> ZoneInfo:
    """Return the time zone of that name in the time zone database."""
    name = value if isinstance(value, str) else ""
    try:
        return ZoneInfo(name)
    except (LookupError, ValueError, OSError):  # OSError: the name is one of a folder, or too long
        close = difflib.get_close_matches(name, available_timezones(), n=1)
        raise ValueError(f"must be a time zone like {(close or ['Europe/Paris'])[0]}") from None


def read_clock(value: object) -> time:
    """Return "HH:MM" as a time of day in UTC."""
    match = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('must be a time of day from "00:00" to "23:59"')
    return time(int(match[1]), int(match[2]), tzinfo=UTC)


def read_day(value: object) -> date | None:
    """Return an ISO date, in quotes or bare as TOML has it; the empty text is no date."""
    if value == "":
        return None
    text = value.isoformat() if isinstance(value, date) else value
    if not isinstance(text, str) or not _DAY.fullmatch(text):
        raise ValueError('must be "" or a date like "2026-03-01"')
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ValueError("must be a date of the calendar") from None


def read_database_url(value: object) -> SecretStr:
    """Return the address of the database as SQLAlchemy wants it; its words never repeat the address."""
    text = value.strip() if isinstance(value, str) else ""
    if _SQLITE.fullmatch(text):
        return SecretStr(text)
    postgres = _POSTGRES.fullmatch(text)
    if postgres is None:
        forms = "sqlite:///PATH, postgresql://..., postgres://... or postgresql+psycopg://..."
        raise ValueError(f"must be the address of a database: {forms}")
    return SecretStr(f"postgresql+psycopg://{postgres[1]}")


def between(low: float, high: float) -> AfterValidator:
    """Return the check of a number against its bounds, both included."""

    def check(value: float) -> float:
        if not low <= value <= high:
            raise ValueError(f"must be between {low} and {high}")
        return value

    return AfterValidator(check)


def written(pattern: str, sentence: str) -> AfterValidator:
    """Return the check of a text against a pattern; the sentence says what the pattern means."""

    def check(value: str) -> str:
        if not re.fullmatch(pattern, value):
            raise ValueError(sentence)
        return value

    return AfterValidator(check)


def _is_ipv6(text: str) -> bool:
    try:
        IPv6Address(text)
    except ValueError:
        return False
    return True


Listen = Annotated[Address, PlainValidator(read_address)]
ListenOrNot = Annotated[Address | None, PlainValidator(read_listener)]
Zone = Annotated[ZoneInfo, PlainValidator(read_zone)]
Clock = Annotated[time, PlainValidator(read_clock)]
Day = Annotated[date | None, PlainValidator(read_day)]
DatabaseUrl = Annotated[SecretStr, PlainValidator(read_database_url)]

Word = Annotated[str, written(r"\S(?:.*\S)?", "must not be empty or begin or end with a blank")]
# TOML has lists only; the settings are frozen and hold tuples.
AsTuple = Field(strict=False)
Words = Annotated[tuple[Word, ...], AsTuple]
