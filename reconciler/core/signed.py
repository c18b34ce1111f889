"""What is an object of a signed report worth, in words and in one amount, and what has become another since?

The same words are made when a report is signed and whenever it is compared with what is known later, so that only what is
really another way differs. Amounts are whole minor units of the currency beside them.
"""

from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum
from typing import Final

from reconciler.core.report import PaymentLine, ReturnLine, SignedChange

NOTHING: Final = "nothing"


class ItemKind(StrEnum):
    """What a signed object is."""

    TRANSACTION = "transaction"
    PAYMENT = "payment"
    RETURN = "return"


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One object as it was signed: the day on which it counts, and what it is worth, in words and as one amount.

    Of a payment the amount is what is still held of it, of a balance transaction its net. A refund or a dispute counts by its
    transactions and in its payment, so that here its amount says only how large it is. What was signed does not tell its `kind`.
    """

    object_id: str
    day: date
    currency: str
    amount_minor: int
    value: str
    kind: ItemKind | None = None


def item_of_payment(line: PaymentLine) -> Item:
    """A payment as its line says."""
    value = (
        f"{line.status} {line.received_minor} {line.currency}"
        f" refunded {line.refunded_minor} disputed {line.disputed_minor}"
    )
    if line.gross_minor is not None:
        value += f" settled {line.gross_minor} {line.settlement_currency} fee {line.fee_minor}"
    return Item(
        object_id=line.id,
        day=line.day,
        currency=line.currency,
        amount_minor=line.received_minor - line.refunded_minor - line.disputed_minor,
        value=value,
        kind=ItemKind.PAYMENT,
    )


def as_signed(line: PaymentLine, item: Item) -> PaymentLine:
    """The line of a payment as it was when it was signed; what it belongs to is as it is now."""
    words = item.value.split(" ")
    settled = words[7:]
    line = replace(
        line,
        day=item.day,
        status=words[0],
        received_minor=int(words[1]),
        currency=words[2],
        refunded_minor=int(words[4]),
        disputed_minor=int(words[6]),
        settlement_currency="",
        gross_minor=None,
        fee_minor=None,
        net_minor=None,
    )
    if not settled:
        return line
    gross, fee = int(settled[1]), int(settled[4])
    return replace(
        line,
        settlement_currency=settled[2],
        gross_minor=gross,
        fee_minor=fee,
        net_minor=gross - fee,
    )


def item_of_return(line: ReturnLine) -> Item:
    """A refund or a dispute as its line says."""
    return Item(
        object_id=line.id,
        day=line.day,
        currency=line.currency,
        amount_minor=line.amount_minor,
        value=f"{line.status} {line.amount_minor} {line.currency}",
        kind=ItemKind.RETURN,
    )


def as_signed_return(line: ReturnLine, item: Item) -> ReturnLine:
    """The line of a refund or a dispute as it was when it was signed."""
    status, amount, currency = item.value.split(" ")
    return replace(line, day=item.day, status=status, amount_minor=int(amount), currency=currency)


def change(run_id: int, before: Item | None, now: Item | None, cause: str) -> SignedChange:
    """What is another way now about one object; at least one of both is there."""
    known, latest = before or now, now or before
    if known is None or latest is None:
        raise ValueError("nothing has become nothing")
    difference = (now.amount_minor if now else 0) - (before.amount_minor if before else 0)
    return SignedChange(
        run_id=run_id,
        object_id=known.object_id,
        day=known.day,
        before=before.value if before else NOTHING,
        after=_after(before, now),
        cause=cause,
        currency=known.currency,
        difference_minor=0 if latest.kind is ItemKind.RETURN else difference,
    )


def differs(before: Item, now: Item) -> bool:
    """Whether an object is worth another thing than it was, or counts on another day."""
    return (before.value, before.day) != (now.value, now.day)


def _after(before: Item | None, now: Item | None) -> str:
    if now is None:
        return NOTHING
    moved = before is not None and before.day != now.day
    return f"{now.value} on {now.day}" if moved else now.value
