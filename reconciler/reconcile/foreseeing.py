"""What would a run do, if it did anything?

The same reading, and the same decisions, without the door: what says something new is kept in mind, in few bytes, until all
of it is there. Then each payment is decided about once, together with all that touches the same invoices.
"""

import threading
import zlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final, TypeAlias

import msgspec

from reconciler.apply import Foreseen, foresee
from reconciler.core.decision import invoices_around
from reconciler.core.doubts import FetchKind, questions
from reconciler.core.facts import Facts
from reconciler.core.known import Known, absorb, books
from reconciler.core.observation import (
    ChargeSeen,
    DisputeSeen,
    ForeignSeen,
    IntentSeen,
    Observation,
    Projection,
    RefundSeen,
    SessionSeen,
    Span,
    TransactionSeen,
)
from reconciler.db import facts
from reconciler.db.evidence import KINDS, kind_of
from reconciler.poll.lists import BATCH_MAX, items_of
from reconciler.poll.poller import Poller
from reconciler.poll.runs import Tally
from reconciler.reconcile.clusters import Clusters, packed
from reconciler.reconcile.going import RunCut
from reconciler.reconcile.hands import TRANSACTION, Hand
from reconciler.reconcile.novelty import says_more
from reconciler.stripe_api.pager import Page
from reconciler.stripe_api.problems import ProblemKind, StripeProblem
from reconciler.stripe_api.reading import read_object
from reconciler.stripe_api.translate import UnreadableObject, observe_object

PAYMENTS_MAX: Final = 100_000
# A read may ask for another one, as in the run itself; a chain as long as that has no end.
ROUNDS_MAX: Final = 10
_INVOICE: Final = "invoice "
_Told: TypeAlias = tuple[str, int, int, bool, str, str]


class Foresight:
    """All that a run would take in. Safe to use from several threads while it is read."""

    def __init__(self, poller: Poller, payments_max: int = PAYMENTS_MAX) -> None:
        self._poller = poller
        self._payments_max = payments_max
        self._lock = threading.Lock()
        self._told: dict[str, list[bytes]] = {}
        self._payments: set[str] = set()
        self._clusters = Clusters()
        self._read: set[tuple[str, str]] = set()
        self._wanted: set[tuple[str, str]] = set()
        self.unread: list[tuple[str, str]] = []

    @property
    def hand(self) -> Hand:
        """Keep in mind what is read."""
        return Hand(page=self._page, object=self.read, in_mind=self._in_mind)

    def read_all(self, wanted: Iterable[tuple[str, str]]) -> None:
        """Read objects that wait for it, as a run would: what can't be had is put aside."""
        for kind, object_id in sorted(set(wanted) - self._read):
            try:
                self.read(kind, object_id)
            except UnreadableObject:
                self.unread.append((kind, object_id))
            except StripeProblem as problem:
                if problem.kind is ProblemKind.UNAVAILABLE:
                    raise
                # A run finds out for good that there is no such object.
                if problem.kind is not ProblemKind.NOT_FOUND:
                    self.unread.append((kind, object_id))

    def read(self, kind: str, object_id: str) -> None:
        """Read one object. Raises StripeProblem, Stopped or UnreadableObject."""
        self._read.add((kind, object_id))
        if kind == TRANSACTION:
            self._poller.gateway.ask(f"/v1/balance_transactions/{object_id}")
            return
        reading = read_object(self._poller.gateway, FetchKind(kind), object_id)
        observations, wanted = observe_object(
            reading.object,
            span=reading.span,
            evidence=reading.request_id,
            vocabulary=self._poller.inbox.vocabulary,
            is_read=True,
        )
        self._keep(observations)
        with self._lock:
            self._wanted |= {(each.kind, each.object_id) for each in wanted}

    def outcomes(self) -> Iterator[Foreseen]:
        """What would be decided, each payment once. Raises StripeProblem: what the decisions ask for is read."""
        for _ in range(ROUNDS_MAX):
            asked = set(self._wanted)
            for found in self._foreseen():
                self._link(found)
                change = found.change
                doubts = questions(found.known, found.after, change.before, change.after).asked
                asked |= {(each.kind.value, each.object_id) for each in doubts}
            if not asked - self._read:
                break
            self.read_all(asked)
        return self._foreseen()

    def _page(self, page: Page, tally: Tally) -> None:
        items = items_of(self._poller, page)
        self._keep([each for item in items for each in item.observations])
        with self._lock:
            wanted = (each for item in items for each in item.wanted)
            self._wanted |= set(wanted)
        tally.objects += len(page.objects)
        tally.left_alone += sum(not each.says_something for each in items)

    def _in_mind(self, ids: Collection[str]) -> Collection[str]:
        with self._lock:
            return self._told.keys() & set(ids)

    def _keep(self, seen: Sequence[Observation]) -> None:
        for start in range(0, len(seen), BATCH_MAX):
            self._keep_news(seen[start : start + BATCH_MAX])

    def _keep_news(self, seen: Sequence[Observation]) -> None:
        with self._poller.db.reading() as tx:
            known = facts.load(tx, seen)
        after = absorb(known, seen)
        before, now = books(known), books(after)
        news = {id_ for id_, book in now.items() if says_more(before.get(id_), book)}
        with self._lock:
            for each in seen:
                owner = _owner(after, each.projection)
                if owner in news or (owner is None and _is_new(known, after, each.projection.id)):
                    self._remember(each, owner)
        if len(self._payments) > self._payments_max:
            raise RunCut(
                f"more than {self._payments_max} payments would change, which a dry run does not keep"
                " in mind: ask for fewer days"
            )

    def _remember(self, seen: Observation, owner: str | None) -> None:
        projection = seen.projection
        told = (
            kind_of(projection),
            *seen.span,
            seen.is_read,
            seen.evidence,
            facts.encode(projection),
        )
        small = zlib.compress(msgspec.msgpack.encode(told), 1)
        self._told.setdefault(projection.id, []).append(small)
        self._clusters.link(projection.id, *_around(projection), owner)
        if owner is not None:
            self._payments.add(owner)

    def _foreseen(self) -> Iterator[Foreseen]:
        def size(group: list[str]) -> int:
            return sum(len(self._told.get(each, ())) for each in group)

        for ids in packed(self._clusters.groups(), size, most=BATCH_MAX):
            seen = [_observation(small) for id_ in ids for small in self._told.get(id_, ())]
            now, policy = self._poller.now(), self._poller.inbox.policy
            with self._poller.db.reading() as tx:
                found = foresee(tx, seen, now=now, policy=policy)
            yield found

    def _link(self, found: Foreseen) -> None:
        """Put together what touches the same invoices: the money of one decides about the other's."""
        for each in found.decision.payments:
            touched = invoices_around(each, found.ledger)
            self._clusters.link(each.book.id, *(f"{_INVOICE}{invoice}" for invoice in touched))
        for session_id, invoices in found.decision.waivers.items():
            self._clusters.link(session_id, *(f"{_INVOICE}{invoice}" for invoice in invoices))


def _observation(small: bytes) -> Observation:
    kind, lo_ms, hi_ms, is_read, evidence, text = msgspec.msgpack.decode(
        zlib.decompress(small), type=_Told
    )
    projection: Projection = facts.decode(text, KINDS[kind])
    return Observation(
        span=Span(lo_ms, hi_ms), evidence=evidence, projection=projection, is_read=is_read
    )


def _owner(after: Known, seen: Projection) -> str | None:
    return seen.id if isinstance(seen, IntentSeen | ForeignSeen) else after.owner_of(seen.id)


def _around(seen: Projection) -> tuple[str | None, ...]:
    """What an object names that belongs to the same payment."""
    match seen:
        case ChargeSeen() | SessionSeen():
            return (seen.intent,)
        case RefundSeen() | DisputeSeen():
            return (seen.intent, seen.charge)
        case TransactionSeen():
            return (seen.source or None,)
    return ()


def _is_new(before: Known, after: Known, object_id: str) -> bool:
    """Whether something is told of an object of which nobody knows the payment."""
    return _facts_of(before, object_id) != _facts_of(after, object_id)


def _facts_of(known: Known, object_id: str) -> Facts | None:
    kinds = (known.refunds, known.disputes, known.sessions, known.transactions)
    return next((each[object_id] for each in kinds if object_id in each), None)
