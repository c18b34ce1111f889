"""What does a decision start from, on the side of the invoices?

Loaded by the shell inside the transaction, under the lock; compared, never changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from reconciler.core.invoice import Invoice, Settlement, Written
from reconciler.core.matching import Allocation
from reconciler.core.observation import Assignment
from reconciler.core.payment import Summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The settings on which a decision rests. Times in milliseconds since the epoch, durations in seconds."""

    payable: frozenset[str] = frozenset({"open"})
    since_ms: int = 0
    grace_s: int = 900
    notice_max_age_s: int = 86_400
    dispute_notices: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """An invoice as we last settled it, what we wrote then, its word since, and the total at which it was first covered."""

    settlement: Settlement
    written: Written = field(default_factory=Written)
    word: str | None = None
    covered_due_minor: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Invoices that the evidence touches, and everything around them that was decided before.

    `siblings` are the other payments of these invoices. `claims` maps an invoice to the payments whose names disagree
    and name it, `waivers` to the Sessions that asked for no money, `rivals` to the payments that may have meant it as
    well. `open_exceptions` maps (kind, subject) to the fingerprint of the ones that are open, `resolved` of those that a person resolved. `taken_back` counts of the invoices
    that are not covered how often people's decisions took back what had covered them.
    """

    invoices: Mapping[str, Invoice] = field(default_factory=dict)
    standings: Mapping[str, Standing] = field(default_factory=dict)
    allocations: Mapping[str, tuple[Allocation, ...]] = field(default_factory=dict)
    siblings: Mapping[str, Summary] = field(default_factory=dict)
    claims: Mapping[str, frozenset[str]] = field(default_factory=dict)
    waivers: Mapping[str, frozenset[str]] = field(default_factory=dict)
    rivals: Mapping[str, frozenset[str]] = field(default_factory=dict)
    open_exceptions: Mapping[tuple[str, str], str] = field(default_factory=dict)
    resolved: Mapping[tuple[str, str], str] = field(default_factory=dict)
    assignments: Mapping[str, Assignment] = field(default_factory=dict)
    taken_back: Mapping[str, int] = field(default_factory=dict)


def invoices_held_by(holder_id: str, held: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """The invoices that a payment or Session holds, of those that map to their holders: claims, waivers or rivals."""
    return frozenset(id_ for id_, holders in held.items() if holder_id in holders)
