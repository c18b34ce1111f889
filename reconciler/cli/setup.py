"""`init`: make the tables, and say what is still missing to go live."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from reconciler.cli.context import Config, Refused, app, connect, settings_of
from reconciler.cli.output import say, say_wrapped
from reconciler.config import Settings, SettingsError, redacted_url, require
from reconciler.db import events, migrate


@app.command()
def init(
    config: Config = None,
    since: Annotated[
        str, typer.Option(help="Open exceptions only for facts from this day on (default today).")
    ] = "",
) -> None:
    """Create or upgrade the tables; print what is still missing to go live."""
    settings = settings_of(config)
    require(settings, "mode")
    start = _day(since) if since else None
    db = connect(settings, create=True)
    try:
        migrate.upgrade(db, theirs={settings.invoices.table} & {"invoices"})
        with db.writing() as tx:
            mode = events.settle_setting(tx, "mode", settings.stripe.mode or "test")
            today = datetime.now(UTC).date().isoformat()
            kept = events.settle_setting(tx, "since", start or today)
            table = events.settle_table(tx, settings.invoices.table)
    finally:
        db.close()
    if mode != settings.stripe.mode:
        raise Refused(f"this database belongs to Stripe's {mode} mode: use another database")
    if table != settings.invoices.table:
        raise Refused(
            f"this database has settled invoices of {table or 'the table that we bring'}, whose ids may be those of others:"
            f" give {settings.invoices.table or 'the table that we bring'} a database of its own"
        )
    if start is not None and kept != start:
        raise Refused(f"this database counts from {kept} on already; --since can't move it")
    say(f"The database is ready: {redacted_url(settings.secrets.database_url.get_secret_value())}")
    say(f"Mode {mode}; exceptions and notifications count from {kept} on.")
    for line in _missing(settings):
        say_wrapped(f"Still missing: {line}", "  ")


def _day(text: str) -> str:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date().isoformat()
    except ValueError:
        raise Refused(f"--since: {text!r} is no day; write it as 2026-03-01") from None


def _missing(settings: Settings) -> list[str]:
    missing: list[str] = []
    for need in ("webhook_secret", "api_key"):
        try:
            require(settings, need)
        except SettingsError as error:
            missing += error.problems
    return missing
