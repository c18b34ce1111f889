"""What can go wrong when Stripe is asked, and what does each mean for whoever asked?"""

from enum import StrEnum


class ProblemKind(StrEnum):
    """Why there is no answer. None of these ever means that there is nothing there."""

    UNAVAILABLE = "unavailable"
    """No answer, or one of 5xx or 429, though it was asked for several times: later."""
    FORBIDDEN = "forbidden"
    """The key is wrong, revoked, or lacks a right: a person must mend it."""
    NOT_FOUND = "not_found"
    """This key's account has no such object."""
    REFUSED = "refused"
    """Stripe did not accept the question, for example a cursor that is too old."""
    UNREADABLE = "unreadable"
    """The answer is not what Stripe documents."""


class StripeProblem(Exception):  # noqa: N818 - it names a state of the world, not our mistake
    """Stripe gave no answer that can be used. The message holds ids and words of ours, never what Stripe wrote.

    `status` is that of the answer, None where there was none; `right` is the right that the key lacks, in Stripe's own word
    such as `rak_charge_read`, "" where Stripe named none.
    """

    def __init__(
        self, kind: ProblemKind, words: str, *, status: int | None = None, right: str = ""
    ) -> None:
        super().__init__(words)
        self.kind = kind
        self.status = status
        self.right = right


class Stopped(Exception):  # noqa: N818 - nothing went wrong
    """The program was asked to end while it waited or was about to ask."""
