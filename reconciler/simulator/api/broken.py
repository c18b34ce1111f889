"""What does an answer look like that something is wrong with?"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from reconciler.simulator.api.wire import Answer, encoded
from reconciler.simulator.faults import Fault, FaultKind

_ERRORS: Final = MappingProxyType(
    {
        FaultKind.ERROR_500: 500,
        FaultKind.ERROR_502: 502,
        FaultKind.ERROR_503: 503,
        FaultKind.RATE_LIMITED: 429,
        FaultKind.LOCK_TIMEOUT: 409,
        FaultKind.NO_RETRY: 500,
    }
)
# A proxy on the way there says what it thinks.
_PAGES: Final = MappingProxyType({FaultKind.HTML: 200, FaultKind.HTML_502: 502})
_CODES: Final = MappingProxyType(
    {FaultKind.RATE_LIMITED: "rate_limit", FaultKind.LOCK_TIMEOUT: "lock_timeout"}
)
_MESSAGES: Final = MappingProxyType(
    {
        FaultKind.RATE_LIMITED: "Request rate limit exceeded.",
        FaultKind.LOCK_TIMEOUT: (
            "This object cannot be accessed right now because another API request or Stripe process is currently "
            "accessing it."
        ),
    }
)
_SORRY: Final = "An unknown error occurred. If this problem persists, please contact us."
_PAGE: Final = b"<!DOCTYPE html>\n<html><body><h1>We'll be right back</h1></body></html>\n"


def instead(fault: Fault, headers: Mapping[str, str]) -> Answer | None:
    """Return what is answered in the place of the right answer; None if that is only damaged."""
    if fault.kind in _ERRORS:
        return Answer(_ERRORS[fault.kind], {**headers, **_more(fault)}, _error(fault))
    if fault.kind in _PAGES:
        return Answer(_PAGES[fault.kind], {**headers, "Content-Type": "text/html"}, _PAGE)
    if fault.kind is FaultKind.EMPTY_OBJECT:
        return Answer(200, headers, b"{}")
    return None


def damaged(fault: Fault, answer: Answer) -> Answer:
    """Return the right answer as it goes over a wire that cuts or stalls it."""
    return Answer(
        answer.status,
        answer.headers,
        answer.body,
        stall_s=answer.stall_s + (fault.stall_s if fault.kind is FaultKind.STALL else 0.0),
        is_cut=fault.kind is FaultKind.CUT_BODY,
    )


def _more(fault: Fault) -> Mapping[str, str]:
    """The headers by which Stripe tells its clients what to do: https://docs.stripe.com/rate-limits"""
    if fault.kind is FaultKind.NO_RETRY:
        return {"Stripe-Should-Retry": "false"}
    more = {}
    if fault.retry_after_s is not None:
        more["Retry-After"] = str(fault.retry_after_s)
    if fault.reason is not None:
        more["Stripe-Rate-Limited-Reason"] = fault.reason
    return more


def _error(fault: Fault) -> bytes:
    code = _CODES.get(fault.kind)
    error = {"message": _MESSAGES.get(fault.kind, _SORRY)}
    error |= {"type": "invalid_request_error", "code": code} if code else {"type": "api_error"}
    return encoded({"error": error})
