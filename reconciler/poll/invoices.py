"""Which invoices did the app change, or add, without telling us?

No network. The app writes its own table whenever it likes: an amount, a word, a number that a payment named long before
the invoice was there. Whatever differs from what was settled goes through the one door.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog

from reconciler.apply import apply_payment_state
from reconciler.core.exceptions import ExceptionKind
from reconciler.core.observation import InvoiceSeen, Source
from reconciler.db import alerts, astray
from reconciler.db.batches import together_or_apart
from reconciler.db.invoices import UnreadableInvoice
from reconciler.db.session import Tx
from reconciler.poll import rights
from reconciler.poll.poller import Poller
from reconciler.poll.runs import line_of, recorded

log = structlog.get_logger(__name__)

NAME: Final = "invoices"
BATCH: Final = 100
# In one tick; the rest waits for the next.
ROUNDS_MAX: Final = 50
# What another invoice said may have been in the way meanwhile: a value that fits two invoices names none.
LOOK_AGAIN: Final = timedelta(days=1)


def sweep_invoices(poller: Poller) -> None:
    """Settle every invoice again that is not as it was settled, or that something names which is not theirs."""
    policy = poller.inbox.policy
    with recorded(poller, NAME) as tally:
        after: str | None = None
        for _ in range(ROUNDS_MAX):
            now = poller.now()
            with poller.db.reading() as tx:
                found = astray.next_page(
                    tx,
                    policy.invoices,
                    policy.rules.payable,
                    looked_since=now - LOOK_AGAIN,
                    after=after,
                    limit=BATCH,
                )
            if found:
                with poller.db.writing() as tx:
                    tally.found += _settle(poller, tx, found, now)
                tally.objects += len(found)
            if len(found) < BATCH:
                return
            after = found[-1]


def _settle(poller: Poller, tx: Tx, ids: Sequence[str], now: datetime) -> int:
    """Settle these invoices; one that can't be is a person's matter. Returns how many changed."""
    policy = poller.inbox.policy

    def settle(part: Sequence[str]) -> int:
        seen = [InvoiceSeen(each) for each in part]
        decision = apply_payment_state(tx, seen, source=Source.POLL, now=now, policy=policy)
        rights.there(tx, [f"invoice {each}" for each in part], now)
        return len(decision.invoices)

    def refused(id_: str, error: Exception) -> None:
        subject, kind = f"invoice {id_}", ExceptionKind.READ_FORBIDDEN
        words = str(error) if isinstance(error, UnreadableInvoice) else line_of(error)
        if alerts.open_alert(tx, kind=kind, subject=subject, fingerprint=words, now=now):
            log.error("invoice.not_settled", subject=subject, problem=words)

    settled = sum(together_or_apart(tx, ids, settle, refused))
    astray.looked_for(tx, policy.invoices, ids, now)
    return settled
