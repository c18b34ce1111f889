"""`exceptions list | show | resolve`: what needs a person, with the facts at hand, and what a person has seen to."""

import re
import sys
from typing import Annotated, Any, Final, NamedTuple

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
from reconciler.cli.output import cell, money, say, say_json, say_wrapped, table
from reconciler.db import exceptions, queries
from reconciler.db.session import Tx

group = typer.Typer(help="What a person must look at.", no_args_is_help=True)
app.add_typer(group, name="exceptions")

_DAY: Final = len("2026-03-01")
_ID_MAX: Final = 2**63 - 1
_SEEN: Final = re.compile(r"([1-9][0-9]{0,18})(?:@([0-9a-f]+))?")
Id = Annotated[int, typer.Argument(metavar="ID", min=1, max=_ID_MAX)]


class Seen(NamedTuple):
    """An exception, and the tag under which a person saw it, if they say so."""

    id: int
    tag: str | None


def _seen(text: str) -> Seen:
    found = _SEEN.fullmatch(text)
    if found is None or int(found[1]) > _ID_MAX:
        raise typer.BadParameter(f"{text!r} is no number of an exception, such as 7 or 7@a1b2c3")
    return Seen(int(found[1]), found[2])


@group.command("list")
def list_(config: Config = None, limit: Limit = 200, as_json: AsJson = False) -> None:
    """List open exceptions, the oldest first; exit 1 if there are any."""
    with database(settings_of(config)) as db, db.reading() as tx:
        found = queries.open_exceptions(tx, now=now(), limit=limit)
    if as_json:
        say_json([exceptions.tagged(row) for row in found])
    else:
        table(
            ("id", "kind", "subject", "amount", "since"),
            (
                (
                    row["id"],
                    row["kind"],
                    row["subject"],
                    money(row["amount"], row["currency"]),
                    cell(row["stripe_at"] or row["opened_at"])[:_DAY],
                )
                for row in found
            ),
            empty="Nothing needs a person.",
            # A person copies it into the next command, and sees the day there.
            whole="subject",
            spare="since",
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
    exception: Annotated[
        Seen,
        typer.Argument(
            metavar="ID", parser=_seen, help="Such as 7; 7@a1b2c3 only if it still says so."
        ),
    ],
    reason: Reason,
    by: ByName = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Take an exception off the list: it comes back when its amounts or ids become others."""
    who = decider(by, reason)
    with database(settings_of(config)) as db, db.writing() as tx:
        row = _row(tx, exception.id)
        is_open = row["state"] == exceptions.OPEN
        if is_open:
            _require_seen(row, exception)
            exceptions.resolve(tx, row, by=who.name, reason=who.reason, now=now())
        row = _row(tx, exception.id)
    if as_json:
        say_json({**row, "is_new": is_open})
    elif is_open:
        say_wrapped(f"Resolved {_named(row)}. It comes back when its amounts or ids become others.")
    elif row["state"] == exceptions.RESOLVED:
        at = cell(row["closed_at"])
        say_wrapped(f"Nothing changed: {row['resolved_by']} resolved it at {at}: {row['reason']}")
    else:
        say(f"Nothing changed: it is over since {cell(row['closed_at'])}.")


def _row(tx: Tx, exception_id: int) -> dict[str, Any]:
    row = exceptions.find(tx, exception_id)
    if row is None:
        raise Refused(f"no exception has the number {exception_id}", 1)
    return row


def _require_seen(row: dict[str, Any], seen: Seen) -> None:
    """Nobody takes off the list what has changed since they looked at it."""
    if seen.tag not in (None, row["tag"]):
        again = f"reconciler exceptions show {seen.id}"
        raise Refused(
            f"exception {seen.id} has changed since you saw it: {_named(row)}. Look again: {again}"
        )


def _named(row: dict[str, Any]) -> str:
    amount = f", {money(row['amount'], row['currency'])}" if row["amount"] is not None else ""
    return f"{row['kind']} of {row['subject']}{amount}"
