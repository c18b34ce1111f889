"""What does every sweep need?"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from reconciler.db.session import Database
from reconciler.inbox import Inbox
from reconciler.stripe_api.gateway import Gateway


@dataclass(frozen=True, slots=True, kw_only=True)
class Poller:
    """The database, Stripe, the inbox that both doors share, and our clock."""

    db: Database
    gateway: Gateway
    inbox: Inbox
    now: Callable[[], datetime]
