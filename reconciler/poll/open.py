"""Which payments are not over yet, and what has become of them?

No list can tell: PaymentIntents are listed by when they were made, and one of May may be paid in June
(https://docs.stripe.com/api/payment_intents/list). So each payment that is not final is read again by its id, often while it
is young and ever more rarely, but for ever; so are its refunds in flight and its disputes, which may end months later.
"""

from datetime import timedelta
from typing import Final

from reconciler.core.observation import ms
from reconciler.core.schedule import Window, falls_due
from reconciler.db import evidence, payments, sweeps
from reconciler.db import invoices as invoice_rows
from reconciler.db.invoices import Naming
from reconciler.poll.lists import take_page
from reconciler.poll.poller import Poller
from reconciler.poll.runs import Tally, recorded
from reconciler.stripe_api.pager import pages

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
        for link in _ask_for_invoices(poller, span, tally):
            _list_sessions(poller, link, tally)
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


def _ask_for_invoices(poller: Poller, span: Window, tally: Tally) -> list[str]:
    """Ask for what open invoices name and nobody has seen; returns the Payment Links whose Sessions must be listed."""
    links: dict[str, None] = {}
    after: str | None = ""
    while after is not None and tally.objects < CHECKS_MAX:
        with poller.db.reading() as tx:
            table, rules = poller.inbox.policy.invoices, poller.inbox.policy.rules
            found = invoice_rows.naming_stripe(tx, table, rules.payable, after=after, limit=BATCH)
        due = [each for each in found if falls_due(ms(each.created_at), span)]
        wanted = [each for named in due for each in _unseen(named)]
        if wanted:
            with poller.db.writing() as tx:
                evidence.ask(tx, wanted, evidence.CHECK, poller.now())
        links |= {each.link_id: None for each in due if each.link_id}
        tally.objects += len(due)
        after = found[-1].invoice_id if len(found) == BATCH else None
    return list(links)


def _unseen(named: Naming) -> list[tuple[str, str]]:
    asked = (("payment_intent", named.intent_id), ("checkout_session", named.session_id))
    return [(kind, id_) for kind, id_ in asked if id_]


def _list_sessions(poller: Poller, link_id: str, tally: Tally) -> None:
    since = int((poller.now() - LINK_REACH).timestamp())
    asked = {"payment_link": link_id, "created": {"gte": since}}
    for page in pages(poller.gateway, SESSIONS, asked, pages_max=LINK_PAGES_MAX):
        take_page(poller, page, tally)
