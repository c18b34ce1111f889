"""How do observations about many objects become books, one around each payment?

Facts are stored by object. Some objects name only their charge, and a charge is known to belong to a payment only once it
was read: until then such a fact *waits*. Making a payment of it at once would count its money twice when the
PaymentIntent comes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from reconciler.core.facts import (
    DisputeFacts,
    Facts,
    PaymentFacts,
    RefundFacts,
    SessionFacts,
    TransactionFacts,
    lift,
)
from reconciler.core.lattice import merge
from reconciler.core.observation import ChargeSeen, Observation
from reconciler.core.payment import Book

T = TypeVar("T", bound=Facts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Facts by object id. `owners` maps the charges that we know to their payments."""

    payments: Mapping[str, PaymentFacts] = field(default_factory=dict)
    refunds: Mapping[str, RefundFacts] = field(default_factory=dict)
    disputes: Mapping[str, DisputeFacts] = field(default_factory=dict)
    sessions: Mapping[str, SessionFacts] = field(default_factory=dict)
    transactions: Mapping[str, TransactionFacts] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)

    def owner_of(self, object_id: str) -> str | None:
        """The payment that a charge, refund, dispute or Session belongs to; None while that is not known.

        A balance transaction belongs to whom its source does; one whose source is a balance transaction belongs to nobody.
        """
        if object_id in self.refunds:
            return self._named_by(self.refunds[object_id])
        if object_id in self.disputes:
            return self._named_by(self.disputes[object_id])
        if object_id in self.sessions:
            return min(self.sessions[object_id].intents, default=None)
        if object_id in self.transactions:
            source = self.transactions[object_id].value.source
            return None if source in self.transactions else self.owner_of(source)
        return self.owners.get(object_id)

    def _named_by(self, facts: RefundFacts | DisputeFacts) -> str | None:
        owners = (self.owners[each] for each in facts.charges if each in self.owners)
        return min(facts.intents, default=None) or min(owners, default=None)


def absorb(known: Known, observations: Iterable[Observation]) -> Known:
    """Merge what was observed into what is known; the order of the observations does not matter."""
    payments, refunds = dict(known.payments), dict(known.refunds)
    disputes, sessions = dict(known.disputes), dict(known.sessions)
    transactions, owners = dict(known.transactions), dict(known.owners)
    for observation in observations:
        seen = observation.projection
        match lift(observation):
            case PaymentFacts() as facts if isinstance(seen, ChargeSeen):
                owners[seen.id] = seen.intent or seen.id
                _join(payments, owners[seen.id], facts)
            case PaymentFacts() as facts:
                _join(payments, seen.id, facts)
            case RefundFacts() as facts:
                _join(refunds, seen.id, facts)
            case DisputeFacts() as facts:
                _join(disputes, seen.id, facts)
            case SessionFacts() as facts:
                _join(sessions, seen.id, facts)
            case TransactionFacts() as facts:
                _join(transactions, seen.id, facts)
    return replace(
        known,
        payments=payments,
        refunds=refunds,
        disputes=disputes,
        sessions=sessions,
        transactions=transactions,
        owners=owners,
    )


def _join(into: dict[str, T], id_: str, facts: T) -> None:
    into[id_] = merge(into[id_], facts) if id_ in into else facts


def books(known: Known) -> dict[str, Book]:
    """Gather everything that is known around each payment; a payment that others only name has an empty book."""
    refunds = _by_owner(known, known.refunds)
    disputes = _by_owner(known, known.disputes)
    sessions = _by_owner(known, known.sessions)
    transactions = _by_owner(known, known.transactions)
    ids = {*known.payments, *refunds, *disputes, *sessions, *transactions}
    return {
        id_: Book(
            id=id_,
            facts=known.payments.get(id_, PaymentFacts()),
            refunds=refunds.get(id_, {}),
            disputes=disputes.get(id_, {}),
            sessions=sessions.get(id_, {}),
            transactions=transactions.get(id_, {}),
        )
        for id_ in sorted(ids)
    }


def _by_owner(known: Known, objects: Mapping[str, T]) -> dict[str, dict[str, T]]:
    owned: dict[str, dict[str, T]] = {}
    for id_, facts in objects.items():
        owner = known.owner_of(id_)
        if owner is not None:
            owned.setdefault(owner, {})[id_] = facts
    return owned


def waived_sessions(known: Known) -> dict[str, SessionFacts]:
    """Sessions that asked for no money: zero money that names an invoice, without any PaymentIntent."""
    return {
        id_: facts
        for id_, facts in known.sessions.items()
        if "no_payment_required" in facts.payment_statuses and not facts.intents
    }
