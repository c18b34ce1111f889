"""From when does money count, for a book that begins on a certain day?

What was before that day calls nobody. Stripe's time decides: a read of ours may show today what was paid last year. And a
person's decision of today counts, however old the money is that it moves.
"""

from collections.abc import Iterable, Sequence

from reconciler.core.facts import READ_RANK
from reconciler.core.invoice import Share
from reconciler.core.payment import Summary


def of_payment(payment: Summary) -> int | None:
    """Stripe's time of the money, in milliseconds; where only a read tells of it, that of the payment itself."""
    if payment.paid is None:
        return payment.created_ms
    if payment.paid.rank == READ_RANK and payment.created_ms is not None:
        return payment.created_ms
    return payment.paid.at_ms


def of_shares(shares: Sequence[Share]) -> int | None:
    """The latest of the money of an invoice, and of people's decisions about it; None while there is none."""
    paid = [each for each in shares if each.payment.paid is not None]
    return latest(*(of_payment(each.payment) for each in paid), *(each.decided_ms for each in paid))


def latest(*times: int | None) -> int | None:
    """The latest of the times that are known."""
    return max(_known(times), default=None)


def _known(times: Iterable[int | None]) -> list[int]:
    return [each for each in times if each is not None]
