"""What does Stripe say of a payment that contradicts itself, or that we can't read?"""

from collections.abc import Iterator
from typing import NamedTuple

from reconciler.core import since
from reconciler.core.doubts import contradicting_totals
from reconciler.core.facts import TERMINAL, ChargeFacts, RefundFacts
from reconciler.core.lattice import current
from reconciler.core.payment import KNOWN_WORDS, Book, Summary
from reconciler.core.words import DISPUTE_RANK, REFUND_RANK


class Contradiction(NamedTuple):
    """One contradiction in words, with the amounts and ids that make it, and Stripe's time of what it is about."""

    words: str
    at_ms: int | None


def of_book(book: Book, payment: Summary) -> Iterator[Contradiction]:
    """All contradictions of a payment and of what is around it, always in the same order."""
    intent, at_ms = book.facts.intent, since.of_payment(payment)
    if intent.terminals >= TERMINAL:
        yield Contradiction("succeeded and canceled", at_ms)
    if len(intent.received_currencies) > 1:
        currencies = " and ".join(sorted(intent.received_currencies))
        yield Contradiction(f"received in {currencies}", at_ms)
    unknown = current(intent.words) - KNOWN_WORDS if not intent.terminals else frozenset()
    yield from (Contradiction(f"unknown word {word}", at_ms) for word in sorted(unknown))
    for charge_id, charge in sorted(book.facts.charges.items()):
        yield from _of_totals(book, charge_id, charge, at_ms)
    for refund_id, refund in sorted(book.refunds.items()):
        yield from _of_refund(refund_id, refund)
    for dispute_id, dispute in sorted(book.disputes.items()):
        for word in sorted(dispute.words.keys() - DISPUTE_RANK.keys()):
            yield Contradiction(f"unknown word {word} of {dispute_id}", dispute.created_ms)


def _of_totals(
    book: Book, charge_id: str, charge: ChargeFacts, at_ms: int | None
) -> Iterator[Contradiction]:
    """Totals of refunds that the refunds don't come to; as new as the newest of these."""
    newest_ms = since.latest(at_ms, *(each.created_ms for each in book.refunds.values()))
    listed = contradicting_totals(book, charge_id, charge) & charge.listed_totals
    for total_minor in sorted(listed):
        yield Contradiction(f"refunds of {charge_id} are not {total_minor}", newest_ms)


def _of_refund(refund_id: str, refund: RefundFacts) -> Iterator[Contradiction]:
    values = (refund.amounts, refund.currencies, refund.charges)
    several = [" and ".join(map(str, sorted(each))) for each in values if len(each) > 1]
    if several:
        yield Contradiction(f"{refund_id} changed: {', '.join(several)}", refund.created_ms)
    for word in sorted(refund.statuses.keys() - REFUND_RANK.keys()):
        yield Contradiction(f"unknown word {word} of {refund_id}", refund.created_ms)
