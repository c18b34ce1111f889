"""How much stood on the account's balance at a moment that is past?

Stripe tells only what stands there now (https://docs.stripe.com/api/balance/balance_object). What it stood at is that, less all
that has moved since; every movement is a balance transaction. Money that moves while we ask would be in one answer and not in
the other: the balance is read before and after, and if it is another one, all is asked for anew.
"""

from collections import Counter
from typing import Any, Final

import msgspec
import structlog

from reconciler.core.schedule import SECOND_MS
from reconciler.poll.poller import Poller
from reconciler.stripe_api.gateway import Gateway
from reconciler.stripe_api.pager import pages
from reconciler.stripe_api.problems import ProblemKind, StripeProblem

log = structlog.get_logger(__name__)

BALANCE: Final = "/v1/balance"
TRANSACTIONS: Final = "/v1/balance_transactions"
TRIES: Final = 3
# A hundred thousand movements since then: whoever closes a month a month later may still know its balance.
PAGES_MAX: Final = 1000


class _Money(msgspec.Struct):
    amount: int
    currency: str


class _Funds(msgspec.Struct):
    available: list[_Money] = []
    pending: list[_Money] = []


class _Balance(msgspec.Struct, tag_field="object", tag="balance"):
    """All the balances on which a transaction can fall, by its `balance_type`.

    What is reserved for connected accounts is none of them: it has left the balance by a transaction of its own.
    """

    available: list[_Money]
    pending: list[_Money]
    issuing: _Funds | None = None
    refund_and_dispute_prefunding: _Funds | None = None
    risk_reserved: _Funds | None = None


class _Moved(msgspec.Struct):
    net: int
    currency: str


def closing(poller: Poller, until_ms: int) -> dict[str, int] | None:
    """The balance by settlement currency at a whole second of Stripe's time; None if that can't be known.

    It can't where too much has moved since, where money moves each time that it is asked for, or where Stripe's answer can't be
    used. Raises StripeProblem (UNAVAILABLE, or FORBIDDEN: that can be mended) or Stopped.
    """
    why = "money moves all the time"
    try:
        for _ in range(TRIES):
            before = _balance(poller.gateway)
            since = _moved_since(poller.gateway, until_ms)
            if since is None:
                why = "too much has moved since"
                break
            if _balance(poller.gateway) == before:
                before.subtract(since)
                return dict(sorted(before.items()))
    except StripeProblem as problem:
        if problem.kind in {ProblemKind.UNAVAILABLE, ProblemKind.FORBIDDEN}:
            raise
        why = problem.kind.value
    log.warning("balance.not_known", why=why)
    return None


def _balance(gateway: Gateway) -> Counter[str]:
    """All that stands there now, whether or not it can be paid out already."""
    answer = gateway.ask(BALANCE)
    found = _decoded(answer.body, _Balance, answer.request_id)
    total: Counter[str] = Counter()
    others = (found.issuing, found.refund_and_dispute_prefunding, found.risk_reserved)
    for funds in (found, *filter(None, others)):
        for each in (*funds.available, *funds.pending):
            total[each.currency.lower()] += each.amount
    return total


def _moved_since(gateway: Gateway, since_ms: int) -> Counter[str] | None:
    """The sum of all movements since a moment; None if there are too many."""
    total: Counter[str] = Counter()
    created = {"gte": since_ms // SECOND_MS}
    for number, page in enumerate(pages(gateway, TRANSACTIONS, {"created": created}), start=1):
        for body in page.objects:
            moved = _decoded(body, _Moved, page.request_id)
            total[moved.currency.lower()] += moved.net
        if number == PAGES_MAX and not page.is_last:
            return None
    return total


def _decoded(body: bytes, shape: type[Any], evidence: str) -> Any:
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, RecursionError):
        words = f"the answer cannot be read ({evidence})"
        raise StripeProblem(ProblemKind.UNREADABLE, words) from None
