"""What differed, once all was read? What was put right, and what needs a person."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Final

from reconciler.apply import Foreseen
from reconciler.core.audit import InvoiceChange
from reconciler.core.drift import compare, missing_here
from reconciler.core.exceptions import GRACED, ExceptionKind, Finding
from reconciler.core.invoice import Invoice
from reconciler.core.known import books
from reconciler.core.observation import moment
from reconciler.core.payment import Book, PaymentStatus, Summary, summarise
from reconciler.core.report import Discrepancy, Outcome
from reconciler.db import facts, holds, payments, runs, spans, touched
from reconciler.db import invoices as invoice_rows
from reconciler.db.prepared import Row
from reconciler.db.session import Tx
from reconciler.reconcile.foreseeing import Foresight
from reconciler.reconcile.going import Run
from reconciler.reconcile.gone import OF_LISTS
from reconciler.reconcile.hands import known_before
from reconciler.reconcile.novelty import says_more
from reconciler.reconcile.patience import reading, writing
from reconciler.reconcile.telling import (
    NAMES,
    Matter,
    Witness,
    feeless,
    for_a_person,
    together,
    told,
    witness,
)

_KINDS: Final = frozenset(each.value for each in NAMES)
_AT_ONCE: Final = 500


def conclude(run: Run, began: datetime) -> None:
    """Write down what a run has put right, and what of its range needs a person or an explanation."""
    who = _begin(run, began)
    _keep(run, _put_right(run, who))
    _keep(run, _for_people(run, _Foreseen()))
    _keep(run, _feeless(run, _Foreseen()))


def conclude_dry(run: Run, foresight: Foresight, began: datetime) -> None:
    """Write down what a run would put right, and what would need a person then."""
    who = _begin(run, began)
    would = _Foreseen()
    for found in foresight.outcomes():
        _keep(run, _would_put_right(found, who))
        would.add(run, found)
    _keep(run, _for_people(run, would))
    _keep(run, _feeless(run, would))


def _begin(run: Run, began: datetime) -> Witness:
    def forget(tx: Tx) -> None:
        holds.require(tx, run.id, run.token)
        runs.forget_differences(tx, run.id, but=OF_LISTS)

    writing(run.poller, forget)
    return reading(run.poller, lambda tx: witness(tx, began))


def _keep(run: Run, found: Iterable[Discrepancy]) -> None:
    left = iter(found)
    while page := list(islice(left, _AT_ONCE)):
        writing(run.poller, partial(_keep_page, run=run, page=page))


def _keep_page(tx: Tx, run: Run, page: Sequence[Discrepancy]) -> None:
    holds.require(tx, run.id, run.token)
    runs.keep_differences(tx, run.id, page)


def _put_right(run: Run, who: Witness) -> Iterator[Discrepancy]:
    """The differences between what was known before the run and what is known now, a page at a time."""
    beside = reading(run.poller, partial(touched.beside, run_id=run.id))
    after = ""
    while True:
        before = reading(run.poller, partial(touched.touched, run_id=run.id, after=after))
        if not before:
            return
        yield from reading(
            run.poller, partial(_page_put_right, before=before, who=who, beside=beside)
        )
        after = max(before)


def _page_put_right(
    tx: Tx, before: dict[str, Book | None], who: Witness, beside: Sequence[int]
) -> list[Discrepancy]:
    new = payments.summaries(tx, [id_ for id_, book in before.items() if book is None])
    old = [id_ for id_, book in before.items() if book is not None]
    now = books(facts.load(tx, [], old)) if old else {}
    found = [missing_here(each) for each in new.values() if not each.is_foreign]
    found += [each for id_ in old if id_ in now for each in compare(before[id_], now[id_])]
    belongs = spans.invoices_of(tx, before)
    others = touched.shared(tx, beside, before)
    repaired = [
        told(each, belongs.get(each.payment_id, ()), who, Outcome.REPAIRED) for each in found
    ]
    return [together(each, others.get(each.payment_id, ())) for each in repaired]


def _would_put_right(found: Foreseen, who: Witness) -> Iterator[Discrepancy]:
    places = {each.book.id: each.match.allocations for each in found.decision.payments}
    for id_, book in found.change.after.items():
        before = found.change.before.get(id_)
        if not says_more(before, book):
            continue
        to = places.get(id_) or found.ledger.allocations.get(id_, ())
        invoice_ids = tuple(sorted(each.invoice_id for each in to))
        for each in compare(known_before(before), book):
            yield told(each, invoice_ids, who, Outcome.WOULD_REPAIR)


class _Foreseen:
    """What a dry run knows better than the database; a real run knows nothing better."""

    def __init__(self) -> None:
        self.over: set[tuple[str, str]] = set()
        self.matters: dict[tuple[str, str], Discrepancy] = {}
        self.payments: set[str] = set()
        self.feeless: list[Discrepancy] = []

    def add(self, run: Run, found: Foreseen) -> None:
        """Take in what would be decided."""
        decision = found.decision
        self.over |= decision.cleared | {
            (each.kind.value, each.subject) for each in decision.opened
        }
        payments_after = {id_: summarise(book) for id_, book in found.change.after.items()}
        invoices = {each.standing.settlement.invoice_id: each for each in decision.invoices}
        for finding in decision.opened:
            invoice = invoices.get(finding.subject)
            if finding.kind not in NAMES:
                continue
            paid = (
                [payments_after[finding.subject]]
                if finding.subject in payments_after
                else [each.payment for each in invoice.shares if each.received_minor > 0]
                if invoice is not None
                else []
            )
            matter = _matter(finding, paid)
            dated = found.ledger.invoices.get(finding.subject)
            if _belongs(run, matter, dated) and _counts(run, matter):
                standing = _standing(invoice) if invoice is not None else None
                self.matters[finding.kind.value, finding.subject] = for_a_person(matter, standing)
        for id_, payment in payments_after.items():
            self.payments.add(id_)
            if _lacks_fee(run, payment):
                self.feeless.append(feeless(_row(payment)))


def _matter(finding: Finding, paid: Sequence[Summary]) -> Matter:
    known = [each.paid.at_ms if each.paid else each.created_ms for each in paid]
    return Matter(
        kind=finding.kind,
        subject=finding.subject,
        amount_minor=finding.amount_minor,
        currency=finding.currency,
        moments=tuple(moment(at_ms) for at_ms in known if at_ms is not None),
        payment_id=_last(paid),
    )


def _last(paid: Sequence[Summary]) -> str:
    """The payment whose money came last; nothing where none came."""
    dated = [(each.paid.at_ms, each.id) for each in paid if each.paid is not None]
    return max(dated, default=(0, ""))[1]


def _standing(change: InvoiceChange) -> tuple[int, int, str]:
    settlement = change.standing.settlement
    return settlement.amount_due_minor, settlement.net_minor, settlement.currency


def _counts(run: Run, matter: Matter) -> bool:
    """Whether its time of grace is over."""
    rules, now = run.poller.inbox.policy.rules, run.poller.now()
    grace_s = rules.grace_s if matter.kind in GRACED else 0
    return max(matter.moments, default=now) + timedelta(seconds=grace_s) <= now


def _belongs(run: Run, matter: Matter, invoice: Invoice | None) -> bool:
    """Whether money of the range is at stake; where there is none, by the invoice's time, and where that has none, too."""
    dated = (invoice.paid_at or invoice.created_at) if invoice is not None else None
    moments = matter.moments or ((dated,) if dated is not None else ())
    since, until = moment(run.covered.since_ms), moment(run.covered.until_ms)
    return not moments or any(since <= at < until for at in moments)


def _for_people(run: Run, would: _Foreseen) -> Iterator[Discrepancy]:
    """What of the range is in the queue, or would be."""
    yield from would.matters.values()
    after = 0
    while page := reading(run.poller, partial(spans.open_exceptions, kinds=_KINDS, after=after)):
        left = [row for row in page if (row["kind"], row["subject"]) not in would.over]
        yield from reading(run.poller, partial(_of_queue, run=run, rows=left))
        after = page[-1]["id"]


def _of_queue(tx: Tx, run: Run, rows: Sequence[Row]) -> list[Discrepancy]:
    """What belongs to the range of a page of the queue."""
    of_payments = {r["subject"] for r in rows if r["kind"] == ExceptionKind.UNMATCHED_PAYMENT.value}
    ids = sorted({row["subject"] for row in rows} - of_payments)
    moments = spans.moments(tx, of_payments, ids)
    table = run.poller.inbox.policy.invoices
    invoices = invoice_rows.find(tx, table, ids, (), for_update=False) if ids else {}
    standings, last = spans.standings(tx, ids), spans.last_payments(tx, ids)
    found = []
    for row in rows:
        id_ = row["subject"]
        matter = Matter(
            kind=ExceptionKind(row["kind"]),
            subject=id_,
            amount_minor=row["amount"],
            currency=row["currency"],
            moments=moments.get(id_, ()),
            payment_id=last.get(id_, ""),
        )
        # Without a moment of its money, what was written when it was opened says from when it counts.
        is_due = _counts(run, matter) if matter.moments else row["counts_from"] <= run.poller.now()
        if is_due and _belongs(run, matter, invoices.get(id_)):
            found.append(for_a_person(matter, standings.get(id_)))
    return found


def _feeless(run: Run, would: _Foreseen) -> Iterator[Discrepancy]:
    """What was paid in the range, and has no fee yet."""
    yield from would.feeless
    after = ""
    while page := reading(run.poller, partial(spans.without_fee, paid=run.covered, after=after)):
        yield from (feeless(row) for row in page if row["id"] not in would.payments)
        after = page[-1]["id"]


def _lacks_fee(run: Run, payment: Summary) -> bool:
    return (
        payment.status is PaymentStatus.SUCCEEDED
        and payment.received_minor > 0
        and payment.settled_fee_minor is None
        and not payment.is_foreign
        and payment.paid is not None
        and run.covered.since_ms <= payment.paid.at_ms < run.covered.until_ms
    )


def _row(payment: Summary) -> dict[str, object]:
    return {
        "id": payment.id,
        "currency": payment.currency,
        "amount_received": payment.received_minor,
        "paid_at": moment(payment.paid.at_ms) if payment.paid else None,
    }
