"""`invoices import | list | show`: the embedded invoice table, or the app's own."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from reconciler import invoice_import
from reconciler.cli.context import (
    AsJson,
    Config,
    Limit,
    Refused,
    app,
    database,
    invoice_called,
    invoices_of,
    now,
    policy_of,
    settings_of,
)
from reconciler.cli.dossier import why
from reconciler.cli.output import complain, details, money, say, say_json, say_wrapped, table
from reconciler.db import queries
from reconciler.invoice_import import BadRow, Plan

group = typer.Typer(help="The invoices.", no_args_is_help=True)
app.add_typer(group, name="invoices")


@group.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A CSV file with a head line.")],
    config: Config = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would change.")] = False,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave bad rows out.")] = False,
    as_json: AsJson = False,
) -> None:
    """Import invoices from a CSV file: none, if a single row is bad."""
    settings = settings_of(config)
    if settings.invoices.table:
        raise Refused(
            f"invoices live in the app's table {settings.invoices.table}: it alone adds any"
        )
    try:
        rows, bad = invoice_import.read(file)
    except OSError as error:
        raise Refused(f"{file}: {error.strerror}") from None
    except invoice_import.UnreadableFile as error:
        raise Refused(f"{file}: {error}") from None
    with database(settings) as db:
        planned = invoice_import.plan(db, rows)
        bad = sorted([*bad, *planned.bad], key=lambda each: each.line)
        for each in bad:
            complain(f"{file}:{each.line}: {each.reason}")
        if bad and not skip_bad:
            raise Refused(f"{len(bad)} bad rows; nothing was imported (--skip-bad leaves them out)")
        if not dry_run:
            policy, batch = policy_of(settings, db), settings.database.batch
            invoice_import.store(db, planned.writes, now=now(), policy=policy, batch=batch)
    if as_json:
        say_json(_outcome(planned, bad, dry_run=dry_run))
    else:
        _tell(file, planned, bad, dry_run=dry_run)


def _outcome(planned: Plan, bad: Sequence[BadRow], *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        **{name: getattr(planned, name) for name in ("new", "changed", "unchanged")},
        "left_out": [asdict(each) for each in bad],
        "status_kept": [asdict(each) for each in planned.kept],
    }


def _tell(file: Path, planned: Plan, bad: Sequence[BadRow], *, dry_run: bool) -> None:
    verb = "would be imported" if dry_run else "imported"
    say(
        f"{len(planned.writes)} invoices {verb}: {planned.new} new, {planned.changed} changed;"
        f" {planned.unchanged} unchanged, {len(bad)} rows left out."
    )
    for each in planned.kept if dry_run else ():
        who = f"{file}:{each.line}: {each.invoice_id}"
        say_wrapped(f"{who} says `{each.said}` and stays `paid`, as its payment made it.", "  ")
    if planned.kept and not dry_run:
        say_wrapped(
            f"Of {len(planned.kept)} invoices the file says another status than the `paid` that their payments made:"
            " that stays (--dry-run names them)."
        )


@group.command("list")
def list_(
    config: Config = None,
    status: str | None = None,
    payment_status: str | None = None,
    limit: Limit = 50,
    as_json: AsJson = False,
) -> None:
    """List invoices, the last changed first."""
    settings = settings_of(config)
    with database(settings) as db:
        source = invoices_of(settings, db)
        with db.reading() as tx:
            found = queries.invoices(
                tx, source, status=status, payment_status=payment_status, limit=limit
            )
    if as_json:
        say_json(found)
        return
    table(
        ("id", "number", "due", "status", "payment_status", "paid_at"),
        (
            (
                row["id"],
                row["number"],
                money(row["amount_due"], row["currency"]),
                row["status"],
                row["payment_status"],
                row["paid_at"],
            )
            for row in found
        ),
        empty="No invoices."
        + (" Import some: reconciler invoices import FILE.csv" if source.is_ours else ""),
    )


@group.command("show")
def show(key: str, config: Config = None, as_json: AsJson = False) -> None:
    """Show one invoice with its settlement and its payments."""
    settings = settings_of(config)
    with database(settings) as db:
        source = invoices_of(settings, db)
        with db.reading() as tx:
            invoice = invoice_called(tx, key, source)
            settlement = queries.settlement(tx, invoice["id"])
            payments = queries.allocations_of_invoice(tx, invoice["id"])
            claims = queries.claims_of_invoice(tx, invoice["id"])
    if as_json:
        say_json({**invoice, "settlement": settlement, "payments": payments, "claims": claims})
        return
    currency = invoice["currency"]
    details(
        {
            "invoice": invoice["number"] or invoice["id"],
            "due": money(invoice["amount_due"], currency),
            "status": invoice["status"],
            "payment_status": invoice["payment_status"],
            "paid_at": invoice["paid_at"],
            **(
                {
                    name: money(settlement[name], currency)
                    for name in ("received", "refunded", "refund_pending", "disputed", "net")
                }
                if settlement
                else {}
            ),
        }
    )
    say()
    table(
        ("payment", "status", "amount", "rule"),
        (
            (row["payment_id"], row["status"], money(row["amount"], row["currency"]), why(row))
            for row in payments
        ),
        empty="No payment belongs to it.",
    )
