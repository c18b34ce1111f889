"""What does the simulated Stripe remember? Every object with its past, and every event that it made.

Objects are plain JSON in the newest shape, unexpanded, as https://docs.stripe.com/api describes them. Older shapes are made
where they are served. Everything is drawn from the seed, so that the same seed tells the same story, ids included.
"""

import random
import string
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from reconciler.simulator.clock import Clock

Json: TypeAlias = dict[str, Any]

NEWEST_VERSION: Final = "2026-10-28.endive"
DAY_MS: Final = 86_400_000
_LETTERS: Final = string.ascii_letters + string.digits


@dataclass(frozen=True, slots=True, kw_only=True)
class AppInvoice:
    """An invoice of the app whose payments the stories tell; `amount_due` in minor units."""

    id: str
    number: str
    currency: str
    amount_due: int
    status: str = "open"
    user_id: str = "user_1"
    customer_email: str = ""
    stripe_payment_intent_id: str | None = None
    stripe_checkout_session_id: str | None = None
    stripe_payment_link_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """An event as it was made: its JSON in the newest shape, when, and from when on the list shows it."""

    event: Json
    at_ms: int
    visible_ms: int


@dataclass(frozen=True, slots=True)
class _Version:
    at_ms: int
    body: Json


@dataclass
class World:
    """One account of the simulated Stripe, in test mode. Safe to use from several threads."""

    seed: int
    clock: Clock
    account_id: str = "acct_1Simulated"
    settles_in: str = "eur"
    # Currencies with a bank account of their own: their money is not converted
    # (https://docs.stripe.com/payouts/multicurrency-settlement).
    banks: frozenset[str] = frozenset()
    # How long a day lasts, by which money becomes available and is paid out; a demo has short ones.
    day_ms: int = DAY_MS
    invoices: dict[str, AppInvoice] = field(default_factory=dict)
    happenings: list[Happening] = field(default_factory=list)
    # How long the list hides an event that was made just now: Stripe's list is complete only a moment later.
    hidden_for_ms: Callable[[Json], int] = lambda _: 0
    on_event: list[Callable[[Happening], None]] = field(default_factory=list)
    on_invoice: list[Callable[[AppInvoice], None]] = field(default_factory=list)
    # What only the teller of a story knows: which invoice a PaymentIntent or Session is meant to pay, by their ids.
    meant: dict[str, str] = field(default_factory=dict)
    # Of PaymentIntents that are for more than one: how much is for each invoice, and which invoices claim it whole.
    parts: dict[str, dict[str, int]] = field(default_factory=dict)
    claimed: dict[str, list[str]] = field(default_factory=dict)
    # What each balance transaction moved for the payer, in minor units and currency of the charge, by its id.
    presented: dict[str, tuple[int, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with nothing known."""
        self.lock = threading.RLock()
        self.random = random.Random(f"{self.seed} stories")  # noqa: S311 - a story needs no secrecy
        self._names = random.Random(f"{self.seed} names")  # noqa: S311 - nor do its ids
        self._past: dict[str, list[_Version]] = {}
        self._kinds: dict[str, list[str]] = {}

    def new_id(self, prefix: str) -> str:
        """An id like Stripe's: `pi_` and 24 letters and digits."""
        return prefix + "".join(self._names.choices(_LETTERS, k=24))

    @property
    def now_s(self) -> int:
        """Stripe's whole seconds."""
        return self.clock.now_ms() // 1000

    def save(self, obj: Json) -> Json:
        """Keep an object, new or changed, as it is from now on; returns it."""
        with self.lock:
            past = self._past.setdefault(obj["id"], [])
            if not past:
                self._kinds.setdefault(obj["object"], []).append(obj["id"])
            past.append(_Version(self.clock.now_ms(), _copied(obj)))
        return obj

    def find(self, id_: str) -> Json | None:
        """An object as it is now: a copy, to be changed and saved."""
        with self.lock:
            past = self._past.get(id_)
            return _copied(past[-1].body) if past else None

    def get(self, id_: str) -> Json:
        """An object that is surely there, as it is now."""
        found = self.find(id_)
        if found is None:
            raise KeyError(id_)
        return found

    def as_of(self, id_: str, at_ms: int) -> Json | None:
        """An object as a replica shows it that has heard of nothing after a moment."""
        with self.lock:
            known = [each for each in self._past.get(id_, []) if each.at_ms <= at_ms]
            return _copied(known[-1].body) if known else None

    def every(self, kind: str) -> list[Json]:
        """All objects of a kind as they are now, newest first, as Stripe lists them."""
        with self.lock:
            return [_copied(each) for each in self.rows(kind)]

    def rows(self, kind: str) -> list[Json]:
        """The same, but as they are kept, for those who look at many of them and change none."""
        with self.lock:
            found = [self._past[id_][-1].body for id_ in reversed(self._kinds.get(kind, []))]
        return sorted(found, key=lambda each: -each["created"])

    def emit(self, type_: str, obj: Json, changed: Json | None = None) -> Json:
        """Make an event about an object; `changed` holds the earlier values of what changed."""
        now_ms = self.clock.now_ms()
        data: Json = {"object": _copied(obj)}
        if changed is not None:
            data["previous_attributes"] = changed
        event: Json = {
            "id": self.new_id("evt_"),
            "object": "event",
            "api_version": NEWEST_VERSION,
            "created": now_ms // 1000,
            "data": data,
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": self.new_id("req_"), "idempotency_key": None},
            "type": type_,
        }
        self.publish(event, now_ms)
        return event

    def publish(self, event: Json, now_ms: int) -> None:
        """Add an event to the list, and tell everybody who listens."""
        hidden_ms = self.hidden_for_ms(event)
        happening = Happening(event=event, at_ms=now_ms, visible_ms=now_ms + hidden_ms)
        with self.lock:
            self.happenings.append(happening)
        for listener in self.on_event:
            listener(happening)

    def put_invoice(self, invoice: AppInvoice) -> AppInvoice:
        """Write or change an invoice of the app."""
        with self.lock:
            self.invoices[invoice.id] = invoice
        for listener in self.on_invoice:
            listener(invoice)
        return invoice


def _copied(value: Any) -> Any:
    """A copy of JSON, several times as fast as `deepcopy`, which has to be ready for more."""
    if isinstance(value, dict):
        return {key: _copied(each) for key, each in value.items()}
    return [_copied(each) for each in value] if isinstance(value, list) else value
