"""What does finance sign for? The content of a report on a range of days, whatever form it is written in.

Two books that are never added up. The *ledger* is what moved on the account's balance, in the currency in which it settled
(https://docs.stripe.com/reports/balance-transaction-types); the *sales* are what payers were charged, in the currency in which
they were charged. Amounts are whole minor units of the currency beside them; days are business days of the report's zone; a day
is that on which the money moved.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum

from reconciler.core.drift import Drift


class RunState(StrEnum):
    """How far a run has come. Only `complete` has looked at all of its range; one whose program was killed is cut off."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETE = "complete"
    CUT_OFF = "cut_off"


class Outcome(StrEnum):
    """What became of a difference. `would_repair` is what a dry run says of what the run then repairs."""

    REPAIRED = "repaired"
    WOULD_REPAIR = "would_repair"
    NEEDS_A_PERSON = "needs_a_person"
    EXPLAINED = "explained"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHead:
    """Who asked for what, and what came of it.

    `covered_from` and `covered_until` are the half-open interval that was really looked at, None before there is one;
    `day_not_over` says that the last day still went on at Stripe. `error` is why a run was cut off.
    """

    id: int
    first_day: date
    last_day: date
    zone: str
    is_dry: bool
    state: RunState
    by: str
    asked_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    covered_from: datetime | None = None
    covered_until: datetime | None = None
    day_not_over: bool = False
    requests: int = 0
    objects: int = 0
    error: str = ""
    signed_by: str = ""
    signed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListCount:
    """One list of Stripe's over the covered interval: how many objects it has there and here.

    `left_alone` are those that are none of ours (a Session that sets up a card), and that we do not keep. `gap` is the number
    of objects that Stripe's list has and our books do not have, after all; 0 where the list ties out.
    """

    name: str
    at_stripe: int
    here: int
    left_alone: int = 0
    gap: int = 0
    is_complete: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Discrepancy:
    """A difference, and what became of it. `here` and `there` are both values in words, as `core.drift` writes them.

    `missed_by` is who should have seen it first: `webhook`, `sweep`, or nothing where nobody could. `note` is the reason in one
    sentence, or what a person should do.
    """

    kind: Drift
    subject: str
    payment_id: str
    invoice_ids: tuple[str, ...] = ()
    here: str
    there: str
    since: datetime | None = None
    missed_by: str = ""
    outcome: Outcome
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerDay:
    """One day of the balance in one settlement currency, by groups of `reporting_category`, as net effects with their sign.

    `fees_minor` is all that Stripe took, also what it took out of charges: `charges_minor` is before fees. `closing = opening +
    all groups` on a day that ties out; both balances are Stripe's. `opening_minor` and `closing_minor` are None where the balance before is not known. `stripe_net_minor` is
    the sum of Stripe's own list of that day; `ties_out` says that every id and every sum of it is ours. `not_at_stripe_minor` is what of ours
    Stripe does not know and a person has accepted, with a reason: it stands in none of the other sums.
    """

    currency: str
    day: date
    opening_minor: int | None
    charges_minor: int = 0
    refunds_minor: int = 0
    refund_failures_minor: int = 0
    disputes_minor: int = 0
    fees_minor: int = 0
    payouts_minor: int = 0
    other_minor: int = 0
    closing_minor: int | None
    transactions: int = 0
    stripe_net_minor: int = 0
    ties_out: bool = True
    not_at_stripe_minor: int = 0

    @property
    def net_minor(self) -> int:
        """What the day changed."""
        return (
            self.charges_minor
            + self.refunds_minor
            + self.refund_failures_minor
            + self.disputes_minor
            + self.fees_minor
            + self.payouts_minor
            + self.other_minor
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SalesDay:
    """One day of sales in one charge currency: what payers paid, and what went back to them, on that day."""

    currency: str
    day: date
    payments: int = 0
    received_minor: int = 0
    refunds: int = 0
    refunded_minor: int = 0
    disputed_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentLine:
    """One payment whose money moved in the range. Gross, fee and net are in the settlement currency, None while not known."""

    id: str
    day: date
    status: str
    currency: str
    received_minor: int
    refunded_minor: int
    disputed_minor: int
    settlement_currency: str = ""
    gross_minor: int | None = None
    fee_minor: int | None = None
    net_minor: int | None = None
    exchange_rate: str = ""
    invoice_ids: tuple[str, ...] = ()
    payout_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnLine:
    """One refund or dispute of the range; `respond_by` is a dispute's deadline."""

    id: str
    day: date
    payment_id: str
    status: str
    currency: str
    amount_minor: int
    reason: str = ""
    respond_by: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutLine:
    """One payout of the range: the line on the bank's statement.

    What is in it is known of automatic payouts only, and in full once `is_complete`
    (https://docs.stripe.com/payouts/reconciliation). `payments` and `transactions` are how many of each it holds, and
    `held_minor` is their net sum, which is the payout's amount where it ties out.
    """

    id: str
    day: date
    currency: str
    amount_minor: int
    status: str
    arrives_on: date | None = None
    is_automatic: bool = True
    is_complete: bool = False
    payments: int = 0
    transactions: int = 0
    held_minor: int | None = None

    @property
    def ties_out(self) -> bool:
        """Whether what it holds is its amount, as far as Stripe tells what it holds."""
        is_told = self.is_automatic and self.is_complete and self.held_minor is not None
        return not is_told or self.held_minor == self.amount_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedChange:
    """What is another way now than it was in a report that somebody signed; the difference belongs to the open period."""

    run_id: int
    object_id: str
    day: date
    before: str
    after: str
    cause: str
    currency: str = ""
    difference_minor: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All of it. What may be long is asked for anew each time that it is read, a page at a time, so that memory is not its length.

    `open_questions` are what else of these payments and invoices is in the queue, and is no difference.
    """

    head: RunHead
    made_at: datetime
    lists: tuple[ListCount, ...] = ()
    differences_by_kind: tuple[tuple[Drift, Outcome, int], ...] = ()
    ledger: tuple[LedgerDay, ...] = ()
    sales: tuple[SalesDay, ...] = ()
    payouts: tuple[PayoutLine, ...] = ()
    changed_since_signed: tuple[SignedChange, ...] = ()
    open_questions: int = 0
    differences: Callable[[], Iterable[Discrepancy]] = field(default=tuple)
    payments: Callable[[], Iterable[PaymentLine]] = field(default=tuple)
    refunds: Callable[[], Iterable[ReturnLine]] = field(default=tuple)
    disputes: Callable[[], Iterable[ReturnLine]] = field(default=tuple)

    @property
    def is_complete(self) -> bool:
        """Whether nothing in the range was overlooked."""
        return self.head.state is RunState.COMPLETE and not any(each.gap for each in self.lists)

    @property
    def ties_out(self) -> bool:
        """Whether each day of the ledger is what Stripe's own list says of it."""
        return all(each.ties_out for each in self.ledger)

    @property
    def is_unknown_at_stripe(self) -> bool:
        """Whether Stripe does not know something of the range, and nobody had accepted that when the run ended."""
        told = {(kind, outcome) for kind, outcome, count in self.differences_by_kind if count}
        return (Drift.MISSING_AT_STRIPE, Outcome.NEEDS_A_PERSON) in told
