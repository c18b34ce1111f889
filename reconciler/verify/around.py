"""Is each refund, dispute, Session and balance transaction what its facts make of it, at the payment that it belongs to?"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from reconciler.core.known import Known
from reconciler.db import facts
from reconciler.db.audits import pages
from reconciler.db.facts import Around
from reconciler.db.session import Tx
from reconciler.verify.deciding import about, decide_again, exceptions_of
from reconciler.verify.findings import Problem
from reconciler.verify.scope import Scope, fold_again
from reconciler.verify.walking import Check


def check_around(kind: Around) -> Check:
    """The check of one kind of object."""

    def check(tx: Tx, ids: Sequence[str], scope: Scope) -> Iterator[Problem]:
        rows = pages.rows_of(tx, kind.table, ids)
        own = {id_: facts.decode(row["facts"], kind.kind) for id_, row in rows.items()}
        known = facts.load(tx, [], (), {kind.name: ids, **_named(kind.name, own)})
        unowned = []
        for id_, row in sorted(rows.items()):
            yield from _row(known, kind, row, own[id_])
            if known.owner_of(id_) is None:
                unowned.append(id_)
        alone = Known(**{kind.name: {id_: own[id_] for id_ in unowned}})
        yield from _waiting(tx, kind, alone)
        if kind.name == "sessions":
            yield from _waived(tx, alone, scope)
        if scope.rebuild and unowned:
            # Those of a payment were folded with it.
            yield from fold_again(tx, alone)

    return check


def _named(name: str, own: Mapping[str, Any]) -> dict[str, set[str]]:
    """What these objects name besides PaymentIntents: charges, and what a balance transaction may have moved money for."""
    if name == "sessions":
        return {}
    if name == "transactions":
        sources = {each.value.source for each in own.values() if each.value.source}
        return {"charges": sources, "refunds": sources, "disputes": sources}
    return {"charges": {charge for each in own.values() for charge in each.charges}}


def _row(known: Known, kind: Around, row: Mapping[str, Any], own: Any) -> Iterator[Problem]:
    id_ = row["id"]
    wrong = sorted(name for name, value in kind.columns(own).items() if row[name] != value)
    if wrong:
        what = f"its columns differ from its facts: {', '.join(wrong)}"
        yield Problem(id_, what, check="columns")
    owner = known.owner_of(id_)
    if row["payment_id"] != owner:
        at = row["payment_id"] or "no payment"
        yield Problem(id_, f"it is kept at {at}, and belongs to {owner or 'none'}", check="owner")
    elif owner is not None and owner not in known.payments:
        yield Problem(id_, f"its payment {owner} is not in the books", check="owner_missing")


def _waiting(tx: Tx, kind: Around, alone: Known) -> Iterator[Problem]:
    """What names only a charge waits until that is read: somebody must have been asked to."""
    named = {
        id_: {each for each in charges if each.startswith(("ch_", "py_"))}
        for id_, charges in _charges(kind.name, alone)
    }
    asked = pages.asked_for(tx, {each for charges in named.values() for each in charges})
    for id_, charges in sorted(named.items()):
        if charges and not charges & asked:
            what = f"it waits for {', '.join(sorted(charges))}, which nobody will read"
            mend = "`reconciler reconcile` for its day reads it"
            yield Problem(id_, what, mend, "waiting")


def _charges(name: str, alone: Known) -> Iterator[tuple[str, frozenset[str]]]:
    if name == "transactions":
        for id_, each in alone.transactions.items():
            yield id_, frozenset({each.value.source})
    elif name != "sessions":
        for id_, facts_ in getattr(alone, name).items():
            yield id_, facts_.charges


def _waived(tx: Tx, alone: Known, scope: Scope) -> Iterator[Problem]:
    """A Session that asked for no money makes the one invoice that it names paid; no payment tells of it."""
    decision, ledger = decide_again(tx, alone, frozenset(), scope)
    around = {id_ for found in decision.waivers.values() for id_ in found}
    around |= {id_ for id_, holders in ledger.waivers.items() if holders & alone.sessions.keys()}
    found = [
        *(
            Problem(id_, f"should waive {', '.join(sorted(ids)) or 'nothing'}", check="waiver")
            for id_, ids in sorted(decision.waivers.items())
        ),
        *(each for change in decision.invoices for each in about(change, ledger)),
        *exceptions_of(decision, lambda subject: subject not in ledger.standings),
    ]
    yield from scope.unless_awaited(tx, found, around)
