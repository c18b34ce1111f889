"""Which payouts are known, and which of them was looked into?"""

from collections.abc import Collection, Sequence

from sqlalchemy import select, update

from reconciler.core.schedule import Window
from reconciler.db.books import within
from reconciler.db.prepared import Row
from reconciler.db.rows import upsert
from reconciler.db.run_tables import payouts
from reconciler.db.session import Tx
from reconciler.db.tables import balance_transactions


def store(tx: Tx, rows: Sequence[Row]) -> None:
    """Write payouts as they are listed now; one that was paid may have failed since. What was read of them stays read."""
    upsert(tx, payouts, rows, keep=("composition_read",))


def unread(tx: Tx, window: Window) -> list[str]:
    """The automatic payouts of a window whose composition Stripe can tell, and that nobody has read; oldest first."""
    own = payouts.c
    asked = select(own.id).where(
        within(own.stripe_created_at, window),
        own.is_automatic.is_(True),
        own.is_complete.is_(True),
        own.composition_read.is_(False),
    )
    return list(tx.scalars(asked.order_by(own.stripe_created_at, own.id)))


def read_of(tx: Tx, ids: Collection[str]) -> frozenset[str]:
    """Those of these payouts, at most a page of them, whose composition was read."""
    own = payouts.c
    mine = own.id.in_(sorted(ids)) & own.composition_read.is_(True)
    return frozenset(tx.scalars(select(own.id).where(mine)))


def unknown_of(tx: Tx, ids: Sequence[str]) -> frozenset[str]:
    """Those of these transactions, at most a page of them, that are not known here."""
    own = balance_transactions.c
    return frozenset(ids) - frozenset(tx.scalars(select(own.id).where(own.id.in_(sorted(ids)))))


def fill(tx: Tx, payout_id: str, ids: Sequence[str]) -> None:
    """Write down that these transactions, at most a page of them, are in a payout."""
    own = balance_transactions.c
    tx.execute(
        update(balance_transactions).where(own.id.in_(sorted(ids))).values(payout_id=payout_id)
    )


def read(tx: Tx, payout_id: str) -> None:
    """Write down that the whole composition of a payout was read."""
    tx.execute(update(payouts).where(payouts.c.id == payout_id).values(composition_read=True))
