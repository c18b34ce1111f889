"""What was found, and how is memory kept from growing with it?"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from reconciler.db.audits import RESTORE

Told: TypeAlias = Callable[[str, int], None]
"""Hears which part is checked, and how many of it have been."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is stored and should be otherwise: what is wrong about it, what mends it, and which check says so."""

    subject: str
    what: str
    mend: str = RESTORE
    check: str = ""


AWAITED: Final = Problem(
    "", "the app changed it a moment ago, and the daemon is about to settle it"
)
"""What is no problem, and is counted apart."""


@dataclass(frozen=True, slots=True)
class Report:
    """How much was checked, and what was wrong: the first problems, and how many there are in all.

    `awaited` are the checks of one payment, invoice or Session that say nothing yet, because the app changed an invoice a moment ago
    and the daemon, which is at work, is about to settle it: one changed invoice may count for itself and for its payments.
    """

    payments: int
    invoices: int
    problems: tuple[Problem, ...]
    count: int = 0
    awaited: int = 0


@dataclass
class Tally:
    """The problems found so far; no more than `kept` of them are remembered."""

    kept: int
    told: Told
    problems: list[Problem] = field(default_factory=list)
    count: int = 0
    awaited: int = 0

    def add(self, problem: Problem) -> None:
        """Count a problem, once as long as it is remembered."""
        if problem in self.problems:
            return
        self.count += 1
        if len(self.problems) < self.kept:
            self.problems.append(problem)
