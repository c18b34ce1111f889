"""Which money moved that nobody told us of?

`GET /v1/balance_transactions` by `created`, with the source of each: a balance transaction is stamped when money moves and
never changes (https://docs.stripe.com/api/balance_transactions/list). It brings every charge, refund and dispute that
moved something, whether or not an event was ever made for it, and with it fee, net and settlement currency.
"""

from typing import Final

from reconciler.core.observation import moment
from reconciler.core.schedule import DAY_MS, SECOND_MS, Window, window
from reconciler.db import sweeps
from reconciler.db.session import Tx
from reconciler.poll import rights
from reconciler.poll.depth import Depth, parts, position_ms
from reconciler.poll.lists import take_page
from reconciler.poll.poller import Poller
from reconciler.poll.runs import Tally, recorded
from reconciler.stripe_api.pager import pages

CURSOR: Final = "money"
KIND: Final = "balance_transaction"
PATH: Final = "/v1/balance_transactions"
FIRST_REACH_MS: Final = 35 * DAY_MS


def sweep_money(poller: Poller, depth: Depth) -> None:
    """Take in all that moved from behind the cursor until a moment ago. Raises StripeProblem, StorageUnavailable, Stopped."""
    with recorded(poller, depth.name) as tally, rights.watched(poller, KIND):
        date_ms = poller.gateway.date_ms(PATH)
        position = position_ms(poller, CURSOR, otherwise_ms=date_ms - FIRST_REACH_MS)
        wanted = window(
            position_ms=position,
            date_ms=date_ms,
            overlap_ms=depth.overlap_ms,
            lag_ms=depth.lag_ms,
        )
        for part in parts(wanted, position):
            _take_slice(poller, part, tally, is_new=part.until_ms > position)


def _take_slice(poller: Poller, part: Window, tally: Tally, *, is_new: bool) -> None:
    def complete(tx: Tx) -> None:
        poller.fence(tx)
        sweeps.move(tx, CURSOR, moment(part.until_ms), poller.now())

    created = {"gte": part.since_ms // SECOND_MS, "lt": part.until_ms // SECOND_MS}
    asked = {"created": created, "expand": ["data.source"]}
    for page in pages(poller.gateway, PATH, asked):
        take_page(poller, page, tally, besides=complete if is_new and page.is_last else None)
    tally.covered(part)
