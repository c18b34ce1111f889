"""What do the words of refunds and disputes mean, and which of several is the highest?

Refunds: https://docs.stripe.com/refunds#failed-refunds . Disputes: https://docs.stripe.com/disputes/how-disputes-work .
"""

from collections.abc import Mapping
from enum import StrEnum

from reconciler.core.facts import CANCELED, SUCCEEDED, ChargeFacts, DisputeFacts, RefundFacts

# A refund climbs: in flight < succeeded < dead. Within a class the order only makes the word shown the same for all.
REFUND_RANK = {"pending": 0, "requires_action": 1, SUCCEEDED: 2, CANCELED: 3, "failed": 4}
REFUND_IN_FLIGHT = frozenset({"pending", "requires_action"})
REFUND_DEAD = frozenset({CANCELED, "failed"})


class DisputeClass(StrEnum):
    """What a dispute means; an inquiry moves no money."""

    INQUIRY = "inquiry"
    INQUIRY_CLOSED = "inquiry_closed"
    OPEN = "open"
    LOST = "lost"
    WON = "won"


# inquiry < closed inquiry < open < lost < won: a late win after a loss is real.
DISPUTE_RANK = {
    "warning_needs_response": (0, DisputeClass.INQUIRY),
    "warning_under_review": (1, DisputeClass.INQUIRY),
    "warning_closed": (2, DisputeClass.INQUIRY_CLOSED),
    "needs_response": (3, DisputeClass.OPEN),
    "under_review": (4, DisputeClass.OPEN),
    "lost": (5, DisputeClass.LOST),
    "prevented": (6, DisputeClass.LOST),
    "charge_refunded": (7, DisputeClass.LOST),
    "won": (8, DisputeClass.WON),
}
# Of these nothing more is to be expected; what a dispute that was won withdrew may still come back.
DISPUTE_OVER = frozenset(
    word
    for word, (_, means) in DISPUTE_RANK.items()
    if means in {DisputeClass.INQUIRY_CLOSED, DisputeClass.LOST}
)
DISPUTE_MONEY = frozenset({"dispute", "dispute_reversal"})


def refund_word(refund: RefundFacts) -> str:
    """The highest known word of a refund; one that we do not know stands as if pending."""
    known = [word for word in refund.statuses if word in REFUND_RANK]
    return max(known, key=REFUND_RANK.__getitem__, default="pending")


def dispute_word(dispute: DisputeFacts) -> str:
    """The highest known word of a dispute."""
    known = [word for word in dispute.words if word in DISPUTE_RANK]
    return max(known, key=lambda word: DISPUTE_RANK[word][0], default="needs_response")


def dispute_class(dispute: DisputeFacts) -> DisputeClass:
    """What the highest word of a dispute means; a dispute of which we know no word is open."""
    return DISPUTE_RANK[dispute_word(dispute)][1]


def gives_back(refund: RefundFacts, charges: Mapping[str, ChargeFacts]) -> bool:
    """Whether a refund takes money from what was received, now or soon; `charges` are those of its payment.

    One that failed or was canceled does not. Nor does the release of a hold: what is authorised and not captured is
    "automatically refunded" (https://docs.stripe.com/api/payment_intents/capture), and never was money.
    """
    if refund_word(refund) in REFUND_DEAD:
        return False
    if refund.booked or refund_word(refund) != SUCCEEDED:
        return True
    # One that names no charge belongs to the only one that there is.
    names = refund.charges or (frozenset(charges) if len(charges) == 1 else frozenset())
    of = [charges[each] for each in names if each in charges]
    return not of or any(each.captured_minor >= max(each.amounts, default=0) for each in of)
