"""How is Stripe asked a question, and when was the answer true?

Reads only. The library (https://docs.stripe.com/sdks) signs, encodes and speaks HTTP; how often to try again, how fast to
go and how long to wait are ours, because it neither retries a 429 nor obeys `Retry-After`, and waits 80 s by default.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import stripe
import structlog

from reconciler import metrics
from reconciler.core.observation import Span, ms
from reconciler.stripe_api.budget import Budget
from reconciler.stripe_api.paths import template_of
from reconciler.stripe_api.problems import ProblemKind, Stopped, StripeProblem
from reconciler.stripe_api.transport import NoAnswer, Transport, session

log = structlog.get_logger(__name__)

# At the level debug the library logs whole answers, which are full of people's names and addresses.
logging.getLogger("stripe").setLevel(logging.WARNING)

TRIES: Final = 4
BACK_OFF_S: Final = 1.0
# If Stripe wants to be left alone for longer, whoever asked comes back at its own next time.
PAUSE_MAX_S: Final = 30.0
# An answer that is still under way after so many read time-outs will not come to its end.
ANSWER_READS: Final = 5
# Nor will it after that: whoever watches the sweeps takes one for dead that asks nothing for a minute and a few intervals.
ANSWER_MAX_S: Final = 50.0
# A sign of life is given at least that often while a question waits for its turn.
_BEAT_S: Final = 5.0
# A replica that answers may be that far behind: the answer was true at some moment since then.
REPLICA_LAG_MS: Final = 5000
_LAST_MS_OF_SECOND: Final = 999
_HALF_SECOND_MS: Final = 500

_UNKNOWN_KEY = 401
_TOO_MANY = 429
_OUR_FAULT = range(400, 500)
_ITS_FAULT = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Whom to ask, with which key, and how patiently. `base` is another address than Stripe's, for tests."""

    api_key: str = field(repr=False)
    api_version: str
    base: str | None = None
    connect_timeout_s: float = 3.0
    read_timeout_s: float = 8.0
    requests_per_s: float = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What Stripe said: the body, when it was true, Stripe's clock, and the request's id as evidence.

    `took_ms` is how long the request was under way, `version` the API version in which Stripe says that it answered.
    """

    body: bytes = field(repr=False)
    span: Span
    date_ms: int
    request_id: str
    took_ms: int = 0
    version: str = ""


class Gateway:
    """Reads from one Stripe account. Safe to use from several threads.

    Every wait ends at once when `stop` is set, with Stopped. `before_asking` runs before each request, and now and then in a
    long wait for one; it is where the program makes sure that no transaction of the database is open meanwhile.
    """

    def __init__(
        self,
        access: Access,
        *,
        stop: threading.Event | None = None,
        before_asking: Callable[[], None] = lambda: None,
        transport: stripe.HTTPClient | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stop = stop or threading.Event()
        self._before_asking = before_asking
        self._monotonic = monotonic
        self._asked, self._counting = 0, threading.Lock()
        self._budget = Budget(access.requests_per_s, monotonic=monotonic)
        timeout = (access.connect_timeout_s, access.read_timeout_s)
        self._client = stripe.StripeClient(
            access.api_key,
            stripe_version=access.api_version,
            base_addresses={"api": access.base} if access.base else {},
            max_network_retries=0,
            http_client=Transport(
                transport or stripe.RequestsClient(timeout=timeout, session=session()),
                within_s=min(access.read_timeout_s * ANSWER_READS, ANSWER_MAX_S),
                monotonic=monotonic,
            ),
        )

    def ask(
        self, path: str, params: Mapping[str, Any] | None = None, *, tries: int = TRIES
    ) -> Answer:
        """Ask for `path`, such as `/v1/events`; try again while that may help, at most `tries` times in all.

        Raises StripeProblem or Stopped.
        """
        for tried in range(1, tries + 1):
            self._wait(self._budget.take())
            if tried > 1:
                metrics.stripe_asked_again(template_of(path))
            try:
                with _counted(path):
                    return self._once(path, params or {})
            except NoAnswer as vain:
                problem, pause_s = self._problem(path, vain), _pause_s(vain, tried)
                if tried == tries or pause_s > PAUSE_MAX_S or not _may_help(problem, vain):
                    raise problem from None
            self._wait(pause_s)
        raise AssertionError("the last try either answers or raises")

    @property
    def requests(self) -> int:
        """How many requests were made, those included that got no answer."""
        return self._asked

    def date_ms(self, path: str) -> int:
        """What time it is at Stripe, by the `Date` of a list's answer; costs one request, and the right to that list."""
        return self.ask(path, {"limit": 1}).date_ms

    def _once(self, path: str, params: Mapping[str, Any]) -> Answer:
        self._before_asking()
        with self._counting:
            self._asked += 1
        began_s = self._monotonic()
        try:
            said = self._client.raw_request("get", path, **params)
            body = said.body.encode()
        except NoAnswer:
            raise
        except stripe.APIConnectionError:
            raise NoAnswer(None, {}) from None
        except Exception as error:  # noqa: BLE001 - see below
            # The library tells of a body that is no JSON in its own errors, and lets other ones pass.
            words = f"{path}: the answer cannot be read ({type(error).__name__})"
            raise StripeProblem(ProblemKind.UNREADABLE, words) from None
        took_ms = int((self._monotonic() - began_s) * 1000)
        date_ms = _date_ms(path, said.headers)
        # The Date was true about the middle of the request, and is cut to whole seconds.
        metrics.clock_compared(time.time() - (date_ms + _HALF_SECOND_MS + took_ms / 2) / 1000)
        span = Span(date_ms - took_ms - REPLICA_LAG_MS, date_ms + _LAST_MS_OF_SECOND)
        request_id = str(said.request_id or f"read of {path}")
        return Answer(
            body=body,
            span=span,
            date_ms=date_ms,
            request_id=request_id,
            took_ms=took_ms,
            version=said.headers.get("stripe-version") or "",
        )

    def wait(self, seconds: float) -> None:
        """Wait before something is tried again. Raises Stopped."""
        self._wait(seconds)

    def _wait(self, seconds: float) -> None:
        while seconds > _BEAT_S:
            self._pause(_BEAT_S)
            self._before_asking()
            seconds -= _BEAT_S
        self._pause(seconds)

    def _pause(self, seconds: float) -> None:
        if self._stop.wait(seconds):
            raise Stopped

    def _problem(self, path: str, vain: NoAnswer) -> StripeProblem:
        if vain.status == _TOO_MANY:
            self._budget.halve()
        kind = _kind_of(vain.status)
        what = f"status {vain.status}" if vain.status else "no connection"
        log.warning("stripe.asked_in_vain", path=path, problem=kind.value, what=what)
        request_id = vain.headers.get("request-id")
        evidence = f"{what}, {request_id}" if request_id else what
        sentence = _NO_KEY if vain.status == _UNKNOWN_KEY else _SENTENCES[kind]
        words = f"{path}: {sentence} ({evidence})"
        return StripeProblem(kind, words, status=vain.status, right=vain.right)


@contextmanager
def _counted(path: str) -> Iterator[None]:
    """Count a request by what came of it; one that was never made is none."""
    where = template_of(path)
    try:
        yield
    except NoAnswer as vain:
        metrics.stripe_asked(where, str(vain.status or "none"))
        raise
    except StripeProblem:
        metrics.stripe_asked(where, "unreadable")
        raise
    metrics.stripe_asked(where, "200")


_NO_KEY: Final = "the key is wrong, or was revoked or rolled"
_SENTENCES: Final = {
    ProblemKind.UNAVAILABLE: "Stripe gives no answer",
    ProblemKind.FORBIDDEN: "the key may not read this",
    ProblemKind.NOT_FOUND: "there is no such object for this key",
    ProblemKind.REFUSED: "Stripe refused the question",
    ProblemKind.UNREADABLE: "the answer cannot be read",
}


def _kind_of(status: int | None) -> ProblemKind:
    match status:
        case None:
            return ProblemKind.UNAVAILABLE
        case 401 | 403:
            return ProblemKind.FORBIDDEN
        case 404:
            return ProblemKind.NOT_FOUND
        case 409 | 429:
            return ProblemKind.UNAVAILABLE
    if status in _OUR_FAULT:
        return ProblemKind.REFUSED
    return ProblemKind.UNAVAILABLE if status >= _ITS_FAULT else ProblemKind.UNREADABLE


def _may_help(problem: StripeProblem, vain: NoAnswer) -> bool:
    """Whether to try again. Stripe may say that it is useless, except that going slower always helps against a 429."""
    if vain.status != _TOO_MANY and vain.headers.get("stripe-should-retry") == "false":
        return False
    return problem.kind is ProblemKind.UNAVAILABLE


def _pause_s(vain: NoAnswer, tried: int) -> float:
    """How long to wait before the next try: what Stripe asks for, else a random part of a growing bound."""
    with suppress(KeyError, ValueError):
        return max(0.0, _retry_after_s(vain.headers))
    bound_s = BACK_OFF_S * 2 ** (tried - 1)
    return random.uniform(0.0, bound_s)  # noqa: S311 - spreads retries, keeps no secret


def _retry_after_s(headers: Mapping[str, str]) -> float:
    """`Retry-After` in seconds; one that is a moment is told by Stripe's clock. Raises KeyError or ValueError without one."""
    asked = headers["retry-after"]
    try:
        return float(asked)
    except ValueError:
        return (_moment(asked) - _moment(headers["date"])).total_seconds()


def _date_ms(path: str, headers: Mapping[str, str]) -> int:
    try:
        return ms(_moment(headers["date"]))
    except (KeyError, ValueError):
        words = f"{path}: the answer has no Date"
        raise StripeProblem(ProblemKind.UNREADABLE, words) from None


def _moment(text: str) -> datetime:
    """A date of HTTP. Raises ValueError."""
    at = parsedate_to_datetime(text)
    # HTTP knows no other zone (RFC 9110); one that is not written must not become this machine's.
    return at if at.tzinfo else at.replace(tzinfo=UTC)
