"""What does a page of listed objects bring, and how is it applied?

Every object goes through the same door as a read of it by id. What was listed byte for byte the same before, and is final,
says nothing new and is left out before it is even decoded. One object that can't be read or applied disturbs no other one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Final

import msgspec
import structlog

from reconciler.apply import apply_payment_state
from reconciler.core.exceptions import ExceptionKind
from reconciler.core.facts import TERMINAL
from reconciler.core.observation import (
    DisputeSeen,
    IntentSeen,
    Observation,
    SessionSeen,
    TransactionSeen,
)
from reconciler.core.words import DISPUTE_OVER
from reconciler.db import alerts, evidence, sightings
from reconciler.db.batches import together_or_apart
from reconciler.db.session import Tx
from reconciler.poll import rights
from reconciler.poll.poller import Poller
from reconciler.poll.runs import Tally, line_of
from reconciler.poll.taking import SWEPT, Taking
from reconciler.stripe_api.pager import Page
from reconciler.stripe_api.translate import UnreadableObject, observe_object

log = structlog.get_logger(__name__)

# What `apply_payment_state` takes at a time; one object may say several things.
BATCH_MAX: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One listed object: what it says, what must be read for it, and its digest if it is final."""

    subject: str
    observations: tuple[Observation, ...] = ()
    wanted: tuple[tuple[str, str], ...] = ()
    sighting: tuple[str, str] | None = None
    error: str | None = None

    @property
    def says_something(self) -> bool:
        """Whether there is anything to write down because of it."""
        return bool(self.observations or self.wanted or self.error)


def take_page(
    poller: Poller,
    page: Page,
    tally: Tally,
    *,
    taking: Taking = SWEPT,
    besides: Callable[[Tx], None] | None = None,
) -> None:
    """Apply a page; `besides` is done in the transaction of its last objects, or in one of its own."""
    items = items_of(poller, page)
    batches = _batches([each for each in items if each.says_something])
    if besides is not None and not batches:
        batches = [[]]
    for batch in batches:
        with poller.db.writing() as tx:
            tally.found += _apply(poller, tx, batch, taking)
            if besides is not None and batch is batches[-1]:
                besides(tx)
    tally.objects += len(page.objects)
    tally.left_alone += sum(not each.says_something for each in items)


def items_of(poller: Poller, page: Page) -> list[Item]:
    """What the objects of a page say that were not listed with the same bytes before."""
    # Other settings read other names in the same bytes.
    key = sightings.key_of(repr(poller.inbox.vocabulary))
    return [_item(poller, page, body, key) for body in _fresh(poller, page, key)]


def _fresh(poller: Poller, page: Page, key: bytes) -> list[bytes]:
    """The objects of a page that were not listed with the same bytes before."""
    with poller.db.reading() as tx:
        before = sightings.known(tx, sorted(id_ for id_ in page.ids if id_))
    return [
        body
        for id_, body in zip(page.ids, page.objects, strict=True)
        if id_ not in before or before[id_] != sightings.digest_of(body, key)
    ]


def _item(poller: Poller, page: Page, body: bytes, key: bytes) -> Item:
    try:
        found = msgspec.json.decode(body)
        observations, wanted = observe_object(
            found,
            span=page.span,
            evidence=page.request_id,
            vocabulary=poller.inbox.vocabulary,
            is_read=True,
        )
    except Exception as error:  # noqa: BLE001 - whatever one object is, the others must not wait for it
        words = str(error) if isinstance(error, UnreadableObject) else type(error).__name__
        return Item(subject=f"listed object {sha256(body).hexdigest()[:16]}", error=words)
    own = [each for each in observations if each.projection.id == found["id"]]
    final = any(_is_final(each, found) for each in own)
    return Item(
        subject=f"{found['object']} {found['id']}",
        observations=observations,
        wanted=tuple((each.kind, each.object_id) for each in wanted),
        sighting=(found["id"], sightings.digest_of(body, key)) if final and not wanted else None,
    )


def _is_final(seen: Observation, listed: Mapping[str, object]) -> bool:
    """Whether an object with the same bytes can have nothing to add, ever."""
    match seen.projection:
        case IntentSeen(status=status):
            return status in TERMINAL
        case SessionSeen(payment_status=status):
            return status != "unpaid" or listed.get("status") == "expired"
        case DisputeSeen(status=status):
            return status in DISPUTE_OVER
        case TransactionSeen():
            return True
    return False


def _batches(items: Sequence[Item]) -> list[list[Item]]:
    batches: list[list[Item]] = []
    left = 0
    for each in items:
        size = len(each.observations)
        if not batches or size > left:
            batches.append([])
            left = BATCH_MAX
        batches[-1].append(each)
        left -= size
    return batches


def _apply(poller: Poller, tx: Tx, items: Sequence[Item], taking: Taking) -> int:
    """Apply a batch; if that fails, one by one. Returns how many payments changed."""
    good = [each for each in items if each.error is None]
    for each in items:
        if each.error is not None:
            _call_a_person(poller, tx, each.subject, each.error)

    def refused(item: Item, error: Exception) -> None:
        log.error("object.not_applied", subject=item.subject, exc_info=error)
        _call_a_person(poller, tx, item.subject, line_of(error))

    return sum(together_or_apart(tx, good, partial(_apply_together, poller, tx, taking), refused))


def _apply_together(poller: Poller, tx: Tx, taking: Taking, items: Sequence[Item]) -> int:
    now, changed = poller.now(), 0
    seen = [observation for each in items for observation in each.observations]
    if seen:
        policy = poller.inbox.policy
        decision = apply_payment_state(tx, seen, source=taking.source, now=now, policy=policy)
        taking.decided(tx, decision)
        changed = len(decision.payments)
    evidence.ask(tx, [each for item in items for each in item.wanted], "read", now)
    sightings.remember(tx, dict(each.sighting for each in items if each.sighting), now)
    rights.there(tx, [each.subject for each in items], now)
    return changed


def _call_a_person(poller: Poller, tx: Tx, subject: str, words: str) -> None:
    kind, now = ExceptionKind.READ_FORBIDDEN, poller.now()
    if alerts.open_alert(tx, kind=kind, subject=subject, fingerprint=words, now=now):
        log.error("object.unreadable", subject=subject, problem=words)
