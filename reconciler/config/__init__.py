"""Which settings this process runs with, and what is wrong with them.

The lowest layer: it imports nothing of ours. `load` reads file and environment, `require` says what a
command still lacks, and every problem is reported at once, a line each, in one `SettingsError`.
"""

from reconciler.config.kinds import Address
from reconciler.config.loading import load
from reconciler.config.needs import Need, missing_for_push, missing_for_sending, require
from reconciler.config.problems import SettingsError, redacted_url
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
from reconciler.config.settings import Secrets, Settings

__all__ = [
    "Address",
    "Database",
    "Exceptions",
    "Invoices",
    "Log",
    "Matching",
    "Metrics",
    "Need",
    "Push",
    "Report",
    "Retention",
    "Secrets",
    "Settings",
    "SettingsError",
    "Stripe",
    "Sweeps",
    "Webhook",
    "load",
    "missing_for_push",
    "missing_for_sending",
    "redacted_url",
    "require",
]
