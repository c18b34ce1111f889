"""Which invoices did the app change, or add, without telling us?

No network. The app writes its own table whenever it likes: an amount, a word, a number that a payment named long before
the invoice was there. Whatever differs from what was settled goes through the one door.
"""

from typing import Final

from reconciler.apply import apply_payment_state
from reconciler.core.observation import InvoiceSeen, Source
from reconciler.db import invoices as invoice_rows
from reconciler.poll.poller import Poller
from reconciler.poll.runs import recorded

NAME: Final = "invoices"
BATCH: Final = 100
# In one tick. One that stays different for a good reason is looked at again each time, and must not hold up the others.
ROUNDS_MAX: Final = 50


def sweep_invoices(poller: Poller) -> None:
    """Settle every invoice again that is not as it was settled, or that a payment without one names."""
    policy = poller.inbox.policy
    with recorded(poller, NAME) as tally:
        after = ""
        for _ in range(ROUNDS_MAX):
            with poller.db.reading() as tx:
                found = invoice_rows.astray(
                    tx, policy.invoices, policy.rules.payable, after=after, limit=BATCH
                )
            if found:
                seen = [InvoiceSeen(each) for each in found]
                now = poller.now()
                with poller.db.writing() as tx:
                    decision = apply_payment_state(
                        tx, seen, source=Source.POLL, now=now, policy=policy
                    )
                tally.objects += len(found)
                tally.found += len(decision.invoices)
            if len(found) < BATCH:
                return
            after = found[-1]
