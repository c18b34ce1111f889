"""What is done with what Stripe says: is it brought through the one door, or only kept in mind?"""

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from reconciler.core.decision import Decision
from reconciler.core.doubts import FetchKind
from reconciler.core.facts import PaymentFacts
from reconciler.core.observation import Source
from reconciler.core.payment import Book
from reconciler.db import touched
from reconciler.db.evidence import Fetch
from reconciler.db.session import Tx
from reconciler.poll.fetches import read_one
from reconciler.poll.lists import take_page
from reconciler.poll.poller import Poller
from reconciler.poll.runs import Tally
from reconciler.poll.taking import Taking
from reconciler.reconcile.novelty import says_more
from reconciler.stripe_api.pager import Page

TRANSACTION: Final = "balance_transaction"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hand:
    """`page` takes a page in. `object` reads one object by its kind and id and takes it in; raises StripeProblem.

    `in_mind` tells which of these ids, that are not in the database, are not there only because nothing is to be changed.
    """

    page: Callable[[Page, Tally], None]
    object: Callable[[str, str], None]
    in_mind: Callable[[Collection[str]], Collection[str]]


def taking_of(run_id: int) -> Taking:
    """Take in as a person who reconciles, and remember what was known of the payments that change."""

    def decided(tx: Tx, decision: Decision) -> None:
        touched.touch(tx, run_id, _before(decision))

    return Taking(source=Source.MANUAL, decided=decided)


def _before(decision: Decision) -> dict[str, Book | None]:
    """What was known of each payment that is another one now; None where it was nothing but a name."""
    return {
        each.book.id: known_before(each.before)
        for each in decision.payments
        if each.is_changed and says_more(each.before, each.book)
    }


def known_before(book: Book | None) -> Book | None:
    """A book without a fact about the payment itself is one of what others said: then we did not know it."""
    return book if book is not None and book.facts != PaymentFacts() else None


def through_the_door(poller: Poller, taking: Taking) -> Hand:
    """Take in for good."""
    # Lanes that translate and write side by side only take Python's one interpreter, and the one writer, from each other.
    turn = threading.Lock()

    def page(found: Page, tally: Tally) -> None:
        with turn:
            take_page(poller, found, tally, taking=taking)

    def read(kind: str, object_id: str) -> None:
        if kind == TRANSACTION:
            poller.gateway.ask(f"/v1/balance_transactions/{object_id}")
        else:
            read_one(poller, _fetch(poller, kind, object_id), taking)

    return Hand(page=page, object=read, in_mind=lambda _: ())


def _fetch(poller: Poller, kind: str, object_id: str) -> Fetch:
    return Fetch(FetchKind(kind), object_id, "reconcile", poller.now(), 0)
