"""`explain INVOICE`: every event, observation and decision that led to its state, in order."""

from typing import Any

from reconciler.cli.context import (
    AsJson,
    Config,
    Refused,
    app,
    database,
    invoices_of,
    settings_of,
)
from reconciler.cli.lateness import sentence
from reconciler.cli.output import cell, money, say, say_json
from reconciler.db import lateness, queries
from reconciler.db.session import Tx


@app.command()
def explain(invoice: str, config: Config = None, as_json: AsJson = False) -> None:
    """Tell how an invoice came to its state: what Stripe said, what was decided, and by which rule."""
    settings = settings_of(config)
    with database(settings) as db:
        source = invoices_of(settings, db)
        with db.reading() as tx:
            found = queries.invoice(tx, invoice, source)
            if found is None:
                raise Refused(f"no invoice has the id or number {invoice!r}", 1)
            story = _story(tx, found)
    if as_json:
        say_json(story)
        return
    _tell(story)


def _story(tx: Tx, invoice: dict[str, Any]) -> dict[str, Any]:
    settlement = queries.settlement(tx, invoice["id"])
    allocations = queries.allocations_of_invoice(tx, invoice["id"])
    claims = queries.claims_of_invoice(tx, invoice["id"])
    ids = {row["payment_id"] for row in allocations} | {row["holder_id"] for row in claims}
    objects = set(ids)
    for id_ in ids:
        payment = queries.payment(tx, id_) or {}
        for name in ("refunds", "disputes", "checkout_sessions"):
            objects |= {row["id"] for row in payment.get(name, ())}
        references = payment.get("references", ())
        objects |= {row["value"] for row in references if row["kind"] == "charge"}
    return {
        "invoice": invoice,
        "settlement": settlement,
        "allocations": allocations,
        "claims": claims,
        "first_told": lateness.told_of(tx, sorted(ids)),
        "events": queries.events_about(tx, objects),
        "transitions": queries.transitions_of(tx, {invoice["id"], *ids}),
        "notifications": queries.notifications_of(tx, invoice["id"]),
    }


def _tell(story: dict[str, Any]) -> None:
    invoice, settlement = story["invoice"], story["settlement"]
    currency = invoice["currency"]
    due = money(invoice["amount_due"], currency)
    name = invoice["number"] or invoice["id"]
    say(f"Invoice {name}: {due}, {invoice['status']}, {invoice['payment_status'] or 'no payment'}.")
    if settlement is not None:
        parts = ("received", "refunded", "disputed", "net")
        say(", ".join(f"{part} {money(settlement[part], currency)}" for part in parts) + ".")
    for row in story["allocations"]:
        amount = money(row["amount"], row["currency"])
        say(f"{row['payment_id']} ({row['status']}) pays {amount}: {row['rule']}.")
    for told in story["first_told"]:
        say(sentence(told))
    for row in story["claims"]:
        say(f"{row['holder_id']} names it: {row['kind']}.")
    lines = [
        (row["received_at"], f"{row['source']} brought {row['type']} ({row['id']}): {row['state']}")
        for row in story["events"]
    ]
    lines += [
        (
            row["at"],
            f"{row['subject_kind']} {row['subject_id']}: {row['field']}"
            f" {row['old'] or '-'} -> {row['new'] or '-'}"
            + (f" ({row['rule']})" if row["rule"] else ""),
        )
        for row in story["transitions"]
    ]
    lines += [
        (row["enqueued_at"], f"user {row['user_id']} is told: {row['kind']} ({row['state']})")
        for row in story["notifications"]
    ]
    say()
    for at, line in sorted(lines, key=lambda pair: pair[0]):
        say(f"{cell(at)}  {line}")
