"""What stands at Stripe: may our key read what it must, is the endpoint right, and do versions and clocks agree?"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from reconciler.cli.context import gateway_of, now
from reconciler.cli.lines import Colour, Line, words_of
from reconciler.config import Settings
from reconciler.stripe_api.account import (
    ENDPOINTS,
    EVENTS,
    OLDEST_VERSION,
    RIGHTS,
    WEBHOOK_PATH,
    Endpoint,
    Reply,
    endpoints_of,
    livemode_of,
    skew_ms,
    survey,
    version_of,
)
from reconciler.stripe_api.problems import ProblemKind, StripeProblem
from reconciler.stripe_api.translate import EVENT_TYPES

_KEYS: Final = "in the Dashboard under Developers, API keys"
_WEBHOOKS: Final = "in the Dashboard under Developers, Webhooks"
_STRIPE: Final = "https://api.stripe.com"
_LOOK_S: Final = 5
_RED_S: Final = 30
# The pace of the daemon may be far slower; these few questions are asked once, and a person waits for them.
_REQUESTS_PER_S: Final = 5.0
_UNKNOWN_KEY: Final = 401


def stripe_lines(settings: Settings) -> Iterator[Line]:
    """Ask Stripe, and say what is right and wrong there; must not be called inside a transaction."""
    pace = max(settings.stripe.requests_per_s, _REQUESTS_PER_S)
    brisk = replace(settings, stripe=replace(settings.stripe, requests_per_s=pace))
    replies = survey(gateway_of(brisk), now)
    if (of_all := _of_all(replies, settings)) is not None:
        yield of_all
        return
    by_path = {each.path: each for each in replies}
    yield from (_right(each) for each in replies)
    yield from _mode(by_path[EVENTS], settings)
    yield from _endpoint(by_path[ENDPOINTS], settings)
    yield from _version(replies, settings)
    yield from _clock(replies)


def _of_all(replies: Sequence[Reply], settings: Settings) -> Line | None:
    """What is wrong with all answers at once, said once; None if they differ."""
    problems = [each.problem for each in replies if each.problem is not None]
    if any(each.status == _UNKNOWN_KEY for each in problems):
        words = (
            f"does not accept the key (status 401): it is wrong, or was revoked or rolled; make a restricted key {_KEYS}"
            " and set STRIPE_API_KEY"
        )
        return Line(Colour.RED, "Stripe", words)
    kinds = {each.kind for each in problems}
    if len(problems) < len(replies) or len(kinds) != 1:
        return None
    match kinds.pop():
        case ProblemKind.UNAVAILABLE:
            where = settings.stripe_api_base or _STRIPE
            words = (
                f"could not be asked, which says nothing about the key: {problems[0]}; look at the way to {where} and at"
                " status.stripe.com, then run this again"
            )
            return Line(Colour.RED, "Stripe", words)
        case ProblemKind.REFUSED:
            words = (
                f"Stripe refuses every question, as it does for a version that it does not know: {problems[0]}; set [stripe]"
                f" api_version, now {settings.stripe.api_version}, to one that docs.stripe.com/changelog names"
            )
            return Line(Colour.RED, "API version", words)
    return None


def _right(reply: Reply) -> Line:
    """Whether one list may be read; a list that could not be asked for is not known, and never taken for empty."""
    what, right = f"read {reply.path.removeprefix('/v1/')}", f'"{RIGHTS[reply.path]}: Read"'
    problem = reply.problem
    if problem is None:
        return Line(Colour.GOOD, what, f"yes, by the right {right}")
    if problem.kind is ProblemKind.FORBIDDEN and problem.right:
        words = f"no: give the key the right {right} ({problem.right}), {_KEYS}"
    elif problem.kind is ProblemKind.FORBIDDEN:
        words = (
            f"no, and Stripe does not say why (status {problem.status}): give the key the right {right}, {_KEYS}, and look"
            " there whether it may be used from this machine's address"
        )
    elif problem.kind is ProblemKind.UNAVAILABLE:
        words = f"not known: {problem}; run this again"
    else:
        words = f"not known: {problem}"
    return Line(Colour.RED, what, words)


def _mode(events: Reply, settings: Settings) -> Iterator[Line]:
    if events.answer is None:
        return
    is_live = livemode_of(events)
    if is_live is None:
        yield Line(Colour.GOOD, "account", "no event in the last 30 days that would tell its mode")
        return
    theirs, ours = "live" if is_live else "test", settings.stripe.mode
    if theirs != ours:
        words = (
            f"its newest event is of {theirs} mode, and [stripe] mode is {ours}: use a {ours} key"
        )
        yield Line(Colour.RED, "account", words)
    else:
        yield Line(Colour.GOOD, "account", f"its newest event is of {theirs} mode, as it must be")


def _endpoint(reply: Reply, settings: Settings) -> Iterator[Line]:
    types = list(EVENT_TYPES)
    try:
        found = endpoints_of(reply)
    except StripeProblem:
        # Why it can't be known is the line of its right; here stands how to look without it.
        words = (
            f"not known; look {_WEBHOOKS} for one that is enabled, whose address ends in {WEBHOOK_PATH}, and that gets these"
            f" events: {', '.join(types)}"
        )
        yield Line(Colour.LOOK, "endpoint", words)
        return
    ours = [each for each in found if each.path == WEBHOOK_PATH]
    enabled = [each for each in ours if each.is_enabled]
    if not ours:
        yield _no_endpoint(len(found), types)
    elif not enabled:
        words = f"{_host(ours[0])} is disabled, so nothing is sent to it: enable it {_WEBHOOKS}"
        yield Line(Colour.RED, "endpoint", words)
    else:
        best = min(enabled, key=lambda each: len(each.missing(types)))
        yield _types(best, len(enabled), types)
        yield from _endpoint_version(best, settings)


def _no_endpoint(others: int, types: Sequence[str]) -> Line:
    words = f"none has an address that ends in {WEBHOOK_PATH}"
    words += f" ({others} with another)" if others else ""
    words += (
        f": add https://YOUR-HOST{WEBHOOK_PATH} {_WEBHOOKS}, for these events: {', '.join(types)}. An event destination for"
        " thin events would do too, and can't be seen from here"
    )
    return Line(Colour.RED, "endpoint", words)


def _types(endpoint: Endpoint, count: int, types: Sequence[str]) -> Line:
    missing = endpoint.missing(types)
    if missing:
        words = f"{_host(endpoint)} does not get these events, add them {_WEBHOOKS}: {', '.join(missing)}"
        return Line(Colour.RED, "endpoint", words)
    words = f"{_host(endpoint)} is enabled and gets all {len(types)} types of event that are used"
    words += f"; {count} endpoints have this path" if count > 1 else ""
    return Line(Colour.GOOD, "endpoint", words)


def _host(endpoint: Endpoint) -> str:
    return endpoint.host or "the endpoint"


def _endpoint_version(endpoint: Endpoint, settings: Settings) -> Iterator[Line]:
    theirs, ours = endpoint.api_version, settings.stripe.api_version
    what = "endpoint version"
    if theirs is None:
        yield Line(Colour.GOOD, what, "the account's own; events of every known shape are read")
    elif theirs < OLDEST_VERSION:
        words = f"{theirs} is older than {OLDEST_VERSION}, the oldest that is read: upgrade it {_WEBHOOKS}"
        yield Line(Colour.RED, what, words)
    elif theirs != ours:
        words = f"{theirs}, and we ask in {ours}: that is fine, both shapes are read"
        yield Line(Colour.GOOD, what, words)
    else:
        yield Line(Colour.GOOD, what, f"{theirs}, as we ask")


def _version(replies: Sequence[Reply], settings: Settings) -> Iterator[Line]:
    if all(each.answer is None for each in replies):
        return
    theirs, ours = version_of(replies), settings.stripe.api_version
    if theirs in {None, ours}:
        yield Line(Colour.GOOD, "API version", f"Stripe accepts {ours}")
    else:
        words = f"asked in {ours}, Stripe answers in {theirs}: is there a proxy on the way that changes it?"
        yield Line(Colour.RED, "API version", words)


def _clock(replies: Sequence[Reply]) -> Iterator[Line]:
    ahead_ms = skew_ms(replies)
    if ahead_ms is None:
        return
    off_s = abs(ahead_ms) / 1000
    words = (
        f"{words_of(timedelta(seconds=off_s))} {'ahead of' if ahead_ms > 0 else 'behind'} Stripe's"
    )
    if off_s <= _LOOK_S:
        yield Line(Colour.GOOD, "clock", words)
        return
    mend = "let the system set it (NTP): `timedatectl set-ntp true`"
    if off_s > _RED_S:
        words += "; signatures can fail by it, and what counts as late is wrong"
    yield Line(Colour.RED if off_s > _RED_S else Colour.LOOK, "clock", f"{words}: {mend}")
