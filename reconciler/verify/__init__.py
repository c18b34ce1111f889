"""Do the stored books agree with the facts that they were derived from, and is every row such as we write them?

Deciding again must change nothing: every payment is summarised, matched and settled anew, in pages, and compared with
what is stored. With `rebuild` the facts themselves are folded again from the observations. Rules about single rows come
after that. Nothing is written, and nothing is held but a page, so that webhooks and sweeps go on beside it.
"""

from datetime import datetime, timedelta
from typing import Final

from reconciler.apply import Policy
from reconciler.db import events, facts, queries, sweeps
from reconciler.db.audits import books as of_books
from reconciler.db.audits import inbox as of_inbox
from reconciler.db.audits import pages, trail
from reconciler.db.audits import work as of_work
from reconciler.db.session import Database
from reconciler.verify.around import check_around
from reconciler.verify.findings import Problem, Report, Tally, Told
from reconciler.verify.invoices import check_invoices
from reconciler.verify.notices import check_notifications
from reconciler.verify.payments import check_payments
from reconciler.verify.scope import Scope
from reconciler.verify.walking import Walk, walk, walk_rules

__all__ = ["KEPT", "Problem", "Report", "Told", "verify"]

KEPT: Final = 1_000
"""So many problems are kept to be told; the others are counted."""

# A sweep that came to its end so recently has shown that the daemon is at work and that Stripe answers.
_ALIVE: Final = timedelta(minutes=5)
# What is due waits its turn behind other work, but not for longer.
_PATIENCE: Final = timedelta(minutes=5)
# A cursor stands before Stripe's present; clocks of machines differ a little.
_CLOCKS: Final = timedelta(minutes=2)


def verify(  # noqa: PLR0913 - what is checked, and how much is told
    db: Database,
    policy: Policy,
    *,
    now: datetime,
    rebuild: bool = False,
    inbox: bool = False,
    kept: int = KEPT,
    told: Told = lambda _part, _checked: None,
) -> Report:
    """Check the whole book page by page; no read holds a transaction for longer than a page.

    With `inbox`, what was observed must also have come by a stored event or a read. `told` hears how far it has come.
    Raises StorageUnavailable and StatementFailed: then nothing is known.
    """
    scope = _scope(db, policy, now, rebuild=rebuild)
    tally = Tally(kept, told)
    payments = walk(db, Walk("payments", queries.payment_ids, check_payments), scope, tally)
    invoices = walk(db, Walk("invoices", queries.settled_invoice_ids, check_invoices), scope, tally)
    for each in facts.AROUND:
        walk(db, Walk(each.name, pages.ids_of(each.table), check_around(each)), scope, tally)
    walk(db, Walk("notifications", pages.notification_ids, check_notifications), scope, tally)
    late = now - _PATIENCE if scope.is_alive else None
    rules = (
        *of_books.rules(late),
        *trail.rules(),
        *of_inbox.rules(late, livemode=_livemode(db), is_whole=inbox),
        *of_work.rules(now + _CLOCKS),
    )
    walk_rules(db, rules, tally)
    return Report(payments, invoices, tuple(tally.problems), tally.count, tally.awaited)


def _scope(db: Database, policy: Policy, now: datetime, *, rebuild: bool) -> Scope:
    with db.reading() as tx:
        done = sweeps.last_done(tx, "open"), sweeps.last_done(tx, "invoices")
    stripe, invoices = (each is not None and abs(now - each) <= _ALIVE for each in done)
    return Scope(policy, now, rebuild=rebuild, is_alive=stripe, invoices_swept=invoices)


def _livemode(db: Database) -> bool | None:
    with db.reading() as tx:
        mode = events.setting(tx, "mode")
    return None if mode is None else mode == "live"
