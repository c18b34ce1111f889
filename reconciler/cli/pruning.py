"""`prune`: empty the bodies of old events; their ids stay for ever, so that an event that comes again is still known."""

from datetime import timedelta
from typing import Final

from reconciler.cli.context import AsJson, Config, app, database, now, settings_of
from reconciler.cli.output import say, say_json
from reconciler.db import events

# So many rows a transaction: webhooks wait for each.
AT_ONCE: Final = 1_000


@app.command()
def prune(config: Config = None, as_json: AsJson = False) -> None:
    """Empty stored event bodies that are older than the retention; ids stay for ever."""
    settings = settings_of(config)
    days = settings.retention.event_bodies_days
    before = now() - timedelta(days=days)
    emptied, after = 0, None
    with database(settings) as db:
        while True:
            with db.writing() as tx:
                count, after = events.empty_bodies(tx, before, after, limit=AT_ONCE)
            emptied += count
            if after is None:
                break
    if as_json:
        say_json({"emptied": emptied, "older_than_days": days})
        return
    say(
        f"{emptied:,} bodies of events emptied that came in more than {days} days ago. Their ids stay."
    )
