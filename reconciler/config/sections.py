"""Which sections and keys config.toml has, with their defaults and bounds.

A section is frozen, takes only the types that it names, and refuses what is out of bounds wherever it
is made. Why each key exists stands in the config.toml of this project, next to its default.
"""

from collections.abc import Mapping
from dataclasses import field, fields
from datetime import UTC, time
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import ConfigDict, SecretStr
from pydantic.dataclasses import dataclass

from reconciler.config.kinds import (
    ORIGIN,
    Address,
    AsTuple,
    Clock,
    DatabaseUrl,
    Day,
    Listen,
    ListenOrNot,
    Words,
    Zone,
    between,
    written,
)

_STRICT = ConfigDict(strict=True, hide_input_in_errors=True)
_HOUR_S = 3600
_DAY_S = 24 * _HOUR_S

Seconds = Annotated[int, between(1, 7 * _DAY_S)]
Host = Annotated[
    str,
    written(
        r"(?:\*\.)?[a-z0-9-]+(?:\.[a-z0-9-]+)+",
        'must be a host name in lower case, or "*." and a host name',
    ),
]
Origin = Annotated[
    str, written(ORIGIN, "must be an origin like https://app.example.com, with no path")
]


InvoiceUrl = Annotated[
    str,
    written(
        r"(?:(?:https://[A-Za-z0-9.:-]+)?/(?!/)(?:[!-z|~]|\{id\}|\{number\})*)?",
        'must be "", or like "https://app.example.com/invoices/{id}" or "/invoices/{number}"',
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True, config=_STRICT)
class Stripe:
    """Which Stripe we talk to, and how hard."""

    mode: Literal["test", "live"] | None = None
    api_version: Annotated[
        str,
        written(r"\d{4}-\d{2}-\d{2}(?:\.[a-z]+)?", 'must look like "2026-10-28.endive"'),
    ] = "2026-10-28.endive"
    requests_per_s: Annotated[float, between(0.1, 100)] = 10.0
    connect_timeout_s: Annotated[float, between(0.1, 10)] = 3.0
    read_timeout_s: Annotated[float, between(0.1, 60)] = 8.0
    api_key_file: str = ""
    webhook_secret_file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, config=_STRICT)
class Database:
    """Where facts and invoices are kept."""

    url: DatabaseUrl = SecretStr("sqlite:///reconciler.db")
    url_file: str = ""
    schema: Annotated[
        str,
        written(r"[a-z_][a-z0-9_]{0,62}", "must be lower-case letters, digits and underscores"),
    ] = "reconciler"
    busy_timeout_s: Annotated[float, between(0.1, 60)] = 4.0
    batch: Annotated[int, between(1, 200)] = 200


@dataclass(frozen=True, slots=True, kw_only=True, config=_STRICT)
class Webhook:
    """How Stripe's events come in."""

    listen: Listen = Address("127.0.0.1", 3000)
    max_body_bytes: Annotated[int, between(1024, 16_777_216)] = 1_048_576
    body_timeout_s: Annotated[float, between(0.1, 60)] = 10.0
    tolerance_s: Annotated[int, between(1, _HOUR_S)] = 300


@dataclass(frozen=True, slots=True, kw_only=True, config=_STRICT)
class Sweeps:
    """How often the daemon asks Stripe, and how far back it looks each time."""

    events_s: Seconds = 60
    events_lag_s: Annotated[int, between(0, 600)] = 10
    events_overlap_s: Seconds = 120
    events_deep_s: Seconds = 900
    events_deep_overlap_s: Seconds = 3600
    night_utc: Clock = time(2, 17, tzinfo=UTC)
    open_s: Seconds = 30
    money_s: Seconds = 3600
    recent_s: Seconds = 3600
    invoices_s: Seconds = 60


@dataclass(frozen=True, slots=True, kw_only=True, config=_STRICT)
class Invoices:
    """Which table holds the invoices, and how the app writes them."""

    table: str = ""
    payable: Words = ("open",)
    amounts: Literal["minor", "decimal"] = "minor"
    columns: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    filter: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, config=_STRICT)
class Matching:
    """How a payment names its invoice, and from which day on that matters."""

    metadata_keys: Words = ("invoice_id",)
    since: Day = None
    ignore: Words = ()


@dataclass(frozen=True, slots=True, kw_only=True, config=_STRICT)
class Exceptions:
    """When something becomes a matter for a person."""

    grace_s: Annotated[int, between(0, 7 * _DAY_S)] = 900


@dataclass(frozen=True, slots=True, kw_only=True, config=_STRICT)
class Report:
    """How finance reads a run."""

    timezone: Zone = ZoneInfo("UTC")
    locale: Literal["en", "fr"] = "en"


@dataclass(frozen=True, slots=True, kw_only=True, config=_STRICT)
class Push:
    """Who is notified, and how long a notification is worth sending."""

    subject: Annotated[
        str,
        written(r"(?:(?:mailto:|https://)\S+)?", 'must be "", "mailto:..." or "https://..."'),
    ] = ""
    ttl_s: Annotated[int, between(60, 28 * _DAY_S)] = 86_400
    max_age_s: Annotated[int, between(60, 28 * _DAY_S)] = 86_400
    invoice_url: InvoiceUrl = ""
    dispute_notices: bool = False
    finance_users: Words = ()
    cors_origins: Annotated[tuple[Origin, ...], AsTuple] = ()
    allowed_hosts: Annotated[tuple[Host, ...], AsTuple] = (
        "fcm.googleapis.com",
        "*.push.services.mozilla.com",
        "*.push.apple.com",
        "web.push.apple.com",
        "*.notify.windows.com",
    )
    vapid_private_key_file: str = ""
    token_secret_file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True, config=_STRICT)
class Metrics:
    """Where Prometheus reads our figures, one listener for each process; None is none."""

    serve: ListenOrNot = Address("127.0.0.1", 9464)
    daemon: ListenOrNot = Address("127.0.0.1", 9465)


@dataclass(frozen=True, slots=True, kw_only=True, config=_STRICT)
class Retention:
    """How long raw bodies are kept; ids stay for ever."""

    event_bodies_days: Annotated[int, between(30, 3650)] = 400


@dataclass(frozen=True, slots=True, kw_only=True, config=_STRICT)
class Log:
    """What is logged, and in which form."""

    format: Literal["auto", "json", "console"] = "auto"
    level: Literal["debug", "info", "warning", "error"] = "info"


Key = tuple[str, str]
"""A section and a key in it."""

SECTIONS: Mapping[str, type[Any]] = {
    "stripe": Stripe,
    "database": Database,
    "webhook": Webhook,
    "sweeps": Sweeps,
    "invoices": Invoices,
    "matching": Matching,
    "exceptions": Exceptions,
    "report": Report,
    "push": Push,
    "metrics": Metrics,
    "retention": Retention,
    "log": Log,
}

DEFAULTS: Mapping[Key, object] = {
    (name, key.name): getattr(section(), key.name)
    for name, section in SECTIONS.items()
    for key in fields(section)
}
