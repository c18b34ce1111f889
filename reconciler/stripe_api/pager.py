"""How is a whole list read, when a page can be wrong?

Stripe's lists are newest first, a page at a time (https://docs.stripe.com/api/pagination). A page that brings nothing new
and still promises more would be asked for without end: then the list counts as not read, and whoever asked keeps its cursor.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from reconciler.core.observation import Span
from reconciler.stripe_api.envelope import MalformedBody, cleaned, is_name
from reconciler.stripe_api.gateway import Answer, Gateway
from reconciler.stripe_api.problems import ProblemKind, StripeProblem

PAGE: Final = 100
# A million objects. Whoever asks for more in one list cuts it into shorter stretches of time.
PAGES_MAX: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The objects of a page that the page before it did not have, as the bytes that came, and when they were true.

    `ids` are theirs, one by one; None for one whose id can't be read.
    """

    objects: tuple[bytes, ...] = field(repr=False)
    ids: tuple[str | None, ...]
    span: Span
    request_id: str
    is_last: bool


class _List(msgspec.Struct, tag_field="object", tag="list"):
    """A list as it comes; what stands in it is looked at one by one, so that one bad object is only itself."""

    data: list[msgspec.Raw]
    has_more: bool


class _Named(msgspec.Struct):
    id: str


def pages(
    gateway: Gateway, path: str, params: Mapping[str, Any], *, pages_max: int = PAGES_MAX
) -> Iterator[Page]:
    """Yield the pages of a list, newest objects first; the last one says so. Raises StripeProblem or Stopped."""
    # Kept in mind is one page, and one id of each: lists may hold a million objects.
    before: frozenset[str] = frozenset()
    cursors: set[str] = set()
    asked: dict[str, Any] = {**params, "limit": PAGE}
    for _ in range(pages_max):
        answer = gateway.ask(path, asked)
        found = _decoded(path, answer)
        named = [(_id_of(raw), bytes(raw)) for raw in found.data]
        fresh = [(id_, raw) for id_, raw in named if id_ is None or id_ not in before]
        new = frozenset(id_ for id_, _ in fresh if id_ is not None)
        yield Page(
            objects=tuple(raw for _, raw in fresh),
            ids=tuple(id_ for id_, _ in fresh),
            span=answer.span,
            request_id=answer.request_id,
            is_last=not found.has_more,
        )
        if not found.has_more:
            return
        cursor = next((id_ for id_, _ in reversed(fresh) if id_ is not None), None)
        if cursor is None or cursor in cursors:
            raise _endless(path)
        before = new
        cursors.add(cursor)
        asked["starting_after"] = cursor
    raise _endless(path)


def _decoded(path: str, answer: Answer) -> _List:
    try:
        try:
            return msgspec.json.decode(answer.body, type=_List)
        except msgspec.DecodeError:
            # One lone surrogate in a customer's text makes the whole page unreadable to a strict decoder.
            return msgspec.json.decode(cleaned(answer.body), type=_List)
    except (msgspec.DecodeError, MalformedBody, RecursionError):
        words = f"{path}: the answer is no list ({answer.request_id})"
        raise StripeProblem(ProblemKind.UNREADABLE, words) from None


def _id_of(raw: msgspec.Raw) -> str | None:
    try:
        found = msgspec.json.decode(raw, type=_Named).id
    except (msgspec.DecodeError, RecursionError):
        return None
    return found if is_name(found) else None


def _endless(path: str) -> StripeProblem:
    return StripeProblem(ProblemKind.UNREADABLE, f"{path}: the list does not come to an end")
