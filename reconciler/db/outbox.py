"""Which notifications wait to be sent, to which browsers, and which are not worth sending any more?

A notification is one row a (milestone, user), written with the change that it tells of. Here it becomes one delivery for each of
the user's browsers, once: the rows of both and the notification's state are one transaction.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import ColumnElement, and_, exists, func, literal_column, or_, select, update

from reconciler.core.exceptions import OF_THE_PROGRAM
from reconciler.core.payment import PaymentStatus
from reconciler.db.members import one_of
from reconciler.db.push_tables import deliveries, push_subscriptions
from reconciler.db.rows import insert_new, upsert_by
from reconciler.db.session import Tx
from reconciler.db.subscriptions import ACTIVE
from reconciler.db.tables import exceptions, installation, notifications, payments, settlements

FAILED_ATTEMPT: Final = "payment_failed"
SUMMARY: Final = "exceptions_open"
# They share a place in the tray, and what comes last stays there.
_LATER_NEWS: Final[Mapping[str, tuple[str, ...]]] = {
    "refund_done": ("refund_failed",),
    "dispute_opened": ("dispute_won", "dispute_lost"),
}
_SUMMED_AT: Final = "exceptions_summed_at"
# Written out, and no parameter: a plan for any state could not use the index of those that are pending.
_IS_PENDING: Final = notifications.c.state == literal_column("'pending'")


class NoticeState(StrEnum):
    """What became of a notification; the words are a promise to other programs."""

    PENDING = "pending"
    SENT = "sent"
    """Its deliveries were made, one for each browser of the user."""
    NO_BROWSER = "no_browser"
    EXPIRED = "expired"
    OVERTAKEN = "overtaken"
    """It told of a failed attempt, and the payment has succeeded or the invoice is paid by now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """A notification that nobody has looked at yet."""

    id: int
    milestone: str
    user_id: str
    kind: str
    invoice_id: str
    stripe_at: datetime


@dataclass(frozen=True, slots=True)
class Place:
    """One browser of a user, and the push service behind which it is."""

    subscription_id: int
    host: str


def pending(tx: Tx, *, limit: int) -> list[Pending]:
    """The oldest of them."""
    column = notifications.c
    columns = (
        column.id,
        column.milestone,
        column.user_id,
        column.kind,
        column.invoice_id,
        column.stripe_at,
    )
    asked = select(*columns).where(_IS_PENDING)
    rows = tx.execute(asked.order_by(column.id).limit(limit)).mappings()
    return [Pending(**row) for row in rows]


def overdue(tx: Tx, before: datetime, *, limit: int) -> list[int]:
    """Pending ones that tell of something older than that."""
    column = notifications.c
    is_late = and_(_IS_PENDING, column.stripe_at < before)
    return list(tx.scalars(select(column.id).where(is_late).order_by(column.id).limit(limit)))


def browsers_of(tx: Tx, users: Iterable[str], *, vapid_key: str) -> dict[str, list[Place]]:
    """The browsers to which these users can be sent something under this public key."""
    column = push_subscriptions.c
    asked = select(column.user_id, column.id, column.host).where(
        one_of(column.user_id, set(users)), column.state == ACTIVE, column.vapid_key == vapid_key
    )
    found: dict[str, list[Place]] = {}
    for user_id, id_, host in tx.execute(asked.order_by(column.id)):
        found.setdefault(user_id, []).append(Place(id_, host))
    return found


def overtaken(tx: Tx, attempts: Mapping[int, tuple[str, str]]) -> set[int]:
    """Those failed attempts, each with its milestone and invoice, of which nobody need hear any more."""
    if not attempts:
        return set()
    paid, invoice = payments.c, settlements.c
    intents = {id_: _payment_of(milestone) for id_, (milestone, _) in attempts.items()}
    done = set(
        tx.scalars(
            select(paid.id).where(
                one_of(paid.id, set(intents.values())),
                paid.status == PaymentStatus.SUCCEEDED.value,
            )
        )
    )
    covered = set(
        tx.scalars(
            select(invoice.invoice_id).where(
                one_of(invoice.invoice_id, {each for _, each in attempts.values()}),
                invoice.amount_due > 0,
                invoice.received >= invoice.amount_due,
            )
        )
    )
    return {id_ for id_, (_, each) in attempts.items() if intents[id_] in done or each in covered}


def outdated(tx: Tx, told: Mapping[int, tuple[str, str]]) -> set[int]:
    """Those notifications, each with its milestone and user, of whose refund or dispute there is later news for the same user."""
    later = {
        id_: {(f"{kind}:{object_id}", user_id) for kind in _LATER_NEWS.get(word, ())}
        for id_, (milestone, user_id) in told.items()
        for word, _, object_id in [milestone.partition(":")]
    }
    wanted = {milestone for each in later.values() for milestone, _ in each}
    if not wanted:
        return set()
    column = notifications.c
    asked = select(column.milestone, column.user_id).where(one_of(column.milestone, wanted))
    known = {(milestone, user_id) for milestone, user_id in tx.execute(asked)}
    return {id_ for id_, each in later.items() if each & known}


def _payment_of(milestone: str) -> str:
    """The payment of `payment_failed:<payment>:<attempt>`."""
    return milestone.removeprefix(f"{FAILED_ATTEMPT}:").partition(":")[0]


def send_to(tx: Tx, places: Mapping[int, Sequence[Place]], *, now: datetime) -> None:
    """Make the deliveries of notifications; one that is there already stays as it is."""
    rows = [
        {
            "notification_id": id_,
            "subscription_id": each.subscription_id,
            "host": each.host,
            "due_at": now,
            "created_at": now,
        }
        for id_, found in places.items()
        for each in found
    ]
    insert_new(tx, deliveries, rows)


def conclude(tx: Tx, ids: Iterable[int], state: NoticeState) -> None:
    """Say what became of notifications; at most some hundreds."""
    wanted = sorted(ids)
    if wanted:
        column = notifications.c
        tx.execute(
            update(notifications)
            .where(column.id.in_(wanted), _IS_PENDING)
            .values(state=state.value)
        )


def backlog(tx: Tx) -> tuple[int, datetime | None]:
    """How many notifications nobody has looked at yet, and since when the oldest waits."""
    column = notifications.c
    asked = select(func.count(), func.min(column.enqueued_at))
    count, oldest = tx.execute(asked.where(_IS_PENDING)).one()
    return count, oldest


def summed_at(tx: Tx) -> datetime | None:
    """Until when everything was told that began to need a person; None before the first time."""
    column = installation.c
    text = tx.scalar(select(column.value).where(column.key == _SUMMED_AT))
    return datetime.fromisoformat(text) if text else None


def began_to_count(tx: Tx, *, since: datetime | None, until: datetime) -> bool:
    """Whether something that needs a person, and still does, began to count after `since` and not after `until`."""
    column = exceptions.c
    mine = and_(_counting(until), column.opened_at <= until)
    if since is not None:
        # What is found late began to count when it was found, whatever Stripe's time of it.
        mine = and_(mine, or_(column.opened_at > since, column.counts_from > since))
    return tx.scalar(select(exists().where(mine))) is True


def summarise(
    tx: Tx, users: Sequence[str], *, milestone: str, until: datetime, now: datetime
) -> int:
    """Tell these users how much needs a person now; returns how much that is. What began until then is told with it."""
    count = tx.scalar(select(func.count()).select_from(exceptions).where(_counting(now))) or 0
    rows = [
        {
            "milestone": milestone,
            "user_id": user_id,
            "kind": SUMMARY,
            "invoice_id": "",
            "number": "",
            "amount": count,
            "currency": "",
            "stripe_at": now,
            "enqueued_at": now,
        }
        for user_id in users
    ]
    insert_new(tx, notifications, rows)
    row = {"key": _SUMMED_AT, "value": until.isoformat()}
    upsert_by(tx, installation, [row], key=("key",), update=("value",))
    return int(count)


def _counting(now: datetime) -> ColumnElement[bool]:
    column = exceptions.c
    return and_(
        column.state == "open",
        column.counts_from <= now,
        column.kind.not_in(sorted(each.value for each in OF_THE_PROGRAM)),
    )
