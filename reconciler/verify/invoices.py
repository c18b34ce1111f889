"""Is each invoice settled with exactly the money that is allocated to it, and as its payments make it?"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from reconciler.core.known import Known
from reconciler.db.audits import pages
from reconciler.db.session import Tx
from reconciler.verify.deciding import about, decide_again, exceptions_of
from reconciler.verify.findings import Problem
from reconciler.verify.scope import Scope

_COVERED: Final = re.compile(r"received (-?\d+), net -?\d+ of (-?\d+) ")


def check_invoices(tx: Tx, ids: Sequence[str], scope: Scope) -> Iterator[Problem]:
    """Check invoices that were ever settled, as they stand at one moment."""
    settled = pages.settlements_of(tx, ids)
    yield from _sums(tx, settled)
    yield from _steps(tx, ids)
    decision, _ = decide_again(tx, Known(), frozenset(ids), scope)
    found = [
        *(each for change in decision.invoices for each in about(change)),
        *exceptions_of(decision, lambda _subject: True),
    ]
    yield from scope.unless_awaited(tx, found, ids)


def _sums(tx: Tx, settled: Mapping[str, Mapping[str, Any]]) -> Iterator[Problem]:
    placed = pages.placed_minor(tx, settled)
    for id_, row in sorted(settled.items()):
        # The door never reads this column: it is there for others, so nothing else would notice.
        if row["net"] != row["received"] - row["refunded"] - row["disputed"]:
            what = f"its net {row['net']} is not what its sums give"
            yield Problem(f"invoice {id_}", what, check="net")
        allocated = placed.get(id_, 0)
        # One whose row is gone was settled with nothing, and what was its is told of its payments.
        if row["status"] is not None and row["received"] != allocated:
            what = f"it was settled with {row['received']}, and {allocated} is allocated to it"
            yield Problem(f"invoice {id_}", what, check="money")


def _steps(tx: Tx, ids: Sequence[str]) -> Iterator[Problem]:
    """The audit trail says with what an invoice became paid, and that must have been enough."""
    for id_, sentence in pages.paid_steps(tx, ids):
        found = _COVERED.match(sentence)
        if found is None:
            yield Problem(
                f"invoice {id_}", "the step to paid does not say for how much", check="paid_step"
            )
            continue
        received, due = map(int, found.groups())
        if received < due:
            what = f"it became paid with {received} of {due}"
            yield Problem(f"invoice {id_}", what, check="paid_step")
