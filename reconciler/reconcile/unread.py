"""What could a run not read, though it could read the rest?

A list that the key may not read, or an object without an answer, is no reason to leave the rest of the books as they are: what
can be read is put right. But such a run is not complete, and says what was in its way.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from reconciler.poll.runs import line_of
from reconciler.reconcile.going import RunCut
from reconciler.stripe_api.problems import ProblemKind, StripeProblem

_WRONG_KEY: Final = 401
_NAMED_MAX: Final = 3


def lacks_right(problem: StripeProblem) -> bool:
    """Whether the key may not read this, but may read other things."""
    return problem.kind is ProblemKind.FORBIDDEN and problem.status != _WRONG_KEY


class Unread:
    """What was not read. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._words: dict[str, str] = {}

    @contextmanager
    def forgiven(self) -> Iterator[None]:
        """Go on behind the block if the key lacks a right for what is read inside; a key that is none ends the run."""
        try:
            yield
        except StripeProblem as problem:
            if not lacks_right(problem):
                raise
            words = line_of(problem)
            right = f"; give it the right {problem.right}" if problem.right else ""
            with self._lock:
                # Each answer names its own request: of one list, one is enough.
                self._words.setdefault(words.partition(" (")[0], f"{words}{right}")

    def objects(self, left: Sequence[tuple[str, str]]) -> None:
        """Remember objects, by kind and id, that could not be read."""
        if not left:
            return
        named = ", ".join(f"{kind} {id_}" for kind, id_ in left[:_NAMED_MAX])
        more = f" and {len(left) - _NAMED_MAX} more" if len(left) > _NAMED_MAX else ""
        self._words["objects"] = f"{named}{more} could not be read: go on later with --resume"

    def told(self) -> None:
        """Raise RunCut if something of the range was not read."""
        if self._words:
            raise RunCut(". ".join(self._words.values()))
