"""How are facts kept? As canonical JSON, with columns beside it that others may read.

`load` brings everything that is known around the objects of a batch; `store` writes the rows that differ.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, TypeVar

import msgspec
from sqlalchemy import Table, select

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
from reconciler.db.members import among, one_of
from reconciler.db.rows import Row, upsert
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
    for table, ids in (
        (tables.refunds, keys.refunds),
        (tables.disputes, keys.disputes),
        (tables.checkout_sessions, keys.sessions),
        (tables.balance_transactions, keys.transactions),
    ):
        keys.payments |= _owners(tx, table, ids)
    keys.payments |= _owners_of_charges(tx, keys.charges)
    payments = _load(tx, tables.payments, PaymentFacts, (tables.payments.c.id, keys.payments))
    owners = {charge: id_ for id_, facts in payments.items() for charge in facts.charges}
    keys.charges |= owners.keys()
    refunds = _load_around(tx, tables.refunds, RefundFacts, keys, keys.refunds)
    disputes = _load_around(tx, tables.disputes, DisputeFacts, keys, keys.disputes)
    # The money of a refund or a dispute may have been told before the object itself.
    sources = {*keys.charges, *keys.refunds, *keys.disputes, *refunds, *disputes}
    moved = tables.balance_transactions.c
    return Known(
        payments=payments,
        refunds=refunds,
        disputes=disputes,
        sessions=_load(
            tx,
            tables.checkout_sessions,
            SessionFacts,
            (tables.checkout_sessions.c.id, keys.sessions),
            (tables.checkout_sessions.c.payment_id, keys.payments),
        ),
        transactions=_load(
            tx,
            tables.balance_transactions,
            TransactionFacts,
            (moved.id, keys.transactions),
            (moved.payment_id, keys.payments),
            (moved.source_id, sources),
        ),
        owners=owners,
    )


def _owners(tx: Tx, table: Table, ids: set[str]) -> set[str]:
    if not ids:
        return set()
    found = tx.scalars(select(table.c.payment_id).where(one_of(table.c.id, ids)))
    return {each for each in found if each is not None}


def _owners_of_charges(tx: Tx, charges: set[str]) -> set[str]:
    if not charges:
        return set()
    named = tables.payment_references.c
    return set(
        tx.scalars(
            select(named.payment_id).where(
                named.kind == ReferenceKind.CHARGE.value, one_of(named.value, charges)
            )
        )
    )


def _load_around(tx: Tx, table: Table, kind: type[T], keys: Keys, ids: set[str]) -> dict[str, T]:
    return _load(
        tx,
        table,
        kind,
        (table.c.id, ids),
        (table.c.payment_id, keys.payments),
        (table.c.charge_id, keys.charges),
    )


def _load(tx: Tx, table: Table, kind: type[T], *asked: tuple[Any, Iterable[str]]) -> dict[str, T]:
    condition = among(*asked)
    if condition is None:
        return {}
    rows = tx.execute(select(table.c.id, table.c.facts).where(condition))
    return {id_: decode(facts, kind) for id_, facts in rows}


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


def _at(at_ms: int | None) -> datetime | None:
    return moment(at_ms) if at_ms is not None else None
