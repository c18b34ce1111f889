"""What does a person's new decision about a payment add to the ones before it, and what stands in its way?

Assigning adds a share and moves nothing: money that is at an invoice has to be taken back first, so that no slip of a
hand can empty an invoice that was right. What nobody assigns stays visible as an exception.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from reconciler.core.matching import Allocation
from reconciler.core.observation import Assignment
from reconciler.core.payment import PaymentStatus, Summary
from reconciler.core.sharing import left_over

Shares: TypeAlias = tuple[tuple[str, int | None], ...]


class Obstacle(StrEnum):
    """Why a share can't be added."""

    ALREADY_THERE = "already_there"
    NOTHING_LEFT = "nothing_left"
    TOO_MUCH = "too_much"
    NO_MONEY = "no_money"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the money of a payment is now: by a rule, or by the last decision of a person."""

    payment: Summary
    allocations: Sequence[Allocation] = ()
    decision: Assignment | None = None

    @property
    def left_minor(self) -> int:
        """What was received and is at no invoice; once a part is at one, less what was given back of the rest."""
        if not self.allocations:
            return self.payment.received_minor
        return left_over(self.payment, self.allocations)

    @property
    def is_taken(self) -> bool:
        """Whether all of it has its place, also what may still come."""
        if self.decision is None:
            return bool(self.allocations)
        return any(amount_minor is None for _, amount_minor in self.decision.shares)


def add_share(place: Place, invoice_id: str, amount_minor: int | None) -> Shares | Obstacle:
    """The shares of a payment with one more, of so many minor units; None is all that is left, now and later."""
    is_there = {each.invoice_id for each in place.allocations} == {invoice_id}
    if place.decision is None and is_there and amount_minor in (None, *_whole(place)):
        return _confirmed(place, invoice_id, amount_minor)
    if amount_minor is None and is_there and (place.is_taken or place.left_minor == 0):
        return Obstacle.ALREADY_THERE
    if place.payment.received_minor == 0:
        if amount_minor is not None or place.payment.status is PaymentStatus.CANCELED:
            return Obstacle.NO_MONEY
    elif place.left_minor <= 0:
        return Obstacle.NOTHING_LEFT
    if place.is_taken:
        return Obstacle.NOTHING_LEFT
    if amount_minor is not None and amount_minor > place.left_minor:
        return Obstacle.TOO_MUCH
    rest_minor = place.payment.received_minor - sum(e.amount_minor for e in place.allocations)
    if amount_minor is None and place.allocations and place.left_minor < rest_minor:
        # All that is left is then less than all that came: the refund of the rest must not become this invoice's.
        amount_minor = place.left_minor
    before = place.decision.shares if place.decision else ()
    return (*before, (invoice_id, amount_minor))


def _confirmed(place: Place, invoice_id: str, amount_minor: int | None) -> Shares | Obstacle:
    """What a rule has placed, where a person says the same: from then on it holds by their word, whatever names say later."""
    if place.payment.status is PaymentStatus.CANCELED and place.payment.received_minor == 0:
        return Obstacle.NO_MONEY
    return ((invoice_id, amount_minor),)


def _whole(place: Place) -> tuple[int, ...]:
    """The amount that is all of a payment; none while nothing has come."""
    return (place.payment.received_minor,) if place.payment.received_minor else ()
