"""What is told to one user, and of which payment?"""

from collections.abc import Sequence
from dataclasses import dataclass

from reconciler.core.matching import Allocation
from reconciler.core.payment import Book


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One notification for one user. `at_ms` is Stripe's time of the fact; the amount is in minor units.

    `counts_ms` is the time by which the fact is old or new, where that is another one.
    """

    milestone: str
    kind: str
    user_id: str
    invoice_id: str
    number: str
    amount_minor: int
    currency: str
    at_ms: int
    counts_ms: int | None = None


def first_heard(at_ms: int, created_ms: int | None) -> int:
    """When something happened of which nothing was known before: it may be as old as the object, whose time is known."""
    return at_ms if created_ms is None else min(at_ms, created_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """Everything known around one payment, and where its money is."""

    book: Book
    allocations: Sequence[Allocation] = ()
