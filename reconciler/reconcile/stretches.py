"""Into which stretches of time is a list cut, so that they cover all of it, and each second once?

Nobody knows beforehand where the objects lie. Each list begins as one stretch; whoever has read enough of one, newest first,
gives the older rest away, in as many parts as what was read so far suggests. All bounds are whole seconds, as Stripe's are.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from reconciler.core.schedule import SECOND_MS, Window

LANES: Final = 8
# A slice costs a look into our own books and a row; so many objects are worth it.
OBJECTS_MIN: Final = 2000


class Listing(NamedTuple):
    """One of Stripe's lists: its name in reports, where it is, the kind of its objects, and what must stand in them."""

    name: str
    path: str
    kind: str
    expand: tuple[str, ...] = ()


LISTS: Final = (
    Listing(
        "balance_transactions", "/v1/balance_transactions", "balance_transaction", ("data.source",)
    ),
    Listing("payment_intents", "/v1/payment_intents", "payment_intent"),
    Listing("checkout_sessions", "/v1/checkout/sessions", "checkout_session"),
    # Of a hold that was given up no money tells: without its charge, its release would look like money that went back.
    Listing("refunds", "/v1/refunds", "refund", ("data.charge",)),
    Listing("disputes", "/v1/disputes", "dispute"),
)


class Stretch(NamedTuple):
    """A stretch of time of one list that is to be read."""

    listing: Listing
    window: Window


def unread(window: Window, done: Iterable[Window]) -> list[Window]:
    """What is left of a window once these parts of it, none of which overlaps another, were read; oldest first."""
    left, since_ms = [], window.since_ms
    for part in sorted(done):
        if part.since_ms > since_ms:
            left.append(Window(since_ms, part.since_ms))
        since_ms = max(since_ms, part.until_ms)
    if since_ms < window.until_ms:
        left.append(Window(since_ms, window.until_ms))
    return left


def border_s(seconds: Sequence[int | None], since_s: int) -> int | None:
    """The second at which a page of objects, newest first, may be parted from what is older; None if it can't be.

    `seconds` are those in which they were made. What belongs to the border's second or is newer stays, the rest goes: the
    oldest second of a page may go on behind it, and so may no second that the pages before it have begun.
    """
    known = [each for each in seconds if each is not None]
    if len(known) < len(seconds) or known != sorted(known, reverse=True):
        return None
    border = known[-1] + 1 if known else since_s
    return border if known and known[0] >= border > since_s else None


def parts_of(rest: Window, read: Window, objects: int, *, room: int, least: int) -> list[Window]:
    """The rest of a stretch in parts of at least `least` objects each, as far as what was read tells; at most `room` of them."""
    length_s = (rest.until_ms - rest.since_ms) // SECOND_MS
    read_s = max(1, (read.until_ms - read.since_ms) // SECOND_MS)
    wanted = objects * length_s // read_s // least
    count = max(1, min(room, wanted, length_s))
    edges = [rest.since_ms + length_s * n // count * SECOND_MS for n in range(count)]
    return [
        Window(since_ms, until_ms)
        for since_ms, until_ms in zip(edges, [*edges[1:], rest.until_ms], strict=True)
    ]
