"""Which money moved that nobody told us of?

`GET /v1/balance_transactions` by `created`, with the source of each: a balance transaction is stamped when money moves and
never changes (https://docs.stripe.com/api/balance_transactions/list). It brings every charge, refund and dispute that
moved something, whether or not an event was ever made for it, and with it fee, net and settlement currency.
"""

from dataclasses import dataclass
from typing import Final

from reconciler.core.observation import moment, ms
from reconciler.core.schedule import DAY_MS, SECOND_MS, Window, slices, window
from reconciler.db import sweeps
from reconciler.db.session import Tx
from reconciler.poll.lists import take_page
from reconciler.poll.poller import Poller
from reconciler.poll.runs import Tally, recorded
from reconciler.stripe_api.pager import pages

CURSOR: Final = "money"
PATH: Final = "/v1/balance_transactions"
FIRST_REACH_MS: Final = 35 * DAY_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class MoneySweep:
    """One depth of the sweep: its name in `sweep_runs`, and how far it reaches back behind the cursor."""

    name: str
    overlap_s: int
    lag_s: int


def sweep_money(poller: Poller, sweep: MoneySweep) -> None:
    """Take in all that moved from behind the cursor until a moment ago. Raises StripeProblem, StorageUnavailable, Stopped."""
    with recorded(poller, sweep.name) as tally:
        date_ms = poller.gateway.date_ms()
        wanted = window(
            position_ms=_position_ms(poller, date_ms),
            date_ms=date_ms,
            overlap_ms=sweep.overlap_s * SECOND_MS,
            lag_ms=sweep.lag_s * SECOND_MS,
        )
        for part in slices(wanted):
            _take_slice(poller, part, tally)


def _position_ms(poller: Poller, date_ms: int) -> int:
    """Where the cursor stands; before the first sweep, the day from which everything counts, if one was given."""
    with poller.db.reading() as tx:
        at = sweeps.position(tx, CURSOR)
    return ms(at) if at else poller.inbox.policy.rules.since_ms or date_ms - FIRST_REACH_MS


def _take_slice(poller: Poller, part: Window, tally: Tally) -> None:
    def complete(tx: Tx) -> None:
        poller.fence(tx)
        sweeps.move(tx, CURSOR, moment(part.until_ms), poller.now())

    created = {"gte": part.since_ms // SECOND_MS, "lt": part.until_ms // SECOND_MS}
    asked = {"created": created, "expand": ["data.source"]}
    for page in pages(poller.gateway, PATH, asked):
        take_page(poller, page, tally, besides=complete if page.is_last else None)
    tally.covered(part)
