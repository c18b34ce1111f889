"""What does a person need to know to decide about an exception? The facts at hand, gathered and told in plain words."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

from reconciler.apply import Policy
from reconciler.cli.lines import words_of
from reconciler.cli.meanings import MEANINGS
from reconciler.cli.output import cell, details, money, say, say_wrapped, table
from reconciler.core.candidates import Candidate, Reason, Wanted, rank
from reconciler.core.exceptions import ExceptionKind
from reconciler.core.matching import PAYER_CONTROLLED, Rule
from reconciler.core.observation import Reference, ReferenceKind
from reconciler.db import exceptions, queries
from reconciler.db.prospects import prospects
from reconciler.db.session import Tx

Story = dict[str, Any]

CANDIDATES_MAX: Final = 10
_WITHOUT_PLACE: Final = {ExceptionKind.UNMATCHED_PAYMENT, ExceptionKind.CONFLICTING_REFERENCES}
_SUMS: Final = ("received", "refunded", "disputed", "net")
_NOT_BORNE_OUT: Final = "it names an invoice of another amount or currency: that proves nothing."
_KINDS: Final = MappingProxyType(
    {
        ReferenceKind.PAYMENT_INTENT: "the id of the payment that is stored on it",
        ReferenceKind.CHECKOUT_SESSION: "the Checkout Session that is stored on it",
        ReferenceKind.METADATA: "metadata",
        ReferenceKind.FROZEN_METADATA: "metadata",
        ReferenceKind.SESSION_METADATA: "metadata of the Checkout Session",
        ReferenceKind.FROZEN_SESSION_METADATA: "metadata of the Checkout Session",
        ReferenceKind.CLIENT_REFERENCE: "client_reference_id",
        ReferenceKind.PAYMENT_LINK: "the Payment Link",
    }
)
"""What each kind of name is called."""


_FROM_THE_GONE: Final = (
    "Its invoice is gone: take the payment back from it (unassign), then assign it to another one."
)


def gather(tx: Tx, policy: Policy, row: Mapping[str, Any]) -> Story:
    """Everything about an exception: its payment, the object behind it, its invoices, candidates, decisions."""
    kind, subject = ExceptionKind(row["kind"]), row["subject"]
    object_ = exceptions.behind(tx, subject)
    payment = exceptions.payment(tx, object_["payment_id"] or "" if object_ else subject)
    payment_ids = {payment["id"]} if payment else set()
    places = queries.payment(tx, payment["id"]) if payment else None
    held = places["allocations"] if places else []
    invoice_ids = {each["invoice_id"] for each in held} | {subject}
    invoices = [_invoice(tx, policy, each) for each in sorted(invoice_ids)]
    known = [each for each in invoices if each is not None]
    payment_ids |= {each["payment_id"] for one in known for each in one["payments"]}
    people = {subject, *payment_ids, *(each["id"] for each in known)}
    there = {each["id"] for each in known}
    held = [{**each, "is_gone": each["invoice_id"] not in there} for each in held]
    is_gone = any(each["is_gone"] for each in held)
    return {
        **row,
        "means": MEANINGS[kind].words,
        "mend": _FROM_THE_GONE if is_gone else MEANINGS[kind].mend,
        "object": object_,
        "payment": payment and {**payment, "allocations": held},
        "invoices": known,
        "candidates": _candidates(tx, policy, row, payment) if kind in _WITHOUT_PLACE else [],
        "decisions": exceptions.decisions(tx, people),
    }


def _invoice(tx: Tx, policy: Policy, id_: str) -> Story | None:
    found = invoice_row(tx, policy, id_)
    if found is None:
        return None
    return {
        **found,
        "settlement": queries.settlement(tx, id_),
        "payments": queries.allocations_of_invoice(tx, id_),
        "claims": queries.claims_of_invoice(tx, id_),
    }


def invoice_row(tx: Tx, policy: Policy, id_: str) -> Story | None:
    """An invoice by its id, in our words; None if it is not there, or can't be reckoned with."""
    try:
        found = queries.invoice(tx, id_, policy.invoices)
    except ValueError:
        return None
    if found is None or found["id"] != id_:
        return None
    names = ("id", "number", "customer_email", "currency", "amount_due", "status")
    return {name: found[name] for name in (*names, "payment_status", "paid_at")}


def _candidates(
    tx: Tx, policy: Policy, row: Mapping[str, Any], payment: Mapping[str, Any] | None
) -> list[Story]:
    if payment is None:
        return []
    names = {
        Reference(ReferenceKind(each["kind"]), each["value"]) for each in payment["references"]
    }
    names.add(Reference(ReferenceKind.PAYMENT_INTENT, payment["id"]))
    wanted = Wanted(
        amount_minor=row["amount"] or 0,
        currency=payment["currency"],
        at=payment["paid_at"] or payment["stripe_created_at"],
        email=payment["customer_email"],
        references=frozenset(names),
    )
    pool = prospects(tx, policy.invoices, policy.rules.payable, wanted)
    return [_candidate(each) for each in rank(wanted, pool, limit=CANDIDATES_MAX)]


def _candidate(each: Candidate) -> Story:
    invoice = each.prospect.invoice
    return {
        "id": invoice.id,
        "number": invoice.number,
        "currency": invoice.currency,
        "amount_due": invoice.amount_due_minor,
        "missing": each.prospect.missing_minor,
        "status": invoice.status,
        "reasons": [reason.value for reason in each.reasons],
        "named_by": sorted(each.named_by),
        "why": "; ".join(_words(reason, each) for reason in each.reasons),
    }


def _words(reason: Reason, candidate: Candidate) -> str:
    apart = candidate.apart
    if reason is Reason.NAMED:
        return f"named by {_called(candidate.named_by)}"
    if reason is Reason.CLOSE_IN_TIME and apart is not None:
        side = "before" if apart >= timedelta() else "after"
        return f"made {words_of(abs(apart))} {side} the payment"
    return {
        Reason.SAME_AMOUNT: "same amount and currency",
        Reason.SAME_EMAIL: "same e-mail",
        Reason.SAME_LINK: "same Payment Link",
        Reason.LOOK_ALIKE: "its number looks like what was typed",
        Reason.CLOSE_IN_TIME: "close in time",
    }[reason]


def _called(kinds: Iterable[ReferenceKind]) -> str:
    return " and ".join(sorted({_KINDS[each] for each in kinds}))


def tell(story: Mapping[str, Any]) -> None:
    """Say it all."""
    say(f"Exception {story['id']}: {story['kind']}, {story['state']}.")
    say_wrapped(story["means"])
    if story["fingerprint"].endswith(Rule.NOT_BORNE_OUT):
        say_wrapped(f"By {_of_payer(story)}, which the payer controls, {_NOT_BORNE_OUT}")
    say()
    details(dict(_facts(story)))
    for each in story["invoices"]:
        say()
        details(dict(_of_invoice(each)))
    if story["candidates"]:
        _tell_candidates(story["candidates"])
    if story["decisions"]:
        say()
        tell_decisions(story["decisions"])
    if story["state"] == exceptions.OPEN:
        say()
        _tell_ways(story)


def _of_payer(story: Mapping[str, Any]) -> str:
    """By what an invoice is named that the payer could have chosen."""
    named = {ReferenceKind(kind) for each in story["candidates"] for kind in each["named_by"]}
    by_link = [each for each in story["candidates"] if Reason.SAME_LINK in each["reasons"]]
    # A Payment Link of several invoices names none.
    named |= {ReferenceKind.PAYMENT_LINK} if len(by_link) == 1 else set()
    return _called(named & PAYER_CONTROLLED or PAYER_CONTROLLED)


def _facts(story: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    object_, payment = story["object"], story["payment"]
    yield "subject", story["subject"]
    if story["amount"] is not None:
        yield "amount", money(story["amount"], story["currency"])
    yield "since", story["stripe_at"] or story["opened_at"]
    if story["count"] > 1:
        yield "times", story["count"]
    if not (payment or object_ or story["invoices"]):
        yield "because", story["fingerprint"]
    if story["kind"] == ExceptionKind.CONFLICTING_FACTS:
        yield "because", story["fingerprint"]
    if story["state"] == exceptions.RESOLVED:
        yield "resolved", f"{cell(story['closed_at'])} by {story['resolved_by']}: {story['reason']}"
    if object_:
        yield object_["kind"], f"{object_['id']}, {object_['status']}"
        yield "its amount", money(object_["amount"], object_["currency"])
        if object_["kind"] == "dispute":
            yield "its reason", object_["reason"] or "-"
            yield "answer by", object_["respond_by"]
    if payment:
        yield from _of_payment(payment)


def _of_payment(payment: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    currency = payment["currency"]
    foreign = ", of another product or shop" if payment["is_foreign"] else ""
    yield "payment", f"{payment['id']}, {payment['status']}{foreign}"
    at = f" on {cell(payment['paid_at'])}" if payment["paid_at"] else ""
    yield "received", money(payment["amount_received"], currency) + at
    for name in ("refunded", "disputed"):
        if payment[f"amount_{name}"]:
            yield name, money(payment[f"amount_{name}"], currency)
    yield "payer", payment["customer_email"] or "-"
    names = [f"{each['kind']} {each['value']}" for each in payment["references"]]
    yield "it names", "; ".join(names) or "-"
    for each in payment["allocations"]:
        gone = ", which is gone or left out by your filter" if each["is_gone"] else ""
        amount = money(each["amount"], currency)
        yield "it pays", f"{amount} of {each['invoice_id']}{gone} ({why(each)})"


def _of_invoice(invoice: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    currency, settled = invoice["currency"], invoice["settlement"]
    yield "invoice", name_of(invoice)
    yield "due", money(invoice["amount_due"], currency)
    yield "status", f"{invoice['status']}, {invoice['payment_status'] or 'no payment'}"
    if settled:
        yield from ((name, money(settled[name], currency)) for name in _SUMS)
    for each in invoice["payments"]:
        amount = money(each["amount"], each["currency"])
        yield f"paid by {each['payment_id']}", f"{amount}, {each['status']} ({why(each)})"
    for each in invoice["claims"]:
        yield f"named by {each['holder_id']}", each["kind"]


def name_of(invoice: Mapping[str, Any]) -> str:
    """An invoice as people call it, with its id where that is another one."""
    number, id_ = invoice["number"], invoice["id"]
    return f"{number} (id {id_})" if number and number != id_ else str(id_)


def why(allocation: Mapping[str, Any]) -> str:
    """The rule by which money is where it is, and of a person's decision who and why."""
    if not allocation["decided_by"]:
        return str(allocation["rule"])
    at = cell(allocation["decided_at"])
    return f"{allocation['rule']} by {allocation['decided_by']} at {at}: {allocation['reason']}"


def _tell_candidates(candidates: Iterable[Mapping[str, Any]]) -> None:
    say()
    say("Invoices that may be meant; none is assigned by itself:")
    table(
        ("invoice", "missing", "status", "why"),
        (
            (name_of(each), money(each["missing"], each["currency"]), each["status"], each["why"])
            for each in candidates
        ),
        empty="",
        whole="invoice",
    )


def tell_decisions(decisions: Iterable[Mapping[str, Any]]) -> None:
    """Say what people have decided, in order."""
    say("Decided so far:")
    for each in decisions:
        what = (
            f"{each['field']} {each['new']}" if each["subject_kind"] == "exception" else each["new"]
        )
        say_wrapped(f"{cell(each['at'])}  {each['subject_id']}: {what} ({each['rule']})", "  ")


def _tell_ways(story: Mapping[str, Any]) -> None:
    say_wrapped(story["mend"])
    if story["kind"] in _WITHOUT_PLACE:
        say(f'reconciler exceptions assign {story["subject"]} INVOICE --reason "..."')
    say(f'reconciler exceptions resolve {story["id"]}@{story["tag"]} --reason "..."')
