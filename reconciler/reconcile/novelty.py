"""Does a payment's book say more than before, or only that all is still so, at a later moment?

Whatever is not final is seen again on every pass, and each time its last word gets a new time. For a run over a range that is
no news: nothing that is decided rests on it.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final

from reconciler.core.doubts import doubts
from reconciler.core.facts import SessionTotal
from reconciler.core.observation import Span
from reconciler.core.payment import Book, active_references, summarise

# When something was last seen, and nothing else.
_TIMES: Final = frozenset({"innocent_until_ms", "told"})


def says_more(before: Book | None, after: Book) -> bool:
    """Whether anything but the time of the last look is new."""
    if before is None:
        return True
    if before == after:
        return False
    return _timeless(before) != _timeless(after) or _derived(before) != _derived(after)


def _derived(book: Book) -> tuple[Any, ...]:
    return summarise(book), active_references(book), doubts(book)


def _timeless(value: Any) -> Any:
    """A record of facts without the moments at which they were seen."""
    if isinstance(value, Span):
        return None
    if isinstance(value, SessionTotal):
        return value.complete, value.amount_minor, value.currency
    if is_dataclass(value) and not isinstance(value, type):
        names = (each.name for each in fields(value) if each.name not in _TIMES)
        return tuple(_timeless(getattr(value, name)) for name in names)
    if isinstance(value, Mapping):
        return {key: _timeless(each) for key, each in value.items()}
    return value
