"""`exceptions list | show | resolve`: what needs a person, with the facts at hand, and what a person has seen to."""

import sys
from typing import Annotated, Any

import typer

from reconciler.cli.context import (
    AsJson,
    Config,
    Limit,
    Refused,
    app,
    database,
    now,
    policy_of,
    settings_of,
)
from reconciler.cli.deciding import ByName, Reason, decider
from reconciler.cli.dossier import gather, tell
from reconciler.cli.output import cell, money, say, say_json, table
from reconciler.db import exceptions, queries
from reconciler.db.session import Tx

group = typer.Typer(help="What a person must look at.", no_args_is_help=True)
app.add_typer(group, name="exceptions")

Id = Annotated[int, typer.Argument(metavar="ID", min=1, max=2**63 - 1)]


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
def show(exception_id: Id, config: Config = None, as_json: AsJson = False) -> None:
    """Show one exception: what it means, its payment and invoices, and which invoices may be meant."""
    settings = settings_of(config)
    with database(settings) as db:
        policy = policy_of(settings, db)
        with db.reading() as tx:
            story = gather(tx, policy, _row(tx, exception_id))
    if as_json:
        say_json(story)
    else:
        tell(story)


@group.command("resolve")
def resolve(
    exception_id: Id,
    reason: Reason,
    by: ByName = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Take an exception off the list: it comes back when its amounts or ids become others."""
    who = decider(by, reason)
    with database(settings_of(config)) as db, db.writing() as tx:
        row = _row(tx, exception_id)
        is_open = row["state"] == exceptions.OPEN
        if is_open:
            exceptions.resolve(tx, row, by=who.name, reason=who.reason, now=now())
        row = _row(tx, exception_id)
    if as_json:
        say_json({**row, "is_new": is_open})
    elif is_open:
        say(f"Resolved {_named(row)}. It comes back when its amounts or ids become others.")
    elif row["state"] == exceptions.RESOLVED:
        at = cell(row["closed_at"])
        say(f"Nothing changed: {row['resolved_by']} resolved it at {at}: {row['reason']}")
    else:
        say(f"Nothing changed: it is over since {cell(row['closed_at'])}.")


def _row(tx: Tx, exception_id: int) -> dict[str, Any]:
    row = exceptions.find(tx, exception_id)
    if row is None:
        raise Refused(f"no exception has the number {exception_id}", 1)
    return row


def _named(row: dict[str, Any]) -> str:
    amount = f", {money(row['amount'], row['currency'])}" if row["amount"] is not None else ""
    return f"{row['kind']} of {row['subject']}{amount}"
