"""Which invoices may a payment be meant for that no rule could place?

Only a suggestion, ranked, with its reasons in facts: a person decides. A number that looks like what the payer wrote is one
reason among others and never a match.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from reconciler.core.invoice import Invoice
from reconciler.core.observation import Reference, ReferenceKind

NEAR: Final = timedelta(days=7)
_PARTS: Final = re.compile(r"[^\W\d_]+|[0-9]+")
# A shorter number is in many a text by chance.
_CONTAINED_MIN: Final = 4
WRITTEN: Final = frozenset(
    {
        ReferenceKind.METADATA,
        ReferenceKind.FROZEN_METADATA,
        ReferenceKind.SESSION_METADATA,
        ReferenceKind.FROZEN_SESSION_METADATA,
        ReferenceKind.CLIENT_REFERENCE,
    }
)
"""The kinds of names that somebody typed, or a program put together."""


class Reason(StrEnum):
    """What speaks for an invoice; the words are a promise to other programs."""

    NAMED = "named"
    SAME_AMOUNT = "same_amount"
    SAME_EMAIL = "same_email"
    SAME_LINK = "same_link"
    LOOK_ALIKE = "look_alike"
    CLOSE_IN_TIME = "close_in_time"


# The amount says more than anything but a name, and a near day only breaks a tie: it never outweighs another reason.
WEIGHTS: Final = MappingProxyType(
    {
        Reason.NAMED: 7,
        Reason.SAME_AMOUNT: 5,
        Reason.SAME_EMAIL: 4,
        Reason.LOOK_ALIKE: 3,
        Reason.SAME_LINK: 2,
        Reason.CLOSE_IN_TIME: 1,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is known of money that has no place: so much of it, when it came, from whom, and the names that it carries."""

    amount_minor: int
    currency: str
    at: datetime | None = None
    email: str = ""
    references: frozenset[Reference] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """An invoice that may be meant, and what is held for it already."""

    invoice: Invoice
    net_minor: int = 0

    @property
    def missing_minor(self) -> int:
        """What it still waits for: what was given back is missing again."""
        return self.invoice.amount_due_minor - max(0, self.net_minor)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """An invoice that something speaks for, the strongest reason first; `apart` is its age when the money came.

    `named_by` are the kinds of names that fit it exactly.
    """

    prospect: Prospect
    reasons: tuple[Reason, ...]
    named_by: frozenset[ReferenceKind] = frozenset()
    apart: timedelta | None = None


def rank(wanted: Wanted, prospects: Iterable[Prospect], *, limit: int) -> tuple[Candidate, ...]:
    """The invoices that most speaks for, best first; the same ones in the same order whatever the order given.

    Those that are only near in time are told where nothing better is: in a busy week that is every invoice.
    """
    judged = [_judge(wanted, each) for each in prospects]
    found = [each for each in judged if each.reasons]
    better = [each for each in found if each.reasons != (Reason.CLOSE_IN_TIME,)]
    return tuple(sorted(better or found, key=_order)[:limit])


def _judge(wanted: Wanted, prospect: Prospect) -> Candidate:
    invoice = prospect.invoice
    apart = wanted.at - invoice.created_at if wanted.at and invoice.created_at else None
    same_currency = invoice.currency == wanted.currency
    named_by = frozenset(_naming(wanted.references, invoice))
    true = {
        Reason.NAMED: bool(named_by),
        Reason.SAME_AMOUNT: same_currency and prospect.missing_minor == wanted.amount_minor > 0,
        Reason.SAME_EMAIL: bool(wanted.email) and _same_email(wanted.email, invoice.customer_email),
        Reason.LOOK_ALIKE: _looks_alike(wanted.references, invoice),
        Reason.SAME_LINK: bool(invoice.payment_link_id)
        and Reference(ReferenceKind.PAYMENT_LINK, invoice.payment_link_id or "")
        in wanted.references,
        Reason.CLOSE_IN_TIME: same_currency and apart is not None and abs(apart) <= NEAR,
    }
    reasons = [each for each in WEIGHTS if true[each]]
    if Reason.NAMED in reasons and Reason.LOOK_ALIKE in reasons:
        reasons.remove(Reason.LOOK_ALIKE)
    return Candidate(prospect=prospect, reasons=tuple(reasons), named_by=named_by, apart=apart)


def _order(each: Candidate) -> tuple[int, float, str]:
    weight = sum(WEIGHTS[reason] for reason in each.reasons)
    distance_s = abs(each.apart.total_seconds()) if each.apart is not None else float("inf")
    return -weight, distance_s, each.prospect.invoice.id


def _naming(references: Iterable[Reference], invoice: Invoice) -> Iterator[ReferenceKind]:
    """The kinds of names that fit exactly, although no rule took them for enough."""
    ids = {ReferenceKind.PAYMENT_INTENT: invoice.payment_intent_id}
    ids[ReferenceKind.CHECKOUT_SESSION] = invoice.checkout_session_id
    for kind, value in references:
        names = (invoice.id, invoice.number) if kind in WRITTEN else (ids.get(kind),)
        if value and value in names:
            yield kind


def _same_email(one: str, other: str | None) -> bool:
    return other is not None and one.strip().lower() == other.strip().lower()


def _looks_alike(references: Iterable[Reference], invoice: Invoice) -> bool:
    number = _parts(invoice.number)
    if not number:
        return False
    is_telling = any(map(str.isdigit, number)) and sum(map(len, number)) >= _CONTAINED_MIN
    for value in written(references):
        typed = _parts(value)
        starts = range(len(typed) - len(number) + 1) if is_telling else ()
        if typed == number or any(typed[at : at + len(number)] == number for at in starts):
            return True
    return False


def _parts(text: str) -> list[str]:
    """A number as it sounds, without case, signs and leading zeros: `INV-007` and `inv 7` are the same."""
    return [each.lstrip("0") or "0" for each in _PARTS.findall(text.lower())]


def written(references: Iterable[Reference]) -> frozenset[str]:
    """The names among these that somebody typed."""
    return frozenset(value for kind, value in references if kind in WRITTEN and value)
