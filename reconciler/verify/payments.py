"""Is each payment what its facts make of it, where it belongs, and named as its facts name it?"""

from collections.abc import Iterator, Mapping, Sequence

from reconciler.core.known import Known, books
from reconciler.core.payment import Book, Summary, summarise
from reconciler.db import facts
from reconciler.db import payments as payment_rows
from reconciler.db.audits import pages
from reconciler.db.session import Tx
from reconciler.verify.deciding import about, decide_again, exceptions_of
from reconciler.verify.findings import Problem
from reconciler.verify.scope import Scope, fold_again


def check_payments(tx: Tx, ids: Sequence[str], scope: Scope) -> Iterator[Problem]:
    """Check payments, with everything around them, as they stand at one moment."""
    known = facts.load(tx, [], ids)
    stored = payment_rows.summaries(tx, ids)
    all_books = books(known)
    yield from _columns(all_books, stored)
    yield from _names(tx, {id_: all_books[id_] for id_ in ids if id_ in all_books})
    allocated = pages.allocated_minor(tx, ids)
    for id_, amount_minor in sorted(allocated.items()):
        money = stored[id_].received_minor if id_ in stored else 0
        if amount_minor > money:
            yield Problem(
                id_, f"{amount_minor} is allocated of {money} received", check="overdrawn"
            )
    yield from _placed(tx, known, scope)
    yield from _unobserved(tx, all_books)
    if scope.rebuild:
        yield from fold_again(tx, known)


def _columns(all_books: Mapping[str, Book], stored: Mapping[str, Summary]) -> Iterator[Problem]:
    for id_, book in all_books.items():
        if id_ in stored and (again := summarise(book)) != stored[id_]:
            names = (
                each
                for each in again.__slots__
                if getattr(again, each) != getattr(stored[id_], each)
            )
            what = f"its columns differ from its facts: {', '.join(sorted(names))}"
            yield Problem(id_, what, check="columns")


def _names(tx: Tx, all_books: Mapping[str, Book]) -> Iterator[Problem]:
    """A name that is lost is never found again by an invoice, or by what names only a charge."""
    stored = pages.references_of(tx, all_books)
    for id_, book in all_books.items():
        lost = payment_rows.references_of(book) - stored.get(id_, frozenset())
        strange = {
            value
            for kind, value in stored.get(id_, frozenset())
            if kind == "charge" and value not in book.facts.charges
        }
        if lost:
            what = f"{len(lost)} of the names that it carries are not stored"
            yield Problem(id_, what, check="names")
        for charge in sorted(strange):
            yield Problem(id_, f"charge {charge} is stored as its own, and is not", check="names")


def _placed(tx: Tx, known: Known, scope: Scope) -> Iterator[Problem]:
    decision, ledger = decide_again(tx, known, frozenset(), scope)
    involved = {
        *(id_ for each in decision.payments for id_ in each.match.named),
        *(a.invoice_id for each in decision.payments for a in each.match.allocations),
        *(
            a.invoice_id
            for each in decision.payments
            for a in ledger.allocations.get(each.book.id, ())
        ),
    }
    found = [
        *(
            Problem(each.book.id, f"belongs elsewhere: {each.match.rule.value}", check="placed")
            for each in decision.payments
        ),
        # What is settled is checked with the invoices; what never was is found here alone.
        *(each for change in decision.invoices for each in about(change, ledger)),
        *(
            Problem(id_, f"should waive {', '.join(sorted(found)) or 'nothing'}", check="waiver")
            for id_, found in sorted(decision.waivers.items())
        ),
        *exceptions_of(decision, lambda subject: subject not in ledger.standings),
    ]
    yield from scope.unless_awaited(tx, found, involved)


def _unobserved(tx: Tx, all_books: Mapping[str, Book]) -> Iterator[Problem]:
    """A payment, a refund or a dispute of which nobody ever told was made up."""
    named = {
        id_: {
            id_,
            *book.facts.charges,
            *book.refunds,
            *book.disputes,
            *book.sessions,
            *book.transactions,
        }
        for id_, book in all_books.items()
    }
    told = pages.observed(tx, {each for ids in named.values() for each in ids})
    for id_, ids in named.items():
        if not ids & told:
            yield Problem(id_, "nothing was ever observed of it", check="unobserved")
        book = all_books[id_]
        for each in sorted({*book.refunds, *book.disputes} - told):
            yield Problem(each, "nothing was ever observed of it", check="unobserved")
