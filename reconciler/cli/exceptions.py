"""`exceptions list | show`: what needs a person."""

import sys

import typer

from reconciler.cli.context import AsJson, Config, Limit, Refused, app, database, now, settings_of
from reconciler.cli.output import details, money, say_json, table
from reconciler.db import queries

group = typer.Typer(help="What a person must look at.", no_args_is_help=True)
app.add_typer(group, name="exceptions")


@group.command("list")
def list_(config: Config = None, limit: Limit = 200, as_json: AsJson = False) -> None:
    """List open exceptions, the oldest first; exit 1 if there are any."""
    with database(settings_of(config)) as db, db.reading() as tx:
        found = queries.open_exceptions(tx, now=now(), limit=limit)
    if as_json:
        say_json(found)
    else:
        table(
            ("id", "kind", "subject", "amount", "since"),
            (
                (
                    row["id"],
                    row["kind"],
                    row["subject"],
                    money(row["amount"], row["currency"]),
                    row["stripe_at"] or row["opened_at"],
                )
                for row in found
            ),
            empty="Nothing needs a person.",
        )
    sys.exit(1 if found else 0)


@group.command("show")
def show(exception_id: int, config: Config = None, as_json: AsJson = False) -> None:
    """Show one exception."""
    with database(settings_of(config)) as db, db.reading() as tx:
        found = queries.exception(tx, exception_id)
    if found is None:
        raise Refused(f"no exception has the number {exception_id}", 1)
    if as_json:
        say_json(found)
    else:
        details(found)
