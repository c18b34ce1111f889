"""`doctor`: is everything there that the program needs? One line each, with the mend."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass

from reconciler.cli.context import AsJson, Config, Refused, app, database, settings_of
from reconciler.cli.output import say, say_json
from reconciler.config import Settings, SettingsError, redacted_url, require
from reconciler.db import queries
from reconciler.db.migrate import SchemaMismatch
from reconciler.db.session import StatementFailed, StorageUnavailable


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was looked at."""

    is_good: bool
    what: str
    words: str


@app.command()
def doctor(config: Config = None, as_json: AsJson = False) -> None:
    """Check settings, secrets and database; exit 1 if a line is red."""
    settings = settings_of(config)
    lines = [*_settings(settings), *_database(settings)]
    if as_json:
        say_json([{"ok": each.is_good, "what": each.what, "words": each.words} for each in lines])
    else:
        for each in lines:
            say(f"{'ok ' if each.is_good else 'BAD'}  {each.what}: {each.words}")
    sys.exit(0 if all(each.is_good for each in lines) else 1)


def _settings(settings: Settings) -> Iterator[Line]:
    for need, good in (
        ("mode", f"Stripe's {settings.stripe.mode} mode"),
        ("webhook_secret", f"{len(settings.secrets.stripe_webhook_secret)} signing secret(s)"),
        ("api_key", "set, and of the same mode"),
    ):
        try:
            require(settings, need)  # type: ignore[arg-type]
            yield Line(True, need, good)
        except SettingsError as error:
            for problem in error.problems:
                yield Line(False, need, problem)


def _database(settings: Settings) -> Iterator[Line]:
    where = redacted_url(settings.secrets.database_url.get_secret_value())
    try:
        with database(settings) as db, db.reading() as tx:
            health = queries.health(tx)
    except (StorageUnavailable, StatementFailed, SchemaMismatch, Refused, SettingsError) as error:
        yield Line(False, "database", f"{where}: {error}")
        return
    yield Line(True, "database", f"{where}, schema right")
    if health is None:
        yield Line(True, "webhook", "nothing received yet")
    else:
        last = f"last good {health['last_good_at'] or 'never'}"
        yield Line(True, "webhook", f"{health['good']} good, {health['bad']} bad, {last}")
