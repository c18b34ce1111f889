"""What does each check go by?"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from reconciler.apply import Policy
from reconciler.core.facts import PaymentFacts
from reconciler.core.known import Known, absorb
from reconciler.db import astray, evidence, queries
from reconciler.db.session import Tx
from reconciler.verify.findings import AWAITED, Problem

# The sweep of invoices looks at one that it could not settle as it is once a day.
_LOOK_AGAIN: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Scope:
    """The rules of decisions, the moment, and whether facts are folded again.

    `is_alive` if Stripe has just answered the daemon, `invoices_swept` if it has just looked for changes of the app.
    """

    policy: Policy
    now: datetime
    rebuild: bool = False
    is_alive: bool = False
    invoices_swept: bool = False

    def unless_awaited(
        self, tx: Tx, found: Sequence[Problem], invoice_ids: Iterable[str]
    ) -> Sequence[Problem]:
        """What was found around these invoices, or AWAITED if the daemon is about to settle one because the app changed it."""
        return [AWAITED] if found and self._awaits(tx, invoice_ids) else found

    def _awaits(self, tx: Tx, invoice_ids: Iterable[str]) -> bool:
        ids = sorted(invoice_ids)
        if not ids or not self.invoices_swept:
            return False
        policy = self.policy
        since = self.now - _LOOK_AGAIN
        return astray.waits(tx, policy.invoices, policy.rules.payable, ids, looked_since=since)


PARTS: Final = ("payments", "refunds", "disputes", "sessions", "transactions")


def fold_again(tx: Tx, known: Known) -> Iterator[Problem]:
    """Fold the observations of these objects again and compare with the stored facts."""
    charges = (charge for payment in known.payments.values() for charge in payment.charges)
    around = (*known.refunds, *known.disputes, *known.sessions, *known.transactions)
    rows = queries.observations_of(tx, {*known.payments, *charges, *around})
    folded = absorb(Known(), (each for row in rows for each in evidence.unfold(row)))
    for name in PARTS:
        stored, again = getattr(known, name), getattr(folded, name)
        # Of a payment that only its refunds or disputes have named so far, nothing was observed.
        unseen = PaymentFacts() if name == "payments" else None
        for id_ in sorted(stored.keys() | again.keys()):
            if stored.get(id_, unseen) != again.get(id_, unseen):
                yield Problem(id_, "its facts differ from the observations", check="rebuild")
