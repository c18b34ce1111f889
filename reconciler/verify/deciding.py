"""What would be decided if everything were decided again?"""

from collections.abc import Callable, Iterator
from typing import Final

from reconciler.core.audit import InvoiceChange
from reconciler.core.decision import Change, Decision, decide
from reconciler.core.exceptions import OF_THE_PROGRAM, ExceptionKind
from reconciler.core.known import Known, books, waived_sessions
from reconciler.core.ledger import Ledger
from reconciler.core.observation import ms
from reconciler.core.payment import active_references
from reconciler.db import ledgers
from reconciler.db.session import Tx
from reconciler.verify.findings import Problem
from reconciler.verify.scope import Scope

# Whoever opened these closes them: no decision does.
_NOT_DECIDED: Final = frozenset(
    {each.value for each in OF_THE_PROGRAM} | {ExceptionKind.MISSING_AT_STRIPE.value}
)
REOPEN: Final = (
    "it is opened or closed by the next evidence: `reconciler reconcile` for its day brings some"
)
RESETTLE: Final = (
    "if the app changed it, the daemon's sweep `invoices` settles it within a minute; else the row was written by somebody"
    " else: put it back from a backup"
)


def decide_again(
    tx: Tx, known: Known, seen: frozenset[str], scope: Scope
) -> tuple[Decision, Ledger]:
    """Decide with the same facts before and after, about payments, or about invoices that were seen."""
    all_books, policy = books(known), scope.policy
    sessions = waived_sessions(known)
    names = {name for book in all_books.values() for name in active_references(book)}
    ledger = ledgers.load(
        tx,
        policy.invoices,
        holders={*all_books, *sessions},
        references={*names, *(name for each in sessions.values() for name in each.names)},
        invoices_seen=seen,
        subjects={
            id_ for book in all_books.values() for id_ in (book.id, *book.refunds, *book.disputes)
        },
        for_update=False,
    )
    change = Change(before=all_books, after=all_books, waived_sessions=sessions, invoices_seen=seen)
    return decide(change, ledger, policy.rules, ms(scope.now)), ledger


def about(change: InvoiceChange, ledger: Ledger | None = None) -> Iterator[Problem]:
    """How an invoice should be that is otherwise; with a ledger, only one that was never settled."""
    settlement = change.standing.settlement
    if ledger is not None and settlement.invoice_id in ledger.standings:
        return
    words = f"should be {settlement.payment_status.value}, {settlement.net_minor} net"
    yield Problem(f"invoice {settlement.invoice_id}", words, RESETTLE, "settled")


def exceptions_of(decision: Decision, counts: Callable[[str], bool]) -> Iterator[Problem]:
    """The exceptions that should be open and are not, and the reverse, about subjects that count here."""
    for finding in decision.opened:
        if counts(finding.subject):
            words = f"exception {finding.kind.value} should be open"
            yield Problem(finding.subject, words, REOPEN, "exception_missing")
    for kind, subject in sorted(decision.cleared):
        if counts(subject) and kind not in _NOT_DECIDED:
            words = f"exception {kind} should be closed"
            yield Problem(subject, words, REOPEN, "exception_left")
