"""In whose name is something taken in, and who else is told what was decided?"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from reconciler.core.decision import Decision
from reconciler.core.observation import Source
from reconciler.db.session import Tx


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """The source that the books name, and `decided`, which is called with each decision in the transaction that writes it."""

    source: Source = Source.POLL
    decided: Callable[[Tx, Decision], None] = lambda _tx, _decision: None


SWEPT: Final = Taking()
