"""Given what was known and what is known now: what changes, and what follows from the change?

`decide` reads no clock and writes nothing. It returns data that a thin shell writes in one transaction: new statuses and
sums, allocations, the three columns of the app's invoices, audit rows, notices, exceptions and fetches.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from reconciler.core import exceptions, invoice_findings, milestones
from reconciler.core.audit import InvoiceChange, PaymentChange, Transition, transitions
from reconciler.core.directory import Directory, directory
from reconciler.core.exceptions import Finding
from reconciler.core.facts import SessionFacts
from reconciler.core.invoice import (
    Claims,
    Invoice,
    InvoiceStatus,
    InvoiceWrite,
    Share,
    Written,
    settle,
    take_back,
    write_for,
)
from reconciler.core.ledger import Ledger, Rules, Standing, invoices_held_by
from reconciler.core.matching import Rule, match
from reconciler.core.notice import Notice
from reconciler.core.payment import Book, active_references, summarise
from reconciler.core.sharing import shares


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Everything that follows; an empty one means that nothing was new."""

    payments: tuple[PaymentChange, ...] = ()
    invoices: tuple[InvoiceChange, ...] = ()
    waivers: Mapping[str, frozenset[str]] = field(default_factory=dict)
    transitions: tuple[Transition, ...] = ()
    notices: tuple[Notice, ...] = ()
    opened: tuple[Finding, ...] = ()
    cleared: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What the evidence touched: books before and after, waived Sessions, and invoices that were seen."""

    before: Mapping[str, Book]
    after: Mapping[str, Book]
    waived_sessions: Mapping[str, SessionFacts] = field(default_factory=dict)
    invoices_seen: frozenset[str] = frozenset()


def decide(change: Change, ledger: Ledger, rules: Rules, now_ms: int) -> Decision:
    """Decide everything that follows from a change of facts, of decisions or of invoices."""
    named = directory(ledger.invoices.values())
    payments = tuple(_payment(book, change.before, ledger, named) for book in change.after.values())
    waivers = _waivers(change, named)
    invoices = tuple(_invoices(change, payments, waivers, ledger, rules))
    findings = {(f.kind.value, f.subject): f for f in _findings(payments, invoices, ledger, rules)}
    subjects = _subjects(payments, invoices)
    gone = subjects & ledger.standings.keys() - ledger.invoices.keys()
    return Decision(
        payments=tuple(each for each in payments if each.is_changed or each.is_moved),
        invoices=tuple(each for each in invoices if each.is_changed),
        waivers={
            id_: found
            for id_, found in waivers.items()
            if found != invoices_held_by(id_, ledger.waivers)
        },
        transitions=tuple(transitions(change.before, payments, invoices, ledger)),
        notices=milestones.fresh(
            tuple(milestones.reached(change.before, payments, invoices, ledger)), rules, now_ms
        ),
        opened=tuple(_opened(findings, ledger)),
        cleared=frozenset(
            key
            for key in (*ledger.open_exceptions, *ledger.resolved)
            if key[1] in subjects and key not in findings
            # What a person has seen to is seen to when the row comes back.
            if not (key in ledger.resolved and key[1] in gone)
        ),
    )


def _payment(
    book: Book, before: Mapping[str, Book], ledger: Ledger, named: Directory
) -> PaymentChange:
    summary = summarise(book)
    stored = sorted(ledger.allocations.get(book.id, ()), key=lambda each: each.invoice_id)
    assignment = ledger.assignments.get(book.id)
    found = match(summary, active_references(book), named, assignment, stored)
    claimed, rivals = (invoices_held_by(book.id, each) for each in (ledger.claims, ledger.rivals))
    wanted = sorted(found.allocations, key=lambda each: each.invoice_id)
    return PaymentChange(
        book=book,
        summary=summary,
        match=found,
        is_changed=before.get(book.id) != book,
        is_moved=stored != wanted or claimed != found.claimed or rivals != found.rivals,
        before=before.get(book.id),
    )


def _waivers(change: Change, called: Directory) -> dict[str, frozenset[str]]:
    """Each Session that asked for no money, with the one invoice that its names agree on."""
    waivers = {}
    for session_id, session in change.waived_sessions.items():
        named = [called.named(each) for each in session.names]
        agreed = frozenset(id_ for found in named for id_ in found)
        waivers[session_id] = agreed if len(agreed) == 1 else frozenset()
    return waivers


def invoices_around(change: PaymentChange, ledger: Ledger) -> frozenset[str]:
    """The invoices that a payment touches: where its money goes, where it was, and those that it is at odds about."""
    id_, found = change.book.id, change.match
    placed = (*found.allocations, *ledger.allocations.get(id_, ()))
    claimed = found.claimed | invoices_held_by(id_, ledger.claims)
    return claimed | {each.invoice_id for each in placed}


def _touched(
    change: Change,
    payments: Iterable[PaymentChange],
    waivers: Mapping[str, frozenset[str]],
    ledger: Ledger,
) -> frozenset[str]:
    touched = set(change.invoices_seen)
    for each in payments:
        touched |= invoices_around(each, ledger)
    for session_id, found in waivers.items():
        touched |= found | invoices_held_by(session_id, ledger.waivers)
    return frozenset(touched)


def _invoices(
    change: Change,
    payments: tuple[PaymentChange, ...],
    waivers: Mapping[str, frozenset[str]],
    ledger: Ledger,
    rules: Rules,
) -> Iterator[InvoiceChange]:
    by_invoice = _shares(payments, ledger)
    unassigned = _taken_by_a_person(payments, ledger)
    ids = {each.book.id for each in payments}
    claimed = {id_ for each in payments for id_ in each.match.claimed}
    for id_ in sorted(_touched(change, payments, waivers, ledger)):
        if id_ not in ledger.invoices:
            yield from _gone(ledger.standings.get(id_))
            continue
        invoice = ledger.invoices[id_]
        claims = Claims(
            in_conflict=bool(ledger.claims.get(id_, frozenset()) - ids) or id_ in claimed,
            waived=bool(ledger.waivers.get(id_, frozenset()) - waivers.keys())
            or any(id_ in found for found in waivers.values()),
        )
        own = by_invoice.get(id_, ())
        is_named = own or claims.in_conflict or claims.waived or invoice.names_stripe
        if is_named or id_ in ledger.standings:
            yield _invoice(invoice, own, claims, ledger, rules, taken=id_ in unassigned)


def _gone(stored: Standing | None) -> Iterator[InvoiceChange]:
    """An invoice whose row is no more holds nothing; what we wrote to it is remembered, for it may come back."""
    if stored is None:
        return
    nothing = replace(
        stored.settlement,
        received_minor=0,
        refunded_minor=0,
        refund_pending_minor=0,
        disputed_minor=0,
        payment_status=InvoiceStatus.UNPAID,
        paid=None,
    )
    standing = replace(stored, settlement=nothing, word=None)
    yield InvoiceChange(standing=standing, shares=(), write=None, is_changed=standing != stored)


def _invoice(  # noqa: PLR0913 - one invoice with all that its settlement rests on
    invoice: Invoice,
    own: tuple[Share, ...],
    claims: Claims,
    ledger: Ledger,
    rules: Rules,
    *,
    taken: bool,
) -> InvoiceChange:
    stored = ledger.standings.get(invoice.id)
    settlement = settle(invoice, own, claims)
    written = stored.written if stored else Written()
    write, remembered = write_for(
        invoice, settlement, written, payable=rules.payable, waived=claims.waived
    )
    moved_away = taken and not settlement.is_covered and not claims.waived
    if moved_away:
        write, remembered = take_back(invoice, write, remembered)
    covered = stored.covered_due_minor if stored else None
    if settlement.is_covered and covered is None:
        covered = invoice.amount_due_minor
    if moved_away:
        covered = None
    standing = Standing(
        settlement=settlement, written=remembered, word=write.status, covered_due_minor=covered
    )
    differs = write != InvoiceWrite(
        invoice_id=invoice.id,
        status=invoice.status,
        payment_status=invoice.payment_status,
        paid_at=invoice.paid_at,
    )
    return InvoiceChange(
        standing=standing,
        shares=own,
        write=write if differs else None,
        is_changed=differs or standing != stored,
    )


def _taken_by_a_person(payments: Iterable[PaymentChange], ledger: Ledger) -> frozenset[str]:
    """The invoices from which a person's decision moved money away, or ended a conflict in which names had put them."""
    taken = set()
    for each in payments:
        if each.match.rule is not Rule.ASSIGNED:
            continue
        left = {share.invoice_id: share.amount_minor for share in each.match.allocations}
        for earlier in ledger.allocations.get(each.book.id, ()):
            if left.get(earlier.invoice_id, -1) < earlier.amount_minor:
                taken.add(earlier.invoice_id)
        # A conflict takes the money away before anybody decides, and leaves our word where it was.
        taken |= invoices_held_by(each.book.id, ledger.claims) - left.keys()
    return frozenset(taken)


def _shares(payments: Iterable[PaymentChange], ledger: Ledger) -> dict[str, tuple[Share, ...]]:
    """All shares of all invoices, of the payments at hand and of their siblings."""
    here = {each.book.id: (each.summary, each.match.allocations) for each in payments}
    there = {
        id_: (summary, ledger.allocations.get(id_, ()))
        for id_, summary in ledger.siblings.items()
        if id_ not in here
    }
    by_invoice: dict[str, tuple[Share, ...]] = {}
    for _, (summary, allocations) in sorted({**there, **here}.items()):
        for invoice_id, share in shares(summary, allocations).items():
            by_invoice[invoice_id] = (*by_invoice.get(invoice_id, ()), share)
    return by_invoice


def _findings(
    payments: tuple[PaymentChange, ...],
    invoices: Iterable[InvoiceChange],
    ledger: Ledger,
    rules: Rules,
) -> Iterator[Finding]:
    found: list[Finding] = []
    for change in payments:
        gone = {a.invoice_id for a in change.match.allocations} - ledger.invoices.keys()
        found += exceptions.of_payment(change.book, change.summary, change.match, gone)
    for each in invoices:
        id_ = each.standing.settlement.invoice_id
        invoice = ledger.invoices.get(id_)
        if invoice is None:
            continue
        # Judged as it will stand, not as it stood: this very decision may change its word.
        word = each.write.status if each.write is not None else invoice.status
        found += invoice_findings.of_invoice(
            replace(invoice, status=word),
            each.standing.settlement,
            each.shares,
            payable=rules.payable,
            history=invoice_findings.History(
                was_paid_by_us=each.standing.written.prior_status is not None,
                covered_due_minor=each.standing.covered_due_minor,
            ),
        )
    for finding in found:
        if not finding.is_old(rules.since_ms):
            yield finding


def _subjects(
    payments: Iterable[PaymentChange], invoices: Iterable[InvoiceChange]
) -> frozenset[str]:
    """Everything whose exceptions were computed anew, so that one that was not found again is over."""
    around = {
        id_ for each in payments for id_ in (each.book.id, *each.book.refunds, *each.book.disputes)
    }
    return frozenset(around | {each.standing.settlement.invoice_id for each in invoices})


def _opened(findings: Mapping[tuple[str, str], Finding], ledger: Ledger) -> Iterator[Finding]:
    for key, finding in findings.items():
        known = ledger.open_exceptions.get(key, ledger.resolved.get(key))
        if known != finding.fingerprint:
            yield finding
