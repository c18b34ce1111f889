"""Do the stored books agree with the facts that they were derived from?

Deciding again must change nothing: every payment is summarised, matched and settled anew, in pages, and compared with
what is stored. With `rebuild` the facts themselves are folded again from the observations.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from reconciler.apply import Policy
from reconciler.core.decision import Change, Decision, decide
from reconciler.core.known import Known, absorb, books, waived_sessions
from reconciler.core.observation import ms
from reconciler.core.payment import active_references, summarise
from reconciler.db import evidence, facts, ledgers, queries
from reconciler.db import payments as payment_rows
from reconciler.db.session import Database, Tx

PAGE = 200


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is stored and should be otherwise."""

    subject: str
    what: str


@dataclass(frozen=True, slots=True)
class Report:
    """How much was checked, and what was wrong."""

    payments: int
    invoices: int
    problems: tuple[Problem, ...]


def verify(db: Database, policy: Policy, *, now: datetime, rebuild: bool = False) -> Report:
    """Check the whole book page by page; no read holds a transaction for longer than a page."""
    problems: list[Problem] = []
    payments = invoices = 0
    after = ""
    while page := _payments_page(db, after):
        with db.reading() as tx:
            problems += _check_payments(tx, page, policy, now, rebuild=rebuild)
        payments, after = payments + len(page), page[-1]
    after = ""
    while page := _invoices_page(db, after):
        with db.reading() as tx:
            problems += _check_invoices(tx, page, policy, now)
        invoices, after = invoices + len(page), page[-1]
    with db.reading() as tx:
        problems += _check_sums(tx)
    return Report(payments, invoices, tuple(problems))


def _payments_page(db: Database, after: str) -> list[str]:
    with db.reading() as tx:
        return queries.payment_ids(tx, after=after, limit=PAGE)


def _invoices_page(db: Database, after: str) -> list[str]:
    with db.reading() as tx:
        return queries.settled_invoice_ids(tx, after=after, limit=PAGE)


def _check_payments(
    tx: Tx, ids: list[str], policy: Policy, now: datetime, *, rebuild: bool
) -> Iterator[Problem]:
    known = facts.load(tx, [], ids)
    stored = payment_rows.summaries(tx, ids)
    for id_, book in books(known).items():
        if id_ in stored and summarise(book) != stored[id_]:
            yield Problem(id_, "its columns differ from its facts")
        money = stored[id_].received_minor if id_ in stored else 0
        allocated = queries.allocated_minor(tx, id_)
        if allocated > money:
            yield Problem(id_, f"{allocated} is allocated of {money} received")
    yield from _decided_otherwise(tx, known, frozenset(), policy, now)
    if rebuild:
        yield from _rebuild(tx, known)


def _check_invoices(tx: Tx, ids: list[str], policy: Policy, now: datetime) -> Iterator[Problem]:
    for id_ in ids:
        row = queries.settlement(tx, id_)
        # The door never reads this column: it is there for others, so nothing else would notice.
        if row is not None and row["net"] != row["received"] - row["refunded"] - row["disputed"]:
            yield Problem(f"invoice {id_}", f"its net {row['net']} is not what its sums give")
    yield from _decided_otherwise(tx, Known(), frozenset(ids), policy, now)


def _check_sums(tx: Tx) -> Iterator[Problem]:
    """Page by page nobody would see money that is at two invoices, or at one and at none."""
    for currency, (settled, allocated) in ledgers.sums(tx).items():
        if settled != allocated:
            words = f"invoices were settled with {settled}, and {allocated} is allocated to them"
            yield Problem(f"all of {currency}", words)


def _decided_otherwise(
    tx: Tx, known: Known, seen: frozenset[str], policy: Policy, now: datetime
) -> Iterator[Problem]:
    try:
        decision = _decide_again(tx, known, seen, policy, now)
    except ValueError as error:
        # Rows that no apply could have written, like more allocated than received, have no decision.
        ids = sorted(known.payments.keys() | seen)
        yield Problem(f"{ids[0]} to {ids[-1]}", f"can't be decided again: {error}")
        return
    yield from _differences(decision)


def _decide_again(
    tx: Tx, known: Known, seen: frozenset[str], policy: Policy, now: datetime
) -> Decision:
    all_books = books(known)
    sessions = waived_sessions(known)
    ledger = ledgers.load(
        tx,
        policy.invoices,
        holders={*all_books, *sessions},
        references={name for book in all_books.values() for name in active_references(book)},
        invoices_seen=seen,
        subjects={
            id_ for book in all_books.values() for id_ in (book.id, *book.refunds, *book.disputes)
        },
        for_update=False,
    )
    change = Change(before=all_books, after=all_books, waived_sessions=sessions, invoices_seen=seen)
    return decide(change, ledger, policy.rules, ms(now))


def _differences(decision: Decision) -> Iterator[Problem]:
    for payment in decision.payments:
        yield Problem(payment.book.id, f"belongs elsewhere: {payment.match.rule.value}")
    for invoice in decision.invoices:
        settlement = invoice.standing.settlement
        yield Problem(
            f"invoice {settlement.invoice_id}",
            f"should be {settlement.payment_status.value}, {settlement.net_minor} net",
        )
    for finding in decision.opened:
        yield Problem(finding.subject, f"exception {finding.kind.value} should be open")
    for kind, subject in sorted(decision.cleared):
        yield Problem(subject, f"exception {kind} should be closed")


def _rebuild(tx: Tx, known: Known) -> Iterator[Problem]:
    """Fold the observations of this page again and compare with the stored facts."""
    charges = (charge for payment in known.payments.values() for charge in payment.charges)
    around = (*known.refunds, *known.disputes, *known.sessions, *known.transactions)
    rows = queries.observations_of(tx, {*known.payments, *charges, *around})
    folded = absorb(Known(), (each for row in rows for each in evidence.unfold(row)))
    for name in ("payments", "refunds", "disputes", "sessions", "transactions"):
        stored, again = getattr(known, name), getattr(folded, name)
        for id_ in sorted(stored.keys() | again.keys()):
            if stored.get(id_) != again.get(id_):
                yield Problem(id_, "its facts differ from the observations")
