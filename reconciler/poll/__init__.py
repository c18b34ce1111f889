"""What did the webhook miss, and what could its events not decide?

Sweeps ask Stripe and end where the webhook ends: in `inbox.accept` and `apply_payment_state`. None holds a transaction while
it waits for an answer.
"""

from reconciler.poll.depth import Depth
from reconciler.poll.events import sweep_events
from reconciler.poll.fetches import read_due
from reconciler.poll.invoices import Walk, sweep_invoices
from reconciler.poll.money import sweep_money
from reconciler.poll.open import Round, sweep_open
from reconciler.poll.poller import Poller
from reconciler.poll.recent import RecentSweep, sweep_recent

__all__ = [
    "Depth",
    "Poller",
    "RecentSweep",
    "Round",
    "Walk",
    "read_due",
    "sweep_events",
    "sweep_invoices",
    "sweep_money",
    "sweep_open",
    "sweep_recent",
]
