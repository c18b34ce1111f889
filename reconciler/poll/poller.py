"""What does every sweep need?"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from reconciler.db.session import Database, Tx
from reconciler.inbox import Inbox
from reconciler.stripe_api.gateway import Gateway


@dataclass(frozen=True, slots=True, kw_only=True)
class Poller:
    """The database, Stripe, the inbox that both doors share, and our clock.

    `fence` runs in every transaction that moves a cursor, before it does; it raises LeaseLost where another daemon leads.
    """

    db: Database
    gateway: Gateway
    inbox: Inbox
    now: Callable[[], datetime]
    fence: Callable[[Tx], None] = lambda _: None
