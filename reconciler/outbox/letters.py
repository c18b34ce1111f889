"""What exactly is sent for a notification: which words, where does a click lead, and which earlier message does it replace?

A topic is what a push service replaces by, and a tag what the browser does: the same for both, so that a message that is sent
twice is seen once. https://www.rfc-editor.org/rfc/rfc8030#section-5.4
"""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final, NamedTuple
from urllib.parse import quote

from reconciler.core.returned import OF_DISPUTES
from reconciler.db.deliveries import Due
from reconciler.db.outbox import FAILED_ATTEMPT, SUMMARY
from reconciler.language import Language
from reconciler.outbox.wording import body, title
from reconciler.push.sending import PAYLOAD_MAX_BYTES, Message

_START_PAGE: Final = "/"
_OF_INVOICE: Final = frozenset({"invoice_paid", FAILED_ATTEMPT})
_URGENT: Final = frozenset({FAILED_ATTEMPT, *OF_DISPUTES})
# What a path would take for itself, however it is written.
_DOTS: Final = frozenset({"", ".", ".."})


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the settings say about notifications. `vapid_key` is our public key; durations in seconds."""

    vapid_key: str
    ttl_s: int = 86_400
    max_age_s: int = 86_400
    invoice_url: str = ""
    finance_users: tuple[str, ...] = ()

    def expires_at(self, stripe_at: datetime) -> datetime:
        """When news of that moment is not worth sending any more."""
        return stripe_at + timedelta(seconds=self.max_age_s)


class _Room(NamedTuple):
    """How long parts may be, in characters."""

    number: int
    url: int


# From what everything fits into nearly always, to what fits whatever the app calls its invoices.
_ROOMS: Final = (_Room(80, 2000), _Room(24, 400), _Room(0, 0))


def letters(due: Due, terms: Terms, now: datetime) -> Iterator[Message]:
    """The message of a delivery, then ever shorter ones for a push service to which it was too large; one at least.

    Raises KeyError for a kind that has no words.
    """
    left_s = int((terms.expires_at(due.stripe_at) - now).total_seconds())
    tag, below = tag_of(due), PAYLOAD_MAX_BYTES + 1
    for room in _ROOMS:
        payload = _payload(due, terms, tag, room)
        if len(payload) < below:
            yield Message(
                payload=payload,
                ttl_s=max(1, min(terms.ttl_s, left_s)),
                urgency="high" if due.kind in _URGENT else "normal",
                topic=tag,
            )
            below = len(payload)


def _payload(due: Due, terms: Terms, tag: str, room: _Room) -> bytes:
    language = _language(due)
    url = page_of(due, terms.invoice_url)
    said = {
        "id": _digest(due.milestone),
        "title": title(due.kind, language),
        "body": body(
            due.kind, due.number, due.amount, due.currency, language=language, longest=room.number
        ),
        "tag": tag,
        "url": url if len(url) <= room.url else _START_PAGE,
        "kind": due.kind,
    }
    text = json.dumps(said, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="replace")


def _language(due: Due) -> Language:
    return "fr" if due.locale == "fr" else "en"


def tag_of(due: Due) -> str:
    """What the later message replaces the earlier one by: one for each invoice, refund or dispute of a user."""
    if due.kind in _OF_INVOICE:
        about = ["invoice", due.invoice_id]
    elif due.kind == SUMMARY:
        about = ["exceptions"]
    else:
        # Done or failed, opened or decided: the id of the refund or dispute is the same.
        about = [due.kind.partition("_")[0], due.milestone.partition(":")[2]]
    # As JSON: ids are any text, and no two lists of texts may come to the same.
    return _digest(json.dumps([*about, due.user_id]))


def _digest(text: str) -> str:
    """Thirty-two characters of base64url, as long as a topic may be."""
    digest = sha256(text.encode(errors="surrogatepass")).digest()
    return base64.urlsafe_b64encode(digest[:24]).decode()


def page_of(due: Due, template: str) -> str:
    """The page that a click opens; the app's start page where there is none for this invoice."""
    # A refund of several invoices opens the first of them.
    values = {"{id}": due.invoice_id, "{number}": due.number.split(", ")[0]}
    used = {name: value for name, value in values.items() if name in template}
    if not template or due.kind == SUMMARY or any(value in _DOTS for value in used.values()):
        return _START_PAGE
    parts = {name: quote(value, safe="", errors="replace") for name, value in used.items()}
    # What is put in has no braces any more, so that nothing in it is replaced again.
    for name, value in parts.items():
        template = template.replace(name, value)
    return template
