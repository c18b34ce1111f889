"""Which invoices did the app change, or add, without telling us?

No network. The app writes its own table whenever it likes: an amount, a word, a number that a payment named long before
the invoice was there. Whatever differs from what was settled goes through the one door.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from reconciler.apply import apply_payment_state
from reconciler.core.exceptions import ExceptionKind
from reconciler.core.observation import InvoiceSeen, Source, ms
from reconciler.core.schedule import Window
from reconciler.db import alerts, astray
from reconciler.db.batches import together_or_apart
from reconciler.db.invoices import UnreadableInvoice
from reconciler.db.session import Tx
from reconciler.poll import rights
from reconciler.poll.poller import Poller
from reconciler.poll.runs import Tally, line_of, recorded

log = structlog.get_logger(__name__)

NAME: Final = "invoices"
BATCH: Final = 100
# One statement compares so many: a table of millions must not meet the database's time limit.
STRETCH: Final = 20_000
# In one tick; the rest waits for the next.
STRETCHES_MAX: Final = 10
CHANGES_MAX: Final = 5_000
# What another invoice said may have been in the way meanwhile: a value that fits two invoices names none.
LOOK_AGAIN: Final = timedelta(days=1)


@dataclass
class Walk:
    """How far the comparison of the invoices has come, and the search for those that are gone; the next tick goes on there."""

    after: str | None = None
    looked_for: str | None = None


def sweep_invoices(poller: Poller, walk: Walk | None = None) -> None:
    """Settle every invoice again that is not as it was settled, or that something names which is not theirs."""
    walk = walk or Walk()
    with recorded(poller, NAME) as tally:
        begun_ms = ms(poller.now())
        _settle_gone(poller, walk, tally)
        for _ in range(STRETCHES_MAX):
            found, last = _compare(poller, walk.after)
            for start in range(0, len(found), BATCH):
                part = found[start : start + BATCH]
                with poller.db.writing() as tx:
                    tally.found += _settle(poller, tx, part, poller.now())
                tally.objects += len(part)
                walk.after = part[-1]
                if tally.objects >= CHANGES_MAX:
                    return
            walk.after = last
            if last is None:
                break
        tally.covered(Window(begun_ms, begun_ms))


def _settle_gone(poller: Poller, walk: Walk, tally: Tally) -> None:
    """A stretch a tick is soon enough: nobody deletes an invoice that was paid and waits for us."""
    invoices = poller.inbox.policy.invoices
    with poller.db.reading() as tx:
        gone, last = astray.next_gone(tx, invoices, after=walk.looked_for or "", length=STRETCH)
    for start in range(0, min(len(gone), CHANGES_MAX), BATCH):
        part = gone[start : start + BATCH]
        with poller.db.writing() as tx:
            tally.found += _settle(poller, tx, part, poller.now())
        tally.objects += len(part)
    if len(gone) <= CHANGES_MAX:
        walk.looked_for = last


def _compare(poller: Poller, after: str | None) -> astray.Stretch:
    policy = poller.inbox.policy
    with poller.db.reading() as tx:
        return astray.next_stretch(
            tx,
            policy.invoices,
            policy.rules.payable,
            looked_since=poller.now() - LOOK_AGAIN,
            after=after,
            length=STRETCH,
        )


def _settle(poller: Poller, tx: Tx, ids: Sequence[str], now: datetime) -> int:
    """Settle these invoices; one that can't be is a person's matter. Returns how many changed."""
    policy = poller.inbox.policy

    def settle(part: Sequence[str]) -> int:
        seen = [InvoiceSeen(each) for each in part]
        decision = apply_payment_state(tx, seen, source=Source.POLL, now=now, policy=policy)
        rights.there(tx, [f"invoice {each}" for each in part], now)
        return len(decision.invoices)

    bad: set[str] = set()

    def refused(id_: str, error: Exception) -> None:
        bad.add(id_)
        subject, kind = f"invoice {id_}", ExceptionKind.READ_FORBIDDEN
        words = str(error) if isinstance(error, UnreadableInvoice) else line_of(error)
        if alerts.open_alert(tx, kind=kind, subject=subject, fingerprint=words, now=now):
            log.error("invoice.not_settled", subject=subject, problem=words)

    settled = sum(together_or_apart(tx, ids, settle, refused))
    for id_ in astray.stays_apart(
        tx, policy.invoices, policy.rules.payable, [each for each in ids if each not in bad]
    ):
        refused(id_, UnreadableInvoice("what we write to it does not stay: look for a trigger"))
    astray.looked_for(tx, policy.invoices, ids, now)
    return settled
