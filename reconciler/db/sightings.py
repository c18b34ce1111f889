"""Which listed objects say nothing new?

An object that was listed, applied and can't change any more is remembered by a digest of its bytes. Facts only grow, so that
the same bytes again have nothing to add; other bytes are applied like any others.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import blake2b

from sqlalchemy import delete, select

from reconciler.db.members import one_of
from reconciler.db.rows import upsert
from reconciler.db.session import Tx
from reconciler.db.tables import sightings

_DIGEST_BYTES = 16


def key_of(read_as: str) -> bytes:
    """What tells digests apart that were made of the same bytes, read in another way."""
    return blake2b(read_as.encode(), digest_size=_DIGEST_BYTES).digest()


def digest_of(body: bytes, key: bytes) -> str:
    """A digest of an object as it came, and of the way in which it is read."""
    return blake2b(body, digest_size=_DIGEST_BYTES, key=key).hexdigest()


def known(tx: Tx, ids: Sequence[str]) -> dict[str, str]:
    """The digests of those of these objects, at most a page of them, that are remembered."""
    column = sightings.c
    asked = select(column.object_id, column.digest).where(one_of(column.object_id, ids))
    return {row.object_id: row.digest for row in tx.execute(asked)}


def forget(tx: Tx, before: datetime, *, limit: int) -> int:
    """Delete at most so many that were remembered before a moment; returns how many there were."""
    column = sightings.c
    old = select(column.object_id).where(column.seen_at < before).limit(limit)
    return tx.execute(delete(sightings).where(column.object_id.in_(old))).rowcount


def remember(tx: Tx, seen: Mapping[str, str], now: datetime) -> None:
    """Remember objects, by their id, in the transaction that applied them."""
    rows = [
        {"object_id": id_, "digest": digest, "seen_at": now} for id_, digest in sorted(seen.items())
    ]
    upsert(tx, sightings, rows)
