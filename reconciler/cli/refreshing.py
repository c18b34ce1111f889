"""`payments refresh`: what does Stripe say of a payment now, and is any of it new to the books?"""

from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, Final

import typer

from reconciler.cli.books import group
from reconciler.cli.context import (
    AsJson,
    Config,
    Refused,
    database,
    gateway_of,
    inbox_of,
    now,
    settings_of,
)
from reconciler.cli.output import money, say_json, say_wrapped
from reconciler.config import require
from reconciler.core.decision import Decision
from reconciler.core.doubts import Doubt, FetchKind, doubts
from reconciler.core.observation import Source
from reconciler.db import queries
from reconciler.db.evidence import Fetch
from reconciler.db.session import Database
from reconciler.poll import Poller
from reconciler.poll.fetches import read_one
from reconciler.poll.taking import Taking
from reconciler.reconcile.novelty import says_more
from reconciler.stripe_api.envelope import is_name
from reconciler.stripe_api.translate import UnreadableObject

_KINDS: Final = (
    ("pi_", FetchKind.PAYMENT_INTENT),
    ("ch_", FetchKind.CHARGE),
    ("py_", FetchKind.CHARGE),
)
# One payment leaves a read or two open; whatever is beyond this, the daemon reads.
READS_MAX: Final = 20
_SUMS: Final = ("received", "refunded", "disputed")


@group.command("refresh")
def refresh(
    payment_id: Annotated[
        str, typer.Argument(metavar="ID", help="A PaymentIntent's id (pi_...), or a charge's.")
    ],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Read one payment from Stripe now, and book what it says."""
    asked = _asked(payment_id)
    settings = settings_of(config)
    require(settings, "mode", "api_key")
    with database(settings) as db:
        poller = Poller(db=db, gateway=gateway_of(settings), inbox=inbox_of(settings, db), now=now)
        is_changed = _read(poller, asked)
        payment = _payment_of(db, payment_id)
    if as_json:
        say_json({"id": payment_id, "is_changed": is_changed, "payment": payment})
        return
    what = "the books have changed" if is_changed else "nothing new"
    say_wrapped(f"{payment_id} was read from Stripe: {what}. {_words(payment)}")


def _asked(payment_id: str) -> Doubt:
    """What an id names, told before Stripe is asked."""
    kind = next((kind for prefix, kind in _KINDS if payment_id.startswith(prefix)), None)
    if kind is None or not is_name(payment_id):
        raise Refused(
            f"{payment_id!r} is no payment's id: name a PaymentIntent (pi_...) or a charge (ch_..., py_...);"
            " `reconciler payments list` shows them"
        )
    return Doubt(kind, payment_id, "refresh")


def _read(poller: Poller, asked: Doubt) -> bool:
    """Read it, and what that leaves open, as the daemon would; returns whether the books say more than before."""
    left, read, decided = [asked], set[tuple[FetchKind, str]](), list[Decision]()
    taking = Taking(source=Source.MANUAL, decided=lambda _tx, each: decided.append(each))
    while left and len(read) < READS_MAX:
        for each in left[:READS_MAX]:
            try:
                read_one(poller, Fetch(*each, poller.now(), 0), taking)
            except UnreadableObject as error:
                words = f"Stripe's answer about {each.object_id} can't be read: {error}"
                raise Refused(words, 3) from None
            read.add((each.kind, each.object_id))
        left = _left(decided[-len(left) :], read)
    return any(map(_says_more, decided))


def _left(decided: Sequence[Decision], read: Collection[tuple[FetchKind, str]]) -> list[Doubt]:
    """What of these payments only a read can decide, and was not read yet."""
    found = {
        (each.kind, each.object_id): each
        for decision in decided
        for payment in decision.payments
        for each in sorted(doubts(payment.book))
    }
    return [each for key, each in sorted(found.items()) if key not in read]


def _says_more(decision: Decision) -> bool:
    """Whether anything but the time of the last look is new."""
    return bool(
        decision.invoices
        or decision.opened
        or decision.cleared
        or any(each.is_moved or says_more(each.before, each.book) for each in decision.payments)
    )


def _payment_of(db: Database, object_id: str) -> dict[str, Any] | None:
    with db.reading() as tx:
        id_ = queries.payment_named(tx, object_id)
        return queries.payment(tx, id_) if id_ is not None else None


def _words(payment: Mapping[str, Any] | None) -> str:
    if payment is None:
        return "It belongs to no payment that is booked yet."
    sums = (f"{money(payment[f'amount_{each}'], payment['currency'])} {each}" for each in _SUMS)
    return f"Payment {payment['id']} is {payment['status']}: {', '.join(sums)}."
