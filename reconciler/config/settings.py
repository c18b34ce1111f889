"""What the program is told before it starts: all sections, the secrets, and what stands in for the outside in a test."""

from dataclasses import dataclass, field

from pydantic import SecretStr

from reconciler.config.sections import (
    Database,
    Exceptions,
    Invoices,
    Log,
    Matching,
    Metrics,
    Push,
    Report,
    Retention,
    Stripe,
    Sweeps,
    Webhook,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """The secrets, each under the name of its variable in lower case; shown, they are stars.

    `database_url` is the address to connect to, wherever it was given, with its driver named.
    """

    stripe_api_key: SecretStr | None = None
    stripe_webhook_secret: tuple[SecretStr, ...] = ()
    database_url: SecretStr = field(default_factory=lambda: Database().url)
    vapid_private_key: SecretStr | None = None
    push_token_secret: SecretStr | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All settings, checked; made with no arguments, they are the built-in defaults."""

    stripe: Stripe = field(default_factory=Stripe)
    database: Database = field(default_factory=Database)
    webhook: Webhook = field(default_factory=Webhook)
    sweeps: Sweeps = field(default_factory=Sweeps)
    invoices: Invoices = field(default_factory=Invoices)
    matching: Matching = field(default_factory=Matching)
    exceptions: Exceptions = field(default_factory=Exceptions)
    report: Report = field(default_factory=Report)
    push: Push = field(default_factory=Push)
    metrics: Metrics = field(default_factory=Metrics)
    retention: Retention = field(default_factory=Retention)
    log: Log = field(default_factory=Log)
    secrets: Secrets = field(default_factory=Secrets)
    stripe_api_base: str | None = None
    push_relay: str | None = None
