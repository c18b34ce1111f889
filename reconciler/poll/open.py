"""Which payments are not over yet, and what has become of them?

No list can tell: PaymentIntents are listed by when they were made, and one of May may be paid in June
(https://docs.stripe.com/api/payment_intents/list). So each payment that is not final is read again by its id, often while it
is young and ever more rarely, but for ever; so are its refunds in flight and its disputes, which may end months later.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from reconciler.core.doubts import FetchKind
from reconciler.core.observation import ms
from reconciler.core.schedule import DAY_MS, Window, falls_due
from reconciler.db import evidence, payments, sweeps
from reconciler.db.naming import Naming, naming_stripe
from reconciler.poll import rights
from reconciler.poll.lists import take_page
from reconciler.poll.poller import Poller
from reconciler.poll.runs import Tally, recorded
from reconciler.stripe_api.pager import pages
from reconciler.stripe_api.problems import ProblemKind, StripeProblem

NAME: Final = "open"
SESSIONS: Final = "/v1/checkout/sessions"
_KIND: Final = FetchKind.CHECKOUT_SESSION.value
# Asked for and not read yet, oldest first. The rest waits for the next tick.
CHECKS_MAX: Final = 500
BATCH: Final = 100
# A link that is shared by more Sessions than that in so many days is read by the other lists.
LINK_PAGES_MAX: Final = 50
LINK_REACH: Final = timedelta(days=35)


@dataclass
class Round:
    """One look at what all open invoices name, which may take several ticks: when it is due, and how far it has come."""

    span: Window | None = None
    after: str | None = None


def sweep_open(poller: Poller, begun: Round | None = None) -> None:
    """Ask for a read of every payment, and of what open invoices name, whose next look is due; `read_due` reads them.

    A round that one tick can't end goes on with the next one that is given the same `begun`.
    """
    begun = begun or Round()
    with recorded(poller, NAME) as tally:
        with poller.db.reading() as tx:
            room = CHECKS_MAX - evidence.waiting_checks(tx, poller.now())
        room -= _ask_for_payments(poller, room, tally)
        span = begun.span = begun.span or _span(poller)
        links, after, is_all = _ask_for_invoices(poller, span, begun.after, room, tally)
        _list_all(poller, links, tally)
        begun.after = after
        if is_all:
            begun.span = begun.after = None
            tally.covered(span)


def _span(poller: Poller) -> Window:
    now = poller.now()
    with poller.db.reading() as tx:
        before = sweeps.covered_until(tx, NAME)
    return Window(ms(before or now - LINK_REACH), ms(now))


def _ask_for_payments(poller: Poller, room: int, tally: Tally) -> int:
    """Ask for what is due, as far as there is room; returns for how many payments."""
    asked = 0
    while asked < room:
        now = poller.now()
        with poller.db.reading() as tx:
            due = payments.due_checks(tx, now, limit=min(BATCH, room - asked))
        if not due:
            break
        with poller.db.writing() as tx:
            # The next look is set before the first one is had: whatever it shows, it is not due again at once.
            payments.checked(tx, due, now)
            wanted = [each for check in due for each in check.objects]
            evidence.ask(tx, wanted, evidence.CHECK, now)
        asked += len(due)
    tally.objects += asked
    return asked


def _ask_for_invoices(
    poller: Poller, span: Window, after: str | None, room: int, tally: Tally
) -> tuple[list[str], str | None, bool]:
    """Ask for what open invoices name and nobody has seen, behind an invoice and as far as there is room.

    Returns the Payment Links whose Sessions must be listed, the last invoice looked at, and whether none is left.
    """
    links: dict[str, None] = {}
    table, payable = poller.inbox.policy.invoices, poller.inbox.policy.rules.payable
    asked = 0
    while asked < room:
        with poller.db.reading() as tx:
            found = naming_stripe(tx, table, payable, after=after, limit=BATCH)
        due = [each for each in found if falls_due(_created_ms(each, span), span)]
        wanted = [each for named in due for each in _unseen(named)]
        if wanted:
            with poller.db.writing() as tx:
                evidence.ask(tx, wanted, evidence.CHECK, poller.now())
        links |= {each.link_id: None for each in due if each.link_id}
        asked += len(due)
        tally.objects += len(due)
        if len(found) < BATCH:
            return list(links), after, True
        after = found[-1].invoice_id
    return list(links), after, False


def _created_ms(named: Naming, span: Window) -> int:
    # A table that does not tell how old its rows are is looked at daily.
    return ms(named.created_at) if named.created_at else span.until_ms // DAY_MS * DAY_MS - DAY_MS


def _unseen(named: Naming) -> list[tuple[str, str]]:
    asked = (("payment_intent", named.intent_id), ("checkout_session", named.session_id))
    return [(kind, id_) for kind, id_ in asked if id_]


def _list_all(poller: Poller, links: Sequence[str], tally: Tally) -> None:
    """Take in what was opened by these links, and ask nobody any more about those that could be listed."""
    listed = [link for link in links if _list_sessions(poller, link, tally)]
    if listed:
        with poller.db.writing() as tx:
            rights.there(tx, [_KIND, *map(_subject, listed)], poller.now())


def _list_sessions(poller: Poller, link_id: str, tally: Tally) -> bool:
    """Take in what was opened by a link; returns whether that could be listed.

    If not, it is a person's matter, and keeps no other link waiting.
    """
    since = int((poller.now() - LINK_REACH).timestamp())
    asked = {"payment_link": link_id, "created": {"gte": since}}
    try:
        for page in pages(poller.gateway, SESSIONS, asked, pages_max=LINK_PAGES_MAX):
            take_page(poller, page, tally)
    except StripeProblem as problem:
        if problem.kind is ProblemKind.UNAVAILABLE:
            raise
        subject = _KIND if problem.kind is ProblemKind.FORBIDDEN else _subject(link_id)
        with poller.db.writing() as tx:
            rights.missing(tx, subject, problem, poller.now())
        return False
    return True


def _subject(link_id: str) -> str:
    return f"payment_link {link_id}"
