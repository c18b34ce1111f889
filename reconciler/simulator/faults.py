"""What goes wrong between the simulated Stripe and whoever asks it or listens to it?

Two ways: scripted faults strike the requests that they are meant for, one after the other; rates strike by chance. The
chance is drawn from a seed of its own, so that the same story with other faults has the same objects and ids. What befalls
an event is drawn from the seed and the event's id alone: no other event, thread or request can change it.
"""

import random
import string
import threading
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Final

from reconciler.simulator.world import Json

STALE_MAX_MS: Final = 60_000
HIDDEN_MAX_MS: Final = 90_000
LONG_HIDDEN_MAX_MS: Final = 540_000
REORDERED_MAX_MS: Final = 30_000
LATE_MIN_MS: Final = 120_000
LATE_MAX_MS: Final = 1_800_000
REPEATED_MAX_MS: Final = 300_000

_LETTERS: Final = string.ascii_letters + string.digits


class FaultKind(StrEnum):
    """What one answer can have wrong with it."""

    ERROR_500 = "error_500"
    ERROR_502 = "error_502"
    ERROR_503 = "error_503"
    RATE_LIMITED = "rate_limited"
    LOCK_TIMEOUT = "lock_timeout"
    NO_RETRY = "no_retry"
    HTML = "html"
    HTML_502 = "html_502"
    EMPTY_OBJECT = "empty_object"
    CUT_BODY = "cut_body"
    STALL = "stall"
    AGED_OUT_CURSOR = "aged_out_cursor"
    EMPTY_PAGE = "empty_page"
    SAME_PAGE = "same_page"
    NO_PROGRESS = "no_progress"


# These make sense only for the second page of a list and those that follow.
_NEEDS_CURSOR: Final = frozenset(
    {FaultKind.AGED_OUT_CURSOR, FaultKind.SAME_PAGE, FaultKind.NO_PROGRESS}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A fault that strikes the next `times` requests to a path; `*` in the path stands for anything.

    `retry_after_s` and `reason` go with RATE_LIMITED, as the headers Retry-After and Stripe-Rate-Limited-Reason
    (https://docs.stripe.com/rate-limits); `stall_s` goes with STALL, in seconds of ours.
    """

    kind: FaultKind
    path: str = "*"
    times: int = 1
    retry_after_s: int | None = None
    reason: str | None = None
    stall_s: float = 0.0

    def strikes(self, path: str, *, has_cursor: bool) -> bool:
        """Whether it is meant for a request."""
        suits = has_cursor or self.kind not in _NEEDS_CURSOR
        return suits and fnmatchcase(path, self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """How often, from 0 to 1, chance strikes an answer, an event on its way to the list, or a webhook.

    `hidden` events appear on the list up to 90 s late, `long_hidden` ones up to 9 minutes. A `reordered` webhook comes
    some seconds late, so that others overtake it, a `late` one minutes late.
    """

    errors: float = 0.0
    rate_limits: float = 0.0
    stale_reads: float = 0.0
    latency: float = 0.0
    latency_max_s: float = 0.2
    hidden: float = 0.0
    long_hidden: float = 0.0
    lost: float = 0.0
    late: float = 0.0
    duplicated: float = 0.0
    reordered: float = 0.0
    twins: float = 0.0


class Mishap(StrEnum):
    """What can befall the webhook of an event."""

    LOST = "lost"
    LATE = "late"
    DUPLICATED = "duplicated"
    REORDERED = "reordered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What befalls the webhook of one event: its mishaps, and after how many ms each of its sendings is due.

    `twin_id` is the id of a second Event about the same change, if there is one
    (https://docs.stripe.com/webhooks#handle-duplicate-events); `thin_id` the id under which it goes out as a thin event.
    """

    delays_ms: tuple[int, ...]
    mishaps: frozenset[Mishap] = frozenset()
    twin_id: str | None = None
    thin_id: str | None = None


class Faults:
    """Decides, by script and by seed, what goes wrong. Safe to use from several threads."""

    def __init__(self, seed: int = 0, rates: Rates | None = None) -> None:
        self.rates = rates or Rates()
        self._seed = seed
        self._answers = self._random("answers")
        self._scripted: list[Fault] = []
        self._lock = threading.Lock()

    def script(self, fault: Fault) -> None:
        """Let a fault strike, after those that were scripted for the same requests before."""
        with self._lock:
            self._scripted.append(fault)

    def heal(self) -> None:
        """Let nothing strike any more that was scripted."""
        with self._lock:
            self._scripted.clear()

    def next_for(self, path: str, *, has_cursor: bool = False) -> Fault | None:
        """The fault that strikes a request, which is then used up; None if the request is served well."""
        with self._lock:
            for index, fault in enumerate(self._scripted):
                if fault.strikes(path, has_cursor=has_cursor):
                    left = [replace(fault, times=fault.times - 1)] if fault.times > 1 else []
                    self._scripted[index : index + 1] = left
                    return fault
            return self._by_chance()

    def stale_ms(self) -> int:
        """How far behind the replica is that answers now; mostly 0."""
        with self._lock:
            return self._up_to(self._answers, self.rates.stale_reads, STALE_MAX_MS)

    def latency_s(self) -> float:
        """How long an answer lets wait, in seconds of ours."""
        with self._lock:
            if self._answers.random() < self.rates.latency:
                return self._answers.uniform(0, self.rates.latency_max_s)
            return 0.0

    def hidden_for_ms(self, event: Json) -> int:
        """How long the list does not show an event; to be used as `World.hidden_for_ms`."""
        dice = self._random(f"hidden {event['id']}")
        long_ms = self._up_to(dice, self.rates.long_hidden, LONG_HIDDEN_MAX_MS)
        return long_ms or self._up_to(dice, self.rates.hidden, HIDDEN_MAX_MS)

    def plan(self, event_id: str, *, thin_rate: float = 0.0) -> Plan:
        """What befalls the webhook of an event."""
        dice = self._random(f"webhook {event_id}")
        # Every chance is drawn, whether it counts or not, so that one rate does not change what the others strike.
        drawn = {mishap: dice.random() < getattr(self.rates, mishap) for mishap in Mishap}
        twin, thin = dice.random() < self.rates.twins, dice.random() < thin_rate
        mishaps = frozenset(mishap for mishap, happens in drawn.items() if happens)
        return Plan(
            delays_ms=_delays_ms(mishaps, dice),
            mishaps=mishaps,
            twin_id=_id("evt_", dice) if twin else None,
            thin_id=_id("evt_test_65", dice) if thin else None,
        )

    def _by_chance(self) -> Fault | None:
        drawn = self._answers.random()
        if drawn < self.rates.errors:
            kinds = (FaultKind.ERROR_500, FaultKind.ERROR_502, FaultKind.ERROR_503)
            return Fault(kind=self._answers.choice(kinds))
        if drawn < self.rates.errors + self.rates.rate_limits:
            return Fault(kind=FaultKind.RATE_LIMITED, retry_after_s=self._answers.choice((None, 1)))
        return None

    def _random(self, purpose: str) -> random.Random:
        return random.Random(f"{self._seed} {purpose}")  # noqa: S311 - a fault needs no secrecy

    @staticmethod
    def _up_to(dice: random.Random, rate: float, max_ms: int) -> int:
        return dice.randint(1, max_ms) if dice.random() < rate else 0


def _delays_ms(mishaps: frozenset[Mishap], dice: random.Random) -> tuple[int, ...]:
    if Mishap.LOST in mishaps:
        return ()
    delay_ms = 0
    if Mishap.REORDERED in mishaps:
        delay_ms += dice.randint(1, REORDERED_MAX_MS)
    if Mishap.LATE in mishaps:
        delay_ms += dice.randint(LATE_MIN_MS, LATE_MAX_MS)
    again = dice.randint(1, 2) if Mishap.DUPLICATED in mishaps else 0
    return (delay_ms, *(delay_ms + dice.randint(0, REPEATED_MAX_MS) for _ in range(again)))


def _id(prefix: str, dice: random.Random) -> str:
    return prefix + "".join(dice.choices(_LETTERS, k=24))
