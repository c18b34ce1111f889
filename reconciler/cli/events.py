"""`events list | show | retry`: the inbox."""

import sys
from typing import Annotated

import typer

from reconciler.cli.context import (
    AsJson,
    Config,
    Limit,
    Refused,
    app,
    database,
    inbox_of,
    now,
    settings_of,
)
from reconciler.cli.output import details, say, say_json, table
from reconciler.db import events as rows
from reconciler.db import queries
from reconciler.db.events import EventState

group = typer.Typer(help="What Stripe sent, and what became of it.", no_args_is_help=True)
app.add_typer(group, name="events")

RETRIED_MAX = 1000


@group.command("list")
def list_(
    config: Config = None,
    state: EventState | None = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List stored events, the newest first."""
    with database(settings_of(config)) as db, db.reading() as tx:
        found = queries.events(tx, state=state.value if state else None, limit=limit)
    if as_json:
        say_json(found)
        return
    table(
        ("event", "type", "state", "received_at", "source"),
        ((r["id"], r["type"], r["state"], r["received_at"], r["source"]) for r in found),
        empty="No events yet.",
    )


@group.command("show")
def show(event_id: str, config: Config = None, as_json: AsJson = False) -> None:
    """Show one event, with the body that Stripe signed."""
    with database(settings_of(config)) as db, db.reading() as tx:
        found = queries.event(tx, event_id)
    if found is None:
        raise Refused(f"no event has the id {event_id!r}", 1)
    body = found.pop("body").decode()
    if as_json:
        say_json({**found, "body": body})
        return
    details(found)
    say()
    say(body or "The body was emptied by `reconciler prune`.")


@group.command("retry")
def retry(
    event_id: Annotated[str | None, typer.Argument()] = None,
    config: Config = None,
    dead: Annotated[bool, typer.Option("--dead", help="All that were given up.")] = False,
) -> None:
    """Apply an event again, or all failed ones; exit 1 if any still fails."""
    settings = settings_of(config)
    with database(settings) as db:
        inbox = inbox_of(settings, db)
        with db.reading() as tx:
            state = EventState.DEAD if dead else EventState.FAILED
            ids = [event_id] if event_id else rows.in_state(tx, state, limit=RETRIED_MAX)
            if event_id and not rows.known(tx, ids):
                raise Refused(f"no event has the id {event_id!r}", 1)
        became = inbox.retry(ids, now=now())
    for id_, result in became.items():
        say(f"{id_}: {result.value}")
    if not became:
        say("Nothing to try again.")
    bad = {EventState.FAILED, EventState.DEAD, EventState.QUARANTINED}
    sys.exit(1 if bad & set(became.values()) else 0)
