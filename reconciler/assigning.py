"""How does a person say where the money of a payment belongs, or that it belongs nowhere?

Like everything else: as evidence through `apply_payment_state`. What is there before is read in the same transaction, so
that two people who assign the same money at the same time can't both get it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from reconciler.apply import Policy, apply_payment_state
from reconciler.core.assigning import Obstacle, Place, Shares, add_share
from reconciler.core.invoice import Invoice
from reconciler.core.money import format_amount, to_minor
from reconciler.core.observation import Assignment, Reference, ReferenceKind, Source, ms
from reconciler.db import invoices as invoice_rows
from reconciler.db import ledgers
from reconciler.db import payments as payment_rows
from reconciler.db.session import Database, Tx

BY_ID: Final = "id:"
"""What a person writes before an id, so that it is not taken for a number."""


@dataclass(frozen=True, slots=True)
class By:
    """Who decides, and why."""

    name: str
    reason: str


class NotDecided(ValueError):  # noqa: N818 - a plain answer to the person
    """The decision can't stand; nothing was written. `is_slip` says that it was put wrongly, whatever the books say."""

    def __init__(self, words: str, *, is_slip: bool = False) -> None:
        super().__init__(words)
        self.is_slip = is_slip


@dataclass(frozen=True, slots=True)
class Decided:
    """Which invoices a decision concerns; `is_new` is False where everything stood so before."""

    payment_id: str
    invoice_ids: tuple[str, ...]
    is_new: bool = True


def assign(  # noqa: PLR0913 - a decision, and where it is made
    db: Database,
    policy: Policy,
    payment_id: str,
    invoice: str,
    *,
    amount: str | None,
    by: By,
    now: datetime,
) -> Decided:
    """Give an invoice (by id, else by number) all that is left of a payment, or an amount in major units of it.

    Raises NotDecided.
    """
    with db.writing() as tx:
        place = _place(tx, payment_id)
        chosen = invoice_called(tx, policy, invoice)
        shares = add_share(place, chosen.id, _minor(amount, place))
        if shares is Obstacle.ALREADY_THERE:
            return Decided(payment_id, (chosen.id,), is_new=False)
        if isinstance(shares, Obstacle):
            raise NotDecided(_why_not(tx, policy, shares, place))
        return _decide(tx, policy, place, shares, by, now)


def unassign(db: Database, policy: Policy, payment_id: str, *, by: By, now: datetime) -> Decided:
    """Take a payment back from every invoice; nothing but a later decision gives it to one. Raises NotDecided."""
    with db.writing() as tx:
        place = _place(tx, payment_id)
        claimed = ledgers.claimed_by(tx, payment_id)
        if not place.allocations and not claimed:
            return Decided(payment_id, (), is_new=False)
        return _decide(tx, policy, place, (), by, now, claimed)


def invoice_called(tx: Tx, policy: Policy, key: str) -> Invoice:
    """The one invoice with this id or number; `id:7` is an id and no number. Raises NotDecided."""
    ids = [key.removeprefix(BY_ID)] if key.startswith(BY_ID) else []
    named = [] if ids else [Reference(ReferenceKind.METADATA, key)]
    try:
        found = invoice_rows.find(tx, policy.invoices, ids, named, for_update=False)
    except invoice_rows.UnreadableInvoice as error:
        raise NotDecided(f"{error}: mend that row first") from None
    if len(found) > 1:
        meant = " or ".join(f"{BY_ID}{each}" for each in sorted(found))
        raise NotDecided(f"{len(found)} invoices have the id or number {key!r}: say {meant}")
    if not found:
        raise NotDecided(
            f"no invoice has the id or number {key!r}; `reconciler invoices list` shows them"
        )
    return next(iter(found.values()))


def _place(tx: Tx, payment_id: str) -> Place:
    payment = payment_rows.summaries(tx, [payment_id]).get(payment_id)
    if payment is None:
        near = sorted(payment_rows.naming(tx, [payment_id]))
        hint = f"; it is of the payment {near[0]}" if len(near) == 1 else ""
        mend = hint or "; `reconciler payments list` shows them"
        raise NotDecided(f"no payment has the id {payment_id!r}{mend}")
    allocations, decision = ledgers.placed(tx, payment_id)
    return Place(payment=payment, allocations=allocations, decision=decision)


def _minor(amount: str | None, place: Place) -> int | None:
    if amount is None:
        return None
    currency = place.payment.currency
    if not currency:
        raise NotDecided(_without_money(place))
    try:
        amount_minor = to_minor(amount, currency)
    except ValueError as error:
        raise NotDecided(f"--amount: {error}", is_slip=True) from None
    if amount_minor <= 0:
        raise NotDecided(f"--amount: {amount} is not more than nothing", is_slip=True)
    return amount_minor


def _why_not(tx: Tx, policy: Policy, obstacle: Obstacle, place: Place) -> str:
    id_, currency = place.payment.id, place.payment.currency
    if obstacle is Obstacle.NO_MONEY:
        return _without_money(place)
    where = ", ".join(_where(tx, policy, place)) or "nowhere"
    if obstacle is Obstacle.TOO_MUCH:
        left = format_amount(place.left_minor, currency)
        return f"only {left} of {id_} is left; there is {where}"
    mend = f'reconciler exceptions unassign {id_} --reason "..."'
    return f"nothing is left of {id_}: there is {where}. To move it, take it back first: {mend}"


def _without_money(place: Place) -> str:
    return f"no money of {place.payment.id} has come in ({place.payment.status})"


def _where(tx: Tx, policy: Policy, place: Place) -> Iterable[str]:
    ids = [each.invoice_id for each in place.allocations]
    known = invoice_rows.find(tx, policy.invoices, ids, for_update=False)
    for each in place.allocations:
        invoice = known.get(each.invoice_id)
        name = invoice.number if invoice is not None and invoice.number else each.invoice_id
        amount = format_amount(each.amount_minor, place.payment.currency)
        who = f"decided by {each.decided_by}" if each.decided_by else each.rule.value
        yield f"{amount} at {name} ({who})"


def _decide(  # noqa: PLR0913, PLR0917 - what stood before, and what is decided
    tx: Tx,
    policy: Policy,
    place: Place,
    shares: Shares,
    by: By,
    now: datetime,
    claimed: Iterable[str] = (),
) -> Decided:
    decision = Assignment(
        payment_id=place.payment.id,
        shares=shares,
        by=by.name,
        reason=by.reason,
        decided_ms=ms(now),
    )
    apply_payment_state(tx, [decision], source=Source.MANUAL, now=now, policy=policy)
    before = (each.invoice_id for each in place.allocations)
    after = (invoice_id for invoice_id, _ in shares)
    return Decided(place.payment.id, tuple(sorted({*before, *after, *claimed})))
