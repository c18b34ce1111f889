"""How is one message sent to one browser, and what does the push service's answer mean for us?

pywebpush encrypts (https://www.rfc-editor.org/rfc/rfc8291) and py_vapid signs (https://www.rfc-editor.org/rfc/rfc8292). The
message is carried by ours: theirs waits for ever unless told otherwise, follows redirects, asks the environment for proxies, and
keeps no connection.
"""

import re
import ssl
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http.client import HTTPException
from typing import Final

from py_vapid import Vapid02, VapidException

from reconciler.push.address import Endpoint, EndpointRefused, Unresolved, checked
from reconciler.push.kept import Connections
from reconciler.push.keys import VapidKey, is_usable
from reconciler.push.wire import Reply, Way

PAYLOAD_MAX_BYTES: Final = 3993
"""Of clear text; with it a body has 4,096 bytes, and every push service takes that: RFC 8291, section 4."""
_CLAIMS_LAST: Final = timedelta(hours=12)
_RETRY_AFTER_MAX_S: Final = 86_400
_TOPIC: Final = re.compile(r"[A-Za-z0-9_-]{1,32}", re.ASCII)
_URGENCIES: Final = frozenset({"very-low", "low", "normal", "high"})


class Answer(StrEnum):
    """What is to be done after a message was sent, or was not."""

    ACCEPTED = "accepted"
    """The push service has it. Nobody ever says that it was delivered."""
    GONE = "gone"
    """The browser has ended its subscription."""
    LATER = "later"
    """Nothing is wrong with the subscription, or nothing that this answer can tell: try again."""
    TOO_LARGE = "too_large"
    """The same message, but shorter."""
    REFUSED = "refused"
    """Our key, our token or our request is at fault: no subscription is to blame."""
    BAD_KEY = "bad_key"
    """Nothing can be encrypted for what the browser gave. Nothing was sent."""
    BAD_ENDPOINT = "bad_endpoint"
    """We do not send to this address. Nothing was sent."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a browser gave us: where its push service is, and for whom to encrypt. All of it is a secret."""

    endpoint: str = field(repr=False)
    p256dh: str = field(repr=False)
    auth: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: the clear text, and what a push service is told about it.

    Of messages with one topic only the last is kept for a browser that is away.
    """

    payload: bytes = field(repr=False)
    ttl_s: int
    urgency: str
    topic: str

    def __post_init__(self) -> None:
        """Refuse what no push service takes, before anything else can go wrong."""
        if not self.payload or self.ttl_s < 0:
            raise ValueError("a message has a text, and a time to live that is not negative")
        if self.urgency not in _URGENCIES or not _TOPIC.fullmatch(self.topic):
            raise ValueError(
                "urgency is a word of RFC 8030, topic up to 32 characters of base64url"
            )


@dataclass(frozen=True, slots=True)
class Sent:
    """How it went. `reason` holds words of ours only; `status` is None where nobody answered."""

    answer: Answer
    status: int | None = None
    retry_after_s: int | None = None
    reason: str = ""


class Sender:
    """Sends messages under one key; safe to use from several threads.

    `relay` stands in for every push service, in test mode only; another `way` is for tests. Raises ValueError for a subject that
    push services would refuse.
    """

    def __init__(  # noqa: PLR0913 - what makes a sender another one is named
        self,
        key: VapidKey,
        subject: str,
        allowed_hosts: Sequence[str],
        *,
        relay: str | None = None,
        way: Way | None = None,
        timeout_s: float = 10.0,
    ) -> None:
        self._vapid = Vapid02(key.private)
        self._subject = subject
        self._allowed_hosts = tuple(allowed_hosts)
        self._connections = Connections(way or Way(relay=relay))
        self._timeout_s = timeout_s
        try:
            self._vapid.sign({"aud": "https://example.com", "exp": 1, "sub": subject})
        except VapidException:
            raise ValueError("must name a mail address (mailto:...) or an https page") from None

    def send(self, subscription: Subscription, message: Message, now: datetime) -> Sent:
        """Send one message, within the time; never raises."""
        if len(message.payload) > PAYLOAD_MAX_BYTES:
            return Sent(Answer.TOO_LARGE, reason=f"longer than {PAYLOAD_MAX_BYTES} bytes")
        try:
            endpoint = checked(subscription.endpoint, self._allowed_hosts)
        except EndpointRefused as refused:
            return Sent(Answer.BAD_ENDPOINT, reason=refused.reason)
        body = _encrypted(subscription, message.payload)
        if body is None:
            return Sent(Answer.BAD_KEY, reason="the browser's keys can't be encrypted for")
        return self._carried(endpoint, body, message, now)

    def close(self) -> None:
        """End the connections that are kept."""
        self._connections.close()

    def _carried(self, endpoint: Endpoint, body: bytes, message: Message, now: datetime) -> Sent:
        try:
            reply = self._connections.ask(
                endpoint.host,
                endpoint.path,
                headers=self._headers(endpoint, message, now),
                body=body,
                timeout_s=self._timeout_s,
            )
        except Exception as error:  # noqa: BLE001 - whatever a stranger's answer sets off ends here
            return Sent(Answer.LATER, reason=_trouble(error))
        return _meant(reply, now)

    def _headers(self, endpoint: Endpoint, message: Message, now: datetime) -> dict[str, str]:
        """The head of a message; its claims are made anew, because a token is good for one push service only."""
        claims = {
            "aud": endpoint.audience,
            "exp": int((now + _CLAIMS_LAST).timestamp()),
            "sub": self._subject,
        }
        return {
            "Host": endpoint.host,
            **self._vapid.sign(claims),
            "Content-Type": "application/octet-stream",
            "Content-Encoding": "aes128gcm",
            "TTL": str(message.ttl_s),
            "Urgency": message.urgency,
            "Topic": message.topic,
        }


def _encrypted(subscription: Subscription, payload: bytes) -> bytes | None:
    """The body of a message that only this browser reads; None if its keys are no keys."""
    # It brings aiohttp along, a sixth of the time in which every command would start.
    from pywebpush import WebPusher  # noqa: PLC0415 - only who sends needs it

    if not is_usable(subscription.p256dh, subscription.auth):
        return None
    keys = {"p256dh": subscription.p256dh, "auth": subscription.auth}
    found: bytes = WebPusher({"endpoint": subscription.endpoint, "keys": keys}).encode(payload)[
        "body"
    ]
    return found


def _meant(reply: Reply, now: datetime) -> Sent:
    """What a status means: https://www.rfc-editor.org/rfc/rfc8030, and what the vendors say of theirs."""
    status = reply.status
    match status:
        case _ if status // 100 == 2:  # noqa: PLR2004 - the class of statuses that are good
            return Sent(Answer.ACCEPTED, status)
        case 404 | 410:
            return Sent(Answer.GONE, status, reason="the browser ended its subscription")
        case 413:
            return Sent(Answer.TOO_LARGE, status, reason="too large for this push service")
        case 400 | 401 | 403:
            return Sent(
                Answer.REFUSED, status, reason="the push service refuses our key or request"
            )
        case _ if status // 100 == 3:  # noqa: PLR2004 - the class of redirects
            return Sent(Answer.LATER, status, reason="a redirect, which is not followed")
    return Sent(Answer.LATER, status, _seconds(reply.retry_after, now), f"status {status}")


def _seconds(retry_after: str, now: datetime) -> int | None:
    """How long a push service asks us to wait: seconds, or a date; bounded, None if it says neither."""
    if re.fullmatch(r"\d{1,9}", retry_after, re.ASCII):
        return min(int(retry_after), _RETRY_AFTER_MAX_S)
    with suppress(ValueError, TypeError, OverflowError):
        left_s = (parsedate_to_datetime(retry_after) - now).total_seconds()
        return max(0, min(int(left_s), _RETRY_AFTER_MAX_S))
    return None


def _trouble(error: Exception) -> str:
    """Why there was no answer, in words of ours: an error's own may quote the address."""
    match error:
        case EndpointRefused() | Unresolved():
            return str(error)
        case TimeoutError():
            return "no answer in time"
        case ssl.SSLError():
            return "no TLS with this host's certificate"
        case OSError():
            return "no connection"
        case HTTPException():
            return "an answer that is none"
    return "unknown trouble"
