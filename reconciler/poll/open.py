"""Which payments are not over yet, and what has become of them?

No list can tell: PaymentIntents are listed by when they were made, and one of May may be paid in June
(https://docs.stripe.com/api/payment_intents/list). So each payment that is not final is read again by its id, often while it
is young and ever more rarely, but for ever; so are its refunds in flight and its disputes, which may end months later.
"""

from datetime import timedelta
from typing import Final

import structlog

from reconciler.core.exceptions import ExceptionKind
from reconciler.core.observation import ms
from reconciler.core.schedule import Window, falls_due
from reconciler.db import alerts, evidence, payments, sweeps
from reconciler.db import invoices as invoice_rows
from reconciler.db.invoices import Naming
from reconciler.poll.lists import take_page
from reconciler.poll.poller import Poller
from reconciler.poll.runs import Tally, line_of, recorded
from reconciler.stripe_api.pager import pages
from reconciler.stripe_api.problems import ProblemKind, StripeProblem

log = structlog.get_logger(__name__)

NAME: Final = "open"
SESSIONS: Final = "/v1/checkout/sessions"
# In one tick, oldest first. The rest waits for the next.
CHECKS_MAX: Final = 500
BATCH: Final = 100
# A link that is shared by more Sessions than that in so many days is read by the other lists.
LINK_PAGES_MAX: Final = 50
LINK_REACH: Final = timedelta(days=35)


def sweep_open(poller: Poller) -> None:
    """Ask for a read of every payment, and of what open invoices name, whose next look is due; `read_due` reads them."""
    with recorded(poller, NAME) as tally:
        now = poller.now()
        with poller.db.reading() as tx:
            before = sweeps.covered_until(tx, NAME)
        since = before or now - LINK_REACH
        _ask_for_payments(poller, tally)
        span = Window(ms(since), ms(now))
        links, is_all = _ask_for_invoices(poller, span, tally)
        for link in links:
            _list_sessions(poller, link, tally)
        if is_all:
            tally.covered(span)


def _ask_for_payments(poller: Poller, tally: Tally) -> None:
    for _ in range(0, CHECKS_MAX, BATCH):
        now = poller.now()
        with poller.db.reading() as tx:
            due = payments.due_checks(tx, now, limit=BATCH)
        if not due:
            return
        with poller.db.writing() as tx:
            # The next look is set before the first one is had: whatever it shows, it is not due again at once.
            payments.checked(tx, due, now)
            wanted = [each for check in due for each in check.objects]
            evidence.ask(tx, wanted, evidence.CHECK, now)
        tally.objects += len(due)


def _ask_for_invoices(poller: Poller, span: Window, tally: Tally) -> tuple[list[str], bool]:
    """Ask for what open invoices name and nobody has seen.

    Returns the Payment Links whose Sessions must be listed, and whether that was all: what has been read by the next tick
    is asked for no more, so that others have their turn.
    """
    links: dict[str, None] = {}
    table, payable = poller.inbox.policy.invoices, poller.inbox.policy.rules.payable
    after, asked = "", 0
    while asked < CHECKS_MAX:
        with poller.db.reading() as tx:
            found = invoice_rows.naming_stripe(tx, table, payable, after=after, limit=BATCH)
        due = [each for each in found if falls_due(ms(each.created_at), span)]
        wanted = [each for named in due for each in _unseen(named)]
        if wanted:
            with poller.db.writing() as tx:
                evidence.ask(tx, wanted, evidence.CHECK, poller.now())
        links |= {each.link_id: None for each in due if each.link_id}
        asked += len(due)
        tally.objects += len(due)
        if len(found) < BATCH:
            return list(links), True
        after = found[-1].invoice_id
    return list(links), False


def _unseen(named: Naming) -> list[tuple[str, str]]:
    asked = (("payment_intent", named.intent_id), ("checkout_session", named.session_id))
    return [(kind, id_) for kind, id_ in asked if id_]


def _list_sessions(poller: Poller, link_id: str, tally: Tally) -> None:
    """Take in what was opened by a link. One that can't be listed is a person's matter, and keeps no other one waiting."""
    since = int((poller.now() - LINK_REACH).timestamp())
    asked = {"payment_link": link_id, "created": {"gte": since}}
    try:
        for page in pages(poller.gateway, SESSIONS, asked, pages_max=LINK_PAGES_MAX):
            take_page(poller, page, tally)
    except StripeProblem as problem:
        if problem.kind is ProblemKind.UNAVAILABLE:
            raise
        _call_a_person(poller, link_id, problem)


def _call_a_person(poller: Poller, link_id: str, problem: StripeProblem) -> None:
    kind, subject, now = ExceptionKind.READ_FORBIDDEN, f"payment_link {link_id}", poller.now()
    with poller.db.writing() as tx:
        cause = problem.kind.value
        if alerts.open_alert(tx, kind=kind, subject=subject, fingerprint=cause, now=now):
            log.error("link.not_listed", subject=subject, problem=line_of(problem))
