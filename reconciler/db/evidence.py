"""What was observed, and what must be read again?

Observations are kept once an (object, projection); seeing the same again only widens its span. They are what `verify
--rebuild` folds, so nothing that a fact rests on may be missing here.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, NamedTuple

from sqlalchemy import ColumnElement, and_, bindparam, delete, func, select, update

from reconciler.core.decision import Change
from reconciler.core.doubts import CONTESTED, FetchKind, Questions, doubts
from reconciler.core.known import Known
from reconciler.core.observation import (
    ChargeSeen,
    DisputeSeen,
    ForeignSeen,
    IntentSeen,
    Observation,
    Projection,
    RefundSeen,
    SessionSeen,
    Source,
    Span,
    TransactionSeen,
)
from reconciler.core.payment import Book, is_final, payment_status
from reconciler.db.facts import decode, encode
from reconciler.db.members import one_of_those
from reconciler.db.prepared import Row, read_named, write
from reconciler.db.rows import insert_new, upsert_by, upsert_widening
from reconciler.db.session import Tx
from reconciler.db.tables import fetches, observations

KINDS: Final[Mapping[str, type]] = {
    "payment_intent": IntentSeen,
    "foreign": ForeignSeen,
    "charge": ChargeSeen,
    "refund": RefundSeen,
    "dispute": DisputeSeen,
    "checkout_session": SessionSeen,
    "balance_transaction": TransactionSeen,
}
_NAMES: Final = {kind: name for name, kind in KINDS.items()}

CHECK: Final = "check"
# Asked for because of a shape that could not be read, or that says nothing by itself, or because it is time to look again:
# no fact can make that plain.
_OF_SHAPE: Final = frozenset({"event", "read", CHECK})

# A second read within the same second would settle nothing: the spans must come apart.
_ASK_AGAIN: Final = timedelta(seconds=6)

_THOSE: Final = and_(fetches.c.kind == bindparam("kind"), one_of_those(fetches.c.object_id, "ids"))
_AWAITED: Final = select(fetches).where(_THOSE)
_ANSWERED: Final = delete(fetches).where(_THOSE)
_WITHDRAW: Final = delete(fetches).where(
    _THOSE, and_(*(fetches.c.reason != reason for reason in sorted(_OF_SHAPE)))
)
_BRING_FORWARD: Final = (
    update(fetches)
    .where(_THOSE, fetches.c.due_at > bindparam("late", type_=fetches.c.due_at.type))
    .values(due_at=bindparam("now"))
)


def kind_of(projection: Projection) -> str:
    """The name under which a projection is stored."""
    return _NAMES[type(projection)]


def told_nothing(observation: Observation, change: Change, after: Known) -> bool:
    """Whether an observation left its payment, which is final, exactly as it was."""
    seen = observation.projection
    if isinstance(seen, IntentSeen | ForeignSeen):
        owner: str | None = seen.id
    else:
        owner = after.owner_of(seen.id)
    if owner is None or owner not in change.before:
        return False
    book = change.before[owner]
    return book == change.after.get(owner) and is_final(book, payment_status(book))


def store(tx: Tx, seen: Sequence[Observation], *, source: Source, now: datetime) -> None:
    """Keep what was observed."""
    rows: dict[tuple[str, str, str], Row] = {}
    for each in seen:
        projection = encode(each.projection)
        kind = kind_of(each.projection)
        digest = sha256(f"{each.is_read}{projection}".encode()).hexdigest()
        key = (kind, each.projection.id, digest)
        earlier = rows.get(key)
        lo_ms, hi_ms = each.span
        rows[key] = {
            "kind": kind,
            "object_id": each.projection.id,
            "digest": digest,
            "first_ms": min(lo_ms, earlier["first_ms"]) if earlier else lo_ms,
            "lo_ms": max(lo_ms, earlier["lo_ms"]) if earlier else lo_ms,
            "hi_ms": max(hi_ms, earlier["hi_ms"]) if earlier else hi_ms,
            "is_read": each.is_read,
            "evidence": each.evidence,
            "source": source.value,
            "projection": projection,
            "observed_at": now,
        }
    upsert_widening(tx, observations, list(rows.values()))


def unfold(row: Row) -> tuple[Observation, Observation]:
    """A stored observation as the two that it stands for: when it was first true, and when last."""
    projection: Projection = decode(row["projection"], KINDS[row["kind"]])
    evidence, is_read = row["evidence"], row["is_read"]
    first = Span(row["first_ms"], row["first_ms"])
    last = Span(row["lo_ms"], row["hi_ms"])
    return (
        Observation(span=first, evidence=evidence, projection=projection, is_read=is_read),
        Observation(span=last, evidence=evidence, projection=projection, is_read=is_read),
    )


def answers(observation: Observation) -> bool:
    """Whether a read tells all that its object can be read for.

    A charge that stands in a list of payments says how much was given back, and not by which refunds.
    """
    match observation.projection:
        case ChargeSeen(refunds_listed=False, refunded_minor=refunded_minor) if refunded_minor:
            return False
    return observation.is_read


def settle_fetches(
    tx: Tx,
    seen: Iterable[Observation],
    questions: Questions,
    books: Mapping[str, Book],
    now: datetime,
) -> None:
    """Drop the fetches that a read has answered or that nobody needs any more, and write down what must be read next."""
    asked = questions.asked
    readable = {kind.value for kind in FetchKind}
    answered = {
        (kind, each.projection.id)
        for each in seen
        if answers(each) and (kind := kind_of(each.projection)) in readable
    }
    again = _answer(tx, answered, books, now) if answered else []
    _withdraw(tx, questions.withdrawn - answered)
    new = {
        (doubt.kind.value, doubt.object_id): doubt.reason
        for doubt in sorted(asked)
        if (doubt.kind.value, doubt.object_id) not in answered
    }
    rows = [_fetch(key, reason, now) for key, reason in sorted(new.items())]
    insert_new(tx, fetches, rows)
    _bring_forward(tx, new, now)
    insert_new(tx, fetches, again)
    # A register that the read itself made contested was not there to be answered: it is asked for later.
    contested = {
        (doubt.kind.value, doubt.object_id)
        for doubt in asked
        if doubt.reason == CONTESTED and (doubt.kind.value, doubt.object_id) in answered
    }
    later = [
        {**_fetch(key, CONTESTED, now), "attempts": 1, "due_at": now + _ASK_AGAIN}
        for key in sorted(contested)
    ]
    insert_new(tx, fetches, later)


def ask(tx: Tx, wanted: Iterable[tuple[str, str]], reason: str, now: datetime) -> None:
    """Write down objects that must be read, for a reason that no fact tells: a thin event, an unknown shape, a date.

    The reason takes the place of a doubt's: when the doubt vanishes, the read must stay. A date alone brings no read
    forward that was put off.
    """
    keys = sorted(set(wanted))
    rows = [_fetch(key, reason, now) for key in keys]
    upsert_by(tx, fetches, rows, key=("kind", "object_id"), update=("reason",))
    if reason != CHECK:
        _bring_forward(tx, keys, now)


def _bring_forward(tx: Tx, objects: Collection[tuple[str, str]], now: datetime) -> None:
    """Read now what was put off for longer than a moment: something new is told of it."""
    for kind, ids in _by_kind(objects):
        write(tx, _BRING_FORWARD, kind=kind, ids=ids, now=now, late=now + _ASK_AGAIN)


def _withdraw(tx: Tx, objects: Collection[tuple[str, str]]) -> None:
    """Drop what the next event has made plain before anybody could read it, as most do; thin events still need theirs."""
    for kind, ids in _by_kind(objects):
        write(tx, _WITHDRAW, kind=kind, ids=ids)


class Fetch(NamedTuple):
    """One object that must be read: why, since when, and how many answers have settled nothing."""

    kind: FetchKind
    object_id: str
    reason: str
    asked_at: datetime
    attempts: int


def due(
    tx: Tx, now: datetime, *, limit: int, only: ColumnElement[bool] | None = None
) -> list[Fetch]:
    """What must be read now: what something waits for before what it is only time to look at again; oldest first.

    `only` is what is asked of such rows besides.
    """
    column = fetches.c
    mine = column.due_at <= now if only is None else and_(column.due_at <= now, only)
    rows = tx.execute(
        select(column.kind, column.object_id, column.reason, column.asked_at, column.attempts)
        .where(mine)
        .order_by(column.reason == CHECK, column.due_at, column.kind, column.object_id)
        .limit(limit)
    )
    return [Fetch(FetchKind(kind), *rest) for kind, *rest in rows]


def waiting_checks(tx: Tx, now: datetime) -> int:
    """How many objects wait to be read now, only because it was time to look again; what is put off keeps none waiting."""
    mine = (fetches.c.reason == CHECK) & (fetches.c.due_at <= now)
    return tx.scalar(select(func.count()).select_from(fetches).where(mine)) or 0


def postpone(tx: Tx, fetch: Fetch, until: datetime, *, attempts: int) -> None:
    """Read an object later, after so many answers that have settled nothing."""
    # What was applied of a half-readable answer has made the row anew: it waits since it was first asked for.
    again = {"due_at": until, "attempts": attempts, "asked_at": fetch.asked_at}
    tx.execute(update(fetches).where(_mine(fetch)).values(again))


def drop(tx: Tx, fetch: Fetch) -> None:
    """Read an object no more."""
    tx.execute(delete(fetches).where(_mine(fetch)))


def _by_kind(objects: Iterable[tuple[str, str]]) -> Iterable[tuple[str, list[str]]]:
    """The ids of objects (kind, id), kind by kind; there are six kinds."""
    ids: dict[str, list[str]] = {}
    for kind, object_id in sorted(objects):
        ids.setdefault(kind, []).append(object_id)
    return ids.items()


def _mine(fetch: Fetch) -> ColumnElement[bool]:
    column = fetches.c
    return and_(column.kind == fetch.kind.value, column.object_id == fetch.object_id)


def _answer(
    tx: Tx, answered: set[tuple[str, str]], books: Mapping[str, Book], now: datetime
) -> list[Row]:
    waiting: list[Row] = []
    for kind, ids in _by_kind(answered):
        found = read_named(tx, _AWAITED, kind=kind, ids=ids)
        if found:
            write(tx, _ANSWERED, kind=kind, ids=ids)
        waiting += found
    return [
        {**row, "attempts": 1, "due_at": now + _ASK_AGAIN}
        for row in waiting
        if row["attempts"] == 0 and _still_contested(row["object_id"], books)
    ]


def _still_contested(payment_id: str, books: Mapping[str, Book]) -> bool:
    book = books.get(payment_id)
    return book is not None and any(each.reason == CONTESTED for each in doubts(book))


def _fetch(key: tuple[str, str], reason: str, now: datetime) -> Row:
    return {
        "kind": key[0],
        "object_id": key[1],
        "reason": reason,
        "attempts": 0,
        "due_at": now,
        "asked_at": now,
    }
