"""How are facts kept? As canonical JSON, with columns beside it that others may read.

`load` brings everything that is known around the objects of a batch; `store` writes the rows that differ.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, TypeVar

import msgspec
from sqlalchemy import ColumnElement, Select, Table, literal_column, or_, select, union_all

from reconciler.core.facts import (
    DisputeFacts,
    PaymentFacts,
    RefundFacts,
    SessionFacts,
    TransactionFacts,
)
from reconciler.core.known import Known
from reconciler.core.observation import (
    ChargeSeen,
    DisputeSeen,
    ForeignSeen,
    IntentSeen,
    Observation,
    ReferenceKind,
    RefundSeen,
    SessionSeen,
    TransactionSeen,
    moment,
)
from reconciler.core.words import dispute_word, refund_word
from reconciler.db import tables
from reconciler.db.members import one_of_those
from reconciler.db.prepared import Row, read
from reconciler.db.rows import upsert
from reconciler.db.session import Tx

T = TypeVar("T")


def encode(record: Any) -> str:
    """Canonical JSON of facts or of a projection: equal records give equal text."""
    plain = msgspec.to_builtins(record, str_keys=True, order="deterministic")
    return msgspec.json.encode(plain).decode()


def decode(text: str, kind: type[T]) -> T:
    """The record that `encode` wrote."""
    return msgspec.json.decode(text, type=kind)


class Keys:
    """Which objects a batch of evidence speaks of, and what they name."""

    def __init__(
        self,
        observations: Iterable[Observation],
        payment_ids: Iterable[str],
        objects: Mapping[str, Iterable[str]],
    ) -> None:
        self.payments: set[str] = set()
        self.charges: set[str] = set()
        self.refunds: set[str] = set()
        self.disputes: set[str] = set()
        self.sessions: set[str] = set()
        self.transactions: set[str] = set()
        for id_ in payment_ids:
            # A Session that asked for no money names an invoice as a payment does, and is none.
            (self.sessions if id_.startswith("cs_") else self.payments).add(id_)
        for name, ids in objects.items():
            getattr(self, name).update(ids)
        for each in observations:
            self._add(each.projection)

    def _add(self, seen: object) -> None:
        match seen:
            case IntentSeen() | ForeignSeen():
                self.payments.add(seen.id)
            case ChargeSeen():
                self.payments.add(seen.intent or seen.id)
                self.charges.add(seen.id)
            case RefundSeen():
                self.refunds.add(seen.id)
                self._name(seen.intent, seen.charge)
            case DisputeSeen():
                self.disputes.add(seen.id)
                self._name(seen.intent, seen.charge)
            case SessionSeen():
                self.sessions.add(seen.id)
                self._name(seen.intent, None)
            case TransactionSeen():
                self.transactions.add(seen.id)
                # Fees have no source: they would all be found by having none.
                if seen.source:
                    self.charges.add(seen.source)
                    self.refunds.add(seen.source)
                    self.disputes.add(seen.source)

    def _name(self, intent: str | None, charge: str | None) -> None:
        if intent:
            self.payments.add(intent)
        if charge:
            self.charges.add(charge)


def load(
    tx: Tx,
    observations: Iterable[Observation],
    payment_ids: Iterable[str] = (),
    objects: Mapping[str, Iterable[str]] = MappingProxyType({}),
) -> Known:
    """Read all that is known around the observed objects; a fixed number of statements, whatever the batch.

    `objects` are ids of others that are asked for: of "refunds", "disputes", "sessions", "transactions" or "charges".

    An object that is found by its charge may belong to a payment that nobody named. Its payment is then read too, because
    a book with half of its facts would be decided as if the other half were not true.
    """
    seen, wanted = tuple(observations), set(payment_ids)
    while True:
        known = _load_once(tx, Keys(seen, wanted, objects))
        owners = {known.owner_of(id_) for id_ in _around(known)} - {None}
        unread = {id_ for id_ in owners if id_ is not None} - known.payments.keys() - wanted
        if not unread:
            return known
        wanted |= unread


def _around(known: Known) -> list[str]:
    return [*known.refunds, *known.disputes, *known.sessions, *known.transactions]


def _load_once(tx: Tx, keys: Keys) -> Known:
    for name, asked in _OWNERS.items():
        keys.payments |= _owners(tx, asked, getattr(keys, name))
    payments = {
        id_: decode(facts, PaymentFacts) for id_, facts in read(tx, _PAYMENTS, ids=keys.payments)
    }
    owners = {charge: id_ for id_, facts in payments.items() for charge in facts.charges}
    keys.charges |= owners.keys()
    found: dict[str, dict[str, Any]] = {each.name: {} for each in AROUND}
    ids = vars(keys)
    for name, id_, facts in read(tx, _OBJECTS, **ids):
        found[name][id_] = decode(facts, _KINDS[name])
    # The money of a refund or a dispute may have been told before the object itself.
    sources = {*keys.charges, *keys.refunds, *keys.disputes, *found["refunds"], *found["disputes"]}
    for name, id_, facts in read(tx, _TRANSACTIONS, **ids, sources=sources):
        found[name][id_] = decode(facts, _KINDS[name])
    return Known(payments=payments, owners=owners, **found)


def _owners(tx: Tx, asked: Select[Any], ids: set[str]) -> set[str]:
    found = read(tx, asked, ids=ids) if ids else ()
    return {owner for (owner,) in found if owner is not None}


def store_around(tx: Tx, before: Known, after: Known) -> None:
    """Write refunds, disputes, Sessions and balance transactions that differ, or whose payment became known."""
    for each in AROUND:
        upsert(tx, each.table, _changed(before, after, each))


def _changed(before: Known, after: Known, kind: "Around") -> list[Row]:
    old, new = getattr(before, kind.name), getattr(after, kind.name)
    return [
        {"id": id_, "payment_id": after.owner_of(id_), **kind.columns(each), "facts": encode(each)}
        for id_, each in sorted(new.items())
        if old.get(id_) != each or before.owner_of(id_) != after.owner_of(id_)
    ]


def _refund(facts: RefundFacts) -> Row:
    return {
        "charge_id": min(facts.charges, default=None),
        "status": refund_word(facts),
        "currency": min(facts.currencies, default=""),
        "amount": max(facts.amounts, default=0),
        "stripe_created_at": _at(facts.created_ms),
    }


def _dispute(facts: DisputeFacts) -> Row:
    return {
        "charge_id": min(facts.charges, default=None),
        "status": dispute_word(facts),
        "reason": min(facts.reasons, default=""),
        "currency": min(facts.currencies, default=""),
        "amount": max(facts.amounts, default=0),
        "respond_by": _at(facts.respond_by_ms),
        "stripe_created_at": _at(facts.created_ms),
    }


def _session(facts: SessionFacts) -> Row:
    named = {each.kind: each.value for each in sorted(facts.references)}
    return {
        "payment_status": max(facts.payment_statuses - {"unpaid"}, default="unpaid"),
        "client_reference_id": named.get(ReferenceKind.CLIENT_REFERENCE),
        "payment_link_id": named.get(ReferenceKind.PAYMENT_LINK),
        "amount_total": facts.total.amount_minor if facts.total else None,
        "currency": facts.total.currency if facts.total else None,
        "stripe_created_at": _at(facts.created_ms),
    }


def _transaction(facts: TransactionFacts) -> Row:
    seen = facts.value
    return {
        "source_id": seen.source,
        "type": seen.type,
        "reporting_category": seen.category,
        "currency": seen.currency,
        "amount": seen.amount_minor,
        "fee": seen.fee_minor,
        "net": seen.net_minor,
        "exchange_rate": seen.exchange_rate,
        "created": moment(seen.created_ms),
        "available_on": moment(seen.available_on_ms),
    }


@dataclass(frozen=True, slots=True)
class Around:
    """A kind of object around a payment: its name in `Known`, its table, its facts, and the columns made of them."""

    name: str
    table: Table
    kind: Any
    columns: Callable[[Any], Row]


AROUND: Final = (
    Around("refunds", tables.refunds, RefundFacts, _refund),
    Around("disputes", tables.disputes, DisputeFacts, _dispute),
    Around("sessions", tables.checkout_sessions, SessionFacts, _session),
    Around("transactions", tables.balance_transactions, TransactionFacts, _transaction),
)
_KINDS: Final = {each.name: each.kind for each in AROUND}


def _owners_asked(column: ColumnElement[str], owner: ColumnElement[Any]) -> Select[Any]:
    return select(owner).where(one_of_those(column, "ids"))


def _objects_asked(name: str, table: Table, *more: ColumnElement[bool]) -> Select[Any]:
    mine = or_(one_of_those(table.c.id, name), one_of_those(table.c.payment_id, "payments"), *more)
    return select(literal_column(f"'{name}'").label("name"), table.c.id, table.c.facts).where(mine)


_PAYMENTS: Final = select(tables.payments.c.id, tables.payments.c.facts).where(
    one_of_those(tables.payments.c.id, "ids")
)
_OWNERS: Final = {
    **{each.name: _owners_asked(each.table.c.id, each.table.c.payment_id) for each in AROUND},
    "charges": _owners_asked(
        tables.payment_references.c.value, tables.payment_references.c.payment_id
    ).where(tables.payment_references.c.kind == ReferenceKind.CHARGE.value),
}
_OBJECTS: Final = union_all(
    *(
        _objects_asked(name, table, one_of_those(table.c.charge_id, "charges"))
        for name, table in (("refunds", tables.refunds), ("disputes", tables.disputes))
    ),
    _objects_asked("sessions", tables.checkout_sessions),
)
_TRANSACTIONS: Final = _objects_asked(
    "transactions",
    tables.balance_transactions,
    one_of_those(tables.balance_transactions.c.source_id, "sources"),
)


def _at(at_ms: int | None) -> datetime | None:
    return moment(at_ms) if at_ms is not None else None
