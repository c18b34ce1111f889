"""`exceptions assign | unassign`: a person says where the money of a payment belongs."""

from typing import Annotated

import typer

from reconciler import assigning
from reconciler.apply import Policy
from reconciler.assigning import Decided, NotDecided
from reconciler.cli.context import AsJson, Config, Refused, database, now, policy_of, settings_of
from reconciler.cli.deciding import ByName, Reason, decider
from reconciler.cli.dossier import invoice_row, name_of, why
from reconciler.cli.exceptions import group
from reconciler.cli.output import money, say, say_json, say_wrapped
from reconciler.db import exceptions, queries
from reconciler.db.session import Database

Payment = Annotated[str, typer.Argument(metavar="PAYMENT", help="A payment's id, such as pi_1.")]
Amount = Annotated[
    str | None,
    typer.Option("--amount", metavar="N", help="A part, such as 12.50; else all that is left."),
]


@group.command("assign")
def assign(  # noqa: PLR0913, PLR0917 - the options of one command
    payment: Payment,
    invoice: Annotated[str, typer.Argument(metavar="INVOICE", help="Its id or number.")],
    reason: Reason,
    amount: Amount = None,
    by: ByName = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Give an invoice what is left of a payment, or a part of it; several times to split it."""
    who, settings = decider(by, reason), settings_of(config)
    _require_plain(payment, invoice)
    with database(settings) as db:
        policy = policy_of(settings, db)
        try:
            decided = assigning.assign(
                db, policy, payment, invoice, amount=amount, by=who, now=now()
            )
        except NotDecided as refused:
            raise Refused(str(refused), 2 if refused.is_slip else 1) from None
        _tell(db, policy, decided, as_json=as_json)


@group.command("unassign")
def unassign(
    payment: Payment,
    reason: Reason,
    by: ByName = None,
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Take a payment back from every invoice; they get back the word that they had."""
    who, settings = decider(by, reason), settings_of(config)
    _require_plain(payment)
    with database(settings) as db:
        policy = policy_of(settings, db)
        try:
            decided = assigning.unassign(db, policy, payment, by=who, now=now())
        except NotDecided as refused:
            raise Refused(str(refused), 1) from None
        _tell(db, policy, decided, as_json=as_json)


def _tell(db: Database, policy: Policy, decided: Decided, *, as_json: bool) -> None:
    """Say how everything stands now that the decision touched: read again, not remembered."""
    with db.reading() as tx:
        payment = queries.payment(tx, decided.payment_id) or {}
        rows = (invoice_row(tx, policy, each) for each in decided.invoice_ids)
        invoices = [each for each in rows if each is not None]
        open_ = exceptions.about(tx, {decided.payment_id, *decided.invoice_ids})
    if as_json:
        said = {"payment_id": decided.payment_id, "is_new": decided.is_new}
        said |= {"allocations": payment["allocations"], "invoices": invoices, "open": open_}
        say_json(said)
        return
    if not decided.is_new:
        say("Nothing changed: it stands so already.")
    names = {each["id"]: name_of(each) for each in invoices}
    for row in payment["allocations"]:
        name = names.get(row["invoice_id"], row["invoice_id"])
        amount = money(row["amount"], payment["currency"])
        say_wrapped(f"{amount} of {payment['id']} is at {name}: {why(row)}.", "  ")
    if not payment["allocations"]:
        say(f"Nothing of {payment['id']} is at any invoice.")
    for each in invoices:
        words = f"{each['status']}, {each['payment_status'] or 'no payment'}"
        say_wrapped(f"Invoice {name_of(each)}: {words}.", "  ")
    for row in open_:
        amount = f", {money(row['amount'], row['currency'])}" if row["amount"] is not None else ""
        open_one = f"{row['kind']} of {row['subject']}{amount}"
        say_wrapped(f"Open: {open_one} (exceptions show {row['id']}).", "  ")


def _require_plain(*names: str) -> None:
    """What no database could hold as text is nobody's id or number."""
    for each in names:
        if not each.isprintable():
            raise Refused(f"nothing has the id or number {each!r}", 1)
