"""How does one bad item disturb no other one of its batch?"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from reconciler.db.errors import RowHeld
from reconciler.db.session import StorageUnavailable, Tx, savepoint, wait_no_more

T = TypeVar("T")
R = TypeVar("R")


def together_or_apart(
    tx: Tx,
    items: Sequence[T],
    apply: Callable[[Sequence[T]], R],
    refused: Callable[[T, Exception], None],
) -> list[R]:
    """Apply items together, and one by one if that fails; returns what `apply` returned for those that went well.

    `refused` is called, in the same transaction, for each item that fails alone. A transaction that is lost is nobody's fault:
    StorageUnavailable is raised.
    """
    try:
        with savepoint(tx):
            return [apply(items)]
    except StorageUnavailable:
        raise
    except Exception as error:  # noqa: BLE001 - whatever one item does, the others must not suffer
        if isinstance(error, RowHeld):
            # The other items would each wait as long, and with them everybody who wants to write.
            wait_no_more(tx)
        if len(items) > 1:
            return [
                found for each in items for found in together_or_apart(tx, [each], apply, refused)
            ]
        for each in items:
            refused(each, error)
        return []
