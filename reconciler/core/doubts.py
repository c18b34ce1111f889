"""What can snapshots alone not decide, so that the object must be read again?

Each doubt is a pure function of the facts. One that *first appears* asks for one fetch; the read that answers it settles
it, whatever it says. What contradicts even then is an exception for a person (`exceptions.py`), never a loop.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from reconciler.core.facts import CANCELED, SUCCEEDED, TERMINAL, ChargeFacts
from reconciler.core.known import Known
from reconciler.core.lattice import current
from reconciler.core.payment import (
    KNOWN_WORDS,
    NEEDS_METHOD,
    Book,
    awaits_return,
    dispute_transactions,
    failed_attempts,
)
from reconciler.core.words import (
    DISPUTE_RANK,
    REFUND_DEAD,
    REFUND_RANK,
    DisputeClass,
    dispute_class,
    refund_word,
)

SECOND_MS = 1000


class FetchKind(StrEnum):
    """The Stripe objects that can be read again by id."""

    PAYMENT_INTENT = "payment_intent"
    CHARGE = "charge"
    REFUND = "refund"
    DISPUTE = "dispute"
    CHECKOUT_SESSION = "checkout_session"


class Doubt(NamedTuple):
    """One question that only a read can answer."""

    kind: FetchKind
    object_id: str
    reason: str


CONTESTED = "contested"


def doubts(book: Book) -> frozenset[Doubt]:
    """Everything about one payment that only a read can decide."""
    found = {Doubt(FetchKind.PAYMENT_INTENT, book.id, why) for why in _of_intent(book)}
    for charge_id, charge in book.facts.charges.items():
        if unlisted_total(book, charge_id, charge):
            found.add(Doubt(FetchKind.CHARGE, charge_id, "refund_total_differs"))
    for refund_id, refund in book.refunds.items():
        if refund.statuses.keys() - REFUND_RANK.keys():
            found.add(Doubt(FetchKind.REFUND, refund_id, "unknown_word"))
    for dispute_id in book.disputes:
        found |= {
            Doubt(FetchKind.DISPUTE, dispute_id, why) for why in _of_dispute(book, dispute_id)
        }
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class Questions:
    """What must be read because doubts have first appeared, and the objects (kind, id) about which none is left."""

    asked: frozenset[Doubt] = frozenset()
    withdrawn: frozenset[tuple[str, str]] = frozenset()


def questions(
    before: Known,
    after: Known,
    books_before: Mapping[str, Book],
    books_after: Mapping[str, Book],
) -> Questions:
    """Compare the doubts of what was known with those of what is known now, each with its books."""
    ids = books_before.keys() | books_after.keys()
    changed = [id_ for id_ in ids if books_before.get(id_) != books_after.get(id_)]
    old = _all_doubts(before, (books_before.get(id_, Book(id=id_)) for id_ in changed))
    new = _all_doubts(after, (books_after[id_] for id_ in changed if id_ in books_after))
    return Questions(asked=new - old, withdrawn=_objects(old) - _objects(new))


def _all_doubts(known: Known, of: Iterable[Book]) -> frozenset[Doubt]:
    return waiting(known).union(*map(doubts, of))


def _objects(found: frozenset[Doubt]) -> frozenset[tuple[str, str]]:
    return frozenset((each.kind.value, each.object_id) for each in found)


def waiting(known: Known) -> frozenset[Doubt]:
    """Objects that name only a charge which was never read, and paid Sessions without a PaymentIntent."""
    only_charged = [
        *(each.charges for each in known.refunds.values() if not each.intents),
        *(each.charges for each in known.disputes.values() if not each.intents),
    ]
    named = frozenset(charge_id for charges in only_charged for charge_id in charges)
    unread = named - known.owners.keys()
    found = {Doubt(FetchKind.CHARGE, charge_id, "charge_not_known") for charge_id in unread}
    for each in known.transactions.values():
        source = each.value.source
        if source.startswith(("ch_", "py_")) and source not in known.owners:
            found.add(Doubt(FetchKind.CHARGE, source, "charge_not_known"))
    for session_id, session in known.sessions.items():
        if "paid" in session.payment_statuses and not session.intents:
            found.add(Doubt(FetchKind.CHECKOUT_SESSION, session_id, "paid_without_payment_intent"))
    return frozenset(found)


def _of_intent(book: Book) -> Iterator[str]:
    if not book.is_intent:
        return
    intent = book.facts.intent
    if intent.terminals >= TERMINAL:
        yield "both_terminal_words"
    if SUCCEEDED not in intent.terminals:
        captured = sum(each.captured_minor for each in book.facts.charges.values())
        if captured > intent.received_minor:
            yield "charge_ahead"
        paid_session = any("paid" in each.payment_statuses for each in book.sessions.values())
        if paid_session and CANCELED not in intent.terminals:
            yield "session_ahead"
    if not intent.terminals:
        yield from _of_words(book)


def _of_words(book: Book) -> Iterator[str]:
    intent = book.facts.intent
    words = current(intent.words)
    if not words:
        yield "never_seen"
    if max(len(words), len(current(intent.amounts)), len(current(intent.currencies))) > 1:
        yield CONTESTED
    if words - KNOWN_WORDS:
        yield "unknown_word"
    if NEEDS_METHOD in words and not failed_attempts(book):
        innocent_until_ms = intent.innocent_until_ms or 0
        if intent.words[NEEDS_METHOD].lo_ms > innocent_until_ms:
            yield "fresh_or_failed"


def unlisted_total(book: Book, charge_id: str, charge: ChargeFacts) -> bool:
    """Whether the charge's refunded total disagrees with the refunds that we know, and no list was read with it."""
    return bool(contradicting_totals(book, charge_id, charge) - charge.listed_totals)


def contradicting_totals(book: Book, charge_id: str, charge: ChargeFacts) -> frozenset[int]:
    """The refunded totals of a charge, true now, that the refunds we know of cannot explain.

    A refund made after the total was seen can't be part of it; one that failed may have been.
    """
    of_charge = [each for each in book.refunds.values() if _belongs(book, each.charges, charge_id)]
    wrong = set()
    for total_minor in current(charge.refund_totals):
        span = charge.refund_totals[total_minor]
        before = [each for each in of_charge if (each.created_ms or 0) <= span.hi_ms]
        most_minor = sum(max(each.amounts, default=0) for each in before)
        surely = [
            max(each.amounts, default=0)
            for each in before
            if (each.created_ms or 0) + SECOND_MS <= span.lo_ms
            and refund_word(each) not in REFUND_DEAD
        ]
        if not sum(surely) <= total_minor <= most_minor:
            wrong.add(total_minor)
    return frozenset(wrong)


def _belongs(book: Book, charges: frozenset[str], charge_id: str) -> bool:
    return charge_id in charges or (not charges and len(book.facts.charges) == 1)


def _of_dispute(book: Book, dispute_id: str) -> Iterator[str]:
    dispute = book.disputes[dispute_id]
    if dispute.words.keys() - DISPUTE_RANK.keys():
        yield "unknown_word"
    won, lost = dispute.words.get("won"), dispute.words.get("lost")
    if won is not None and lost is not None and lost.lo_ms > won.hi_ms:
        yield "lost_after_won"
    meaning = dispute_class(dispute)
    withdrew = any(each.amount_minor < 0 for each in dispute_transactions(book, dispute_id))
    is_lost = "lost" in dispute.words and meaning is DisputeClass.LOST
    if (meaning is DisputeClass.OPEN or is_lost) and not withdrew:
        yield "missing_funds"
    if awaits_return(book, dispute_id):
        yield "funds_not_returned"
