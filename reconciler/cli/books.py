"""`payments list | show`: what did Stripe say? (`refresh` asks it again: see `refreshing`.)"""

import typer

from reconciler.cli.context import (
    AsJson,
    Config,
    Limit,
    Refused,
    app,
    database,
    settings_of,
)
from reconciler.cli.dossier import tell_decisions
from reconciler.cli.output import details, money, say, say_json, table
from reconciler.db import exceptions, queries

group = typer.Typer(help="Payments as Stripe tells them.", no_args_is_help=True)
app.add_typer(group, name="payments")


@group.command("list")
def list_(
    config: Config = None, status: str | None = None, limit: Limit = 50, as_json: AsJson = False
) -> None:
    """List payments, the last changed first."""
    with database(settings_of(config)) as db, db.reading() as tx:
        found = queries.payments(tx, status=status, limit=limit)
    if as_json:
        say_json(found)
        return
    table(
        ("payment", "status", "received", "net", "paid_at", "seen first by"),
        (
            (
                row["id"],
                row["status"],
                money(row["amount_received"], row["currency"]),
                money(
                    row["amount_received"] - row["amount_refunded"] - row["amount_disputed"],
                    row["currency"],
                ),
                row["paid_at"],
                row["first_seen_source"],
            )
            for row in found
        ),
        empty="No payments yet.",
    )


@group.command("show")
def show(payment_id: str, config: Config = None, as_json: AsJson = False) -> None:
    """Show one payment with everything around it."""
    with database(settings_of(config)) as db, db.reading() as tx:
        found = queries.payment(tx, payment_id)
        decisions = exceptions.decisions(tx, [payment_id])
    if found is None:
        raise Refused(
            f"no payment has the id {payment_id!r}; `reconciler payments list` shows them", 1
        )
    if as_json:
        say_json({**found, "decisions": decisions})
        return
    plain = {k: v for k, v in found.items() if k != "facts" and not isinstance(v, list)}
    details(plain)
    for name in ("allocations", "references", "refunds", "disputes", "checkout_sessions"):
        if found[name]:
            say()
            columns = [c for c in found[name][0] if c not in {"facts", "account", "payment_id"}]
            say(f"{name}:")
            table(columns, ([row[c] for c in columns] for row in found[name]), empty="")
    if decisions:
        say()
        tell_decisions(decisions)
