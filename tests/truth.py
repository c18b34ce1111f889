"""Are the books as the simulated Stripe knows them to be, with nothing left to do?"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from reconciler.apply import Policy
from reconciler.core.observation import ms
from reconciler.db import events, queries
from reconciler.db.session import Database
from reconciler.simulator.truth import truth_of
from reconciler.simulator.world import World
from reconciler.verify import verify

_UNDONE = ("failed", "dead", "deferred")


def problems(db: Database, world: World, policy: Policy, *, now: datetime) -> list[str]:
    """Whatever differs from the truth, waits, or breaks an invariant: one line each."""
    report = verify(db, policy, now=now, rebuild=True, inbox=True)
    return [
        *differences(db, world),
        *_left_to_do(db),
        *(f"verify: {each.subject} {each.what}" for each in report.problems),
    ]


def differences(db: Database, world: World, *, renamed: frozenset[str] = frozenset()) -> list[str]:
    """Each word and sum of an invoice, and each payment without one, that is not as it is in truth.

    Of the payments in `renamed` nobody can know any more whose they are.
    """
    with db.reading() as tx:
        rows = {row["id"]: row for row in queries.invoices(tx, limit=100_000)}
        settled = {id_: queries.settlement(tx, id_) or {} for id_ in rows}
        paid = [row for row in queries.payments(tx, limit=100_000) if row["amount_received"]]
        unmatched = {row["id"] for row in paid if not queries.allocated_minor(tx, row["id"])}
    truth = truth_of(world)
    found = [
        f"{rows[id_]['number']}: {name} is {value}, in truth {getattr(told, name)}"
        for id_, told in truth.invoices.items()
        for name, value in _here(rows[id_], settled[id_]).items()
        if value != getattr(told, name)
    ]
    received = {each["id"] for each in world.every("payment_intent") if each["amount_received"]}
    if unmatched != (truth.unmatched | renamed) & received:
        found.append(f"{len(unmatched)} payments are unmatched, in truth {len(truth.unmatched)}")
    return found


def _left_to_do(db: Database) -> list[str]:
    with db.reading() as tx:
        waiting = queries.fetch_backlog(tx)[0]
        states = events.counts(tx)
    left = [f"{waiting} objects still wait to be read"] if waiting else []
    return [*left, *(f"{states[each]} events are {each}" for each in _UNDONE if each in states)]


def _here(row: Mapping[str, Any], settled: Mapping[str, Any]) -> dict[str, Any]:
    paid_at = row["paid_at"]
    return {
        "status": row["status"],
        "payment_status": row["payment_status"],
        "paid_at_ms": ms(paid_at) if paid_at else None,
        **{name: settled.get(name) or 0 for name in ("received", "refunded", "disputed", "net")},
    }
