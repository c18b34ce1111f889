"""What did the webhook miss, and what could its events not decide?

Sweeps ask Stripe and end where the webhook ends: in `inbox.accept` and `apply_payment_state`. None holds a transaction while
it waits for an answer.
"""

from reconciler.poll.events import EventsSweep, sweep_events
from reconciler.poll.fetches import read_due
from reconciler.poll.poller import Poller

__all__ = ["EventsSweep", "Poller", "read_due", "sweep_events"]
