"""Which invoices did the app change, or add, without telling us?

No network. The app writes its own table whenever it likes: an amount, a word, a number that a payment named long before
the invoice was there. Whatever differs from what was settled goes through the one door.
"""

from datetime import timedelta
from typing import Final

from reconciler.apply import apply_payment_state
from reconciler.core.observation import InvoiceSeen, Source
from reconciler.db import astray
from reconciler.poll.poller import Poller
from reconciler.poll.runs import recorded

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
                seen = [InvoiceSeen(each) for each in found]
                with poller.db.writing() as tx:
                    decision = apply_payment_state(
                        tx, seen, source=Source.POLL, now=now, policy=policy
                    )
                    astray.looked_for(tx, policy.invoices, found, now)
                tally.objects += len(found)
                tally.found += len(decision.invoices)
            if len(found) < BATCH:
                return
            after = found[-1]
