"""What does each kind of exception mean, and what may a person do about it? In words of people who look after money."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from reconciler.core.exceptions import ExceptionKind as Kind


@dataclass(frozen=True, slots=True)
class Meaning:
    """What is the matter, and what mends it."""

    words: str
    mend: str


MEANINGS: Final = MappingProxyType(
    {
        Kind.UNMATCHED_PAYMENT: Meaning(
            "Money came in that is at no invoice.",
            "Assign it to its invoice, or refund it at Stripe and resolve this.",
        ),
        Kind.CONFLICTING_REFERENCES: Meaning(
            "The payment names several invoices, and they can't all be meant.",
            "Assign it to the right one, or a part to each; the others leave `review` by that.",
        ),
        Kind.UNDERPAID: Meaning(
            "Less was paid than the invoice asks for.",
            "Ask for the rest. If a payment of it is elsewhere, assign that one.",
        ),
        Kind.OVERPAID: Meaning(
            "More is held than the invoice asks for.",
            "Refund what is too much at Stripe, or take the payment back and assign its parts.",
        ),
        Kind.SECOND_PAYMENT: Meaning(
            "The invoice was paid without one of its payments, or was marked paid by hand.",
            "Refund one at Stripe, or take one back and assign it elsewhere.",
        ),
        Kind.WRONG_CURRENCY: Meaning(
            "Money in another currency than the invoice's is held for it; none is ever converted.",
            "Refund it at Stripe, or mark the invoice paid by hand and resolve this.",
        ),
        Kind.CONFLICTING_FACTS: Meaning(
            "What Stripe says of this payment contradicts itself, or is not known to us.",
            "Look the payment up in the Dashboard, and resolve this with what you found.",
        ),
        Kind.INVOICE_NOT_PAYABLE: Meaning(
            "Money is held for an invoice that is a draft, void or given up.",
            "Open the invoice again, or refund the money, or assign it elsewhere.",
        ),
        Kind.INVOICE_CHANGED_AFTER_PAID: Meaning(
            "The invoice's total is another one than when it was paid.",
            "Put the total right, or ask for or refund the difference.",
        ),
        Kind.REFUND_FAILED: Meaning(
            "A refund did not reach the customer: the money is back with you.",
            "Pay the customer in another way, and resolve this.",
        ),
        Kind.DISPUTE_OPEN: Meaning(
            "The customer's bank asks for the money, or about it, and there is a deadline.",
            "Answer at Stripe before the deadline.",
        ),
        Kind.DISPUTE_LOST: Meaning(
            "A dispute was lost: the money is gone.",
            "Decide what becomes of the invoice, and resolve this.",
        ),
        Kind.DISPUTE_FX: Meaning(
            "A dispute moves money in another currency than the payment's: the sums are estimates.",
            "Compare with the Dashboard. It closes when the dispute is won.",
        ),
        Kind.NET_BELOW_ZERO: Meaning(
            "More was given back for the invoice than it ever received.",
            "Look for a refund of another payment's money, and put the decision right.",
        ),
        Kind.PAID_HERE_NOT_AT_STRIPE: Meaning(
            "The invoice says `paid`, and no money of Stripe's is known for it.",
            "Look the payment up in the Dashboard. Was the invoice marked paid too early?",
        ),
        Kind.MISSING_AT_STRIPE: Meaning(
            "It is in these books, and Stripe does not know it.",
            "Are these the books of that account and mode, and who wrote it? To accept it, resolve this.",
        ),
        Kind.EVENT_DEAD: Meaning(
            "An event of Stripe's could not be applied, or not be read.",
            "See `reconciler events show ID`; once mended, `reconciler events retry ID`.",
        ),
        Kind.READ_FORBIDDEN: Meaning(
            "Something at Stripe, or an invoice, can't be read.",
            "Give the key the right that is missing, or look the object up in the Dashboard.",
        ),
        Kind.SWEEP_FAILING: Meaning(
            "A sweep has failed three times in a row.",
            "See `reconciler status` and the log. It closes with the next good run.",
        ),
        Kind.WRONG_ACCOUNT_OR_MODE: Meaning(
            "Events of another account, or of the other mode, come to this endpoint.",
            "Point that endpoint elsewhere, or give it a database of its own.",
        ),
        Kind.PUSH_REFUSED: Meaning(
            "A push service takes no message of ours.",
            "See `reconciler doctor`: is the key the one that the browsers subscribed with?",
        ),
    }
)
