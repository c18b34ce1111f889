"""What does Stripe get as an answer to an event that it sends?

200 means stored, and nothing else does. Stripe sends everything else again, for three days.
https://docs.stripe.com/webhooks#best-practices
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse

from reconciler import metrics
from reconciler.db.errors import StorageUnavailable
from reconciler.stripe_api.envelope import MalformedBody, StripeEvent, read_event
from reconciler.stripe_api.signature import BadSignature, SignatureFault, verify
from webhook.body import BodyFault, BodyRefused, BufferBudget, bounded_body
from webhook.health import Health
from webhook.intake import Intake
from webhook.wiring import Clock, WebhookSettings

log = structlog.get_logger(__name__)


class Outcome(StrEnum):
    """What became of one request."""

    STORED = "stored"
    REFUSED = "refused"
    TOO_SLOW = "too_slow"
    TOO_LARGE = "too_large"
    CLIENT_GONE = "client_gone"
    NO_ROOM = "no_room"
    NOT_STORED = "not_stored"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Verdict:
    """An outcome with what the log may know of it."""

    outcome: Outcome
    reason: str = ""
    event: StripeEvent | None = None


_RETRY_AFTER = {"Retry-After": "10"}
_REFUSED = {"error": "not accepted"}
_TRY_AGAIN = {"error": "try again later"}

# The same for every reason, so that it teaches a forger nothing; and for every request, as nothing of one is in it.
_ANSWERS: Mapping[Outcome, JSONResponse] = {
    Outcome.STORED: JSONResponse({"received": True}),
    Outcome.REFUSED: JSONResponse(_REFUSED, 400),
    Outcome.TOO_SLOW: JSONResponse(_REFUSED, 408, {"Connection": "close"}),
    Outcome.TOO_LARGE: JSONResponse(_REFUSED, 413),
    Outcome.CLIENT_GONE: JSONResponse(_REFUSED, 400),  # Nobody reads this one.
    Outcome.NO_ROOM: JSONResponse(_TRY_AGAIN, 503, _RETRY_AFTER),
    Outcome.NOT_STORED: JSONResponse(_TRY_AGAIN, 503, _RETRY_AFTER),
    Outcome.FAILED: JSONResponse(_TRY_AGAIN, 500, _RETRY_AFTER),
}

_OUTCOMES_OF_BODIES: Mapping[BodyFault, Outcome] = {
    BodyFault.TOO_LARGE: Outcome.TOO_LARGE,
    BodyFault.TOO_SLOW: Outcome.TOO_SLOW,
    BodyFault.NO_ROOM: Outcome.NO_ROOM,
    BodyFault.GONE: Outcome.CLIENT_GONE,
}

# What the sender did wrong; the rest is ours, or nobody's.
_BAD = frozenset({Outcome.REFUSED, Outcome.TOO_SLOW, Outcome.TOO_LARGE})
_OURS = frozenset({Outcome.NO_ROOM, Outcome.NOT_STORED, Outcome.FAILED})

metrics.webhooks_expected(each.value for each in Outcome)


@dataclass(frozen=True, slots=True, kw_only=True)
class StripeEndpoint:
    """POST /api/webhooks/stripe."""

    intake: Intake
    settings: WebhookSettings
    clock: Clock
    budget: BufferBudget
    health: Health

    async def receive(self, request: Request) -> JSONResponse:
        """Answer one request, count it, and write its one line into the log."""
        started_s = time.monotonic()
        try:
            verdict = await self._judge(request)
        except Exception:
            log.exception("webhook.failed")
            verdict = Verdict(Outcome.FAILED)
        answer = _ANSWERS[verdict.outcome]
        took_s = time.monotonic() - started_s
        self._count(verdict)
        metrics.webhook_answered(verdict.outcome.value, took_s)
        _log_line(verdict, answer.status_code, took_s)
        return answer

    async def _judge(self, request: Request) -> Verdict:
        try:
            async with bounded_body(
                request,
                max_bytes=self.settings.max_body_bytes,
                timeout_s=self.settings.body_timeout_s,
                budget=self.budget,
            ) as body:
                self._verify(body, request)
                return await self._store(read_event(body))
        except BodyRefused as refused:
            return Verdict(_OUTCOMES_OF_BODIES[refused.reason], refused.reason)
        except (BadSignature, MalformedBody) as refused:
            return Verdict(Outcome.REFUSED, refused.reason)

    def _verify(self, body: bytes, request: Request) -> None:
        headers = request.headers.getlist("stripe-signature")
        if len(headers) > 1:
            raise BadSignature(SignatureFault.MALFORMED)
        verify(
            body,
            headers[0] if headers else None,
            self.settings.secrets,
            now=self.clock(),
            tolerance_s=self.settings.tolerance_s,
        )

    async def _store(self, event: StripeEvent) -> Verdict:
        try:
            await self.intake.accept(event, timeout_s=self.settings.storage_timeout_s)
        except StorageUnavailable:
            return Verdict(Outcome.NOT_STORED, "storage_unavailable", event)
        except TimeoutError:
            # It may still be stored a moment later; Stripe's next delivery is then a duplicate.
            return Verdict(Outcome.NOT_STORED, "storage_too_slow", event)
        except Exception:
            log.exception("webhook.failed", event_id=event.id, event_type=event.type)
            return Verdict(Outcome.FAILED, event=event)
        return Verdict(Outcome.STORED, event=event)

    def _count(self, verdict: Verdict) -> None:
        if verdict.outcome is Outcome.STORED:
            self.health.count_good(self.clock())
        elif verdict.outcome in _BAD:
            self.health.count_bad(self.clock(), verdict.reason)


def _log_line(verdict: Verdict, status: int, duration_s: float) -> None:
    write = log.error if verdict.outcome in _OURS else log.info
    write(
        "webhook.received",
        outcome=verdict.outcome.value,
        reason=str(verdict.reason),
        event_id=verdict.event.id if verdict.event else None,
        event_type=verdict.event.type if verdict.event else None,
        duration_ms=round(duration_s * 1000, 1),
        status=status,
    )
