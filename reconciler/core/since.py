"""From when does money count, for a book that begins on a certain day?

What was before that day calls nobody. Stripe's time decides: a read of ours may show today what was paid last year. And a
person's decision of today counts, however old the money is that it moves. So does what happens today to old money: it is
as new as the latest thing that is known to have happened to it.
"""

from collections.abc import Iterable, Sequence

from reconciler.core.facts import READ_RANK
from reconciler.core.invoice import Share
from reconciler.core.payment import Book, Summary, dispute_transactions
from reconciler.core.words import DISPUTE_RANK, REFUND_DEAD, DisputeClass, dispute_class


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


def of_failure(book: Book, refund_id: str) -> int | None:
    """The latest moment at which a refund that failed certainly had not failed before.

    An event tells it, or the money that came back with it; and a refund that was seen alive has failed since.
    """
    refund = book.refunds[refund_id]
    alive = (at_ms for word, at_ms in refund.statuses.items() if word not in REFUND_DEAD)
    seen = (each.value for each in book.transactions.values())
    came_back = (
        each.created_ms
        for each in seen
        if each.source == refund_id and each.category == "refund_failure"
    )
    return latest(refund.created_ms, refund.told.get("failed"), *alive, *came_back)


def of_dispute(book: Book, dispute_id: str) -> int | None:
    """The latest moment before which a dispute certainly was not what it is: an inquiry becomes a dispute, and that is lost."""
    dispute, now = book.disputes[dispute_id], dispute_class(book.disputes[dispute_id])
    known = {word: DISPUTE_RANK[word][1] for word in dispute.words if word in DISPUTE_RANK}
    otherwise = (dispute.words[word].lo_ms for word, means in known.items() if means is not now)
    moved = (each.created_ms for each in dispute_transactions(book, dispute_id))
    # Of an open dispute Stripe tells again and again, of the end of one once.
    ended = (dispute.told.get(word) for word, means in known.items() if means is now)
    is_lost = now is DisputeClass.LOST
    return latest(dispute.created_ms, *otherwise, *moved, *(ended if is_lost else ()))


def latest(*times: int | None) -> int | None:
    """The latest of the times that are known."""
    return max(_known(times), default=None)


def _known(times: Iterable[int | None]) -> list[int]:
    return [each for each in times if each is not None]
