"""What does a story need: an invoice of the app, a way to name it, a pace, and chance of its own?"""

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from reconciler.simulator import till
from reconciler.simulator.world import DAY_MS, AppInvoice, World

# The smallest and largest amount of an invoice, and what it is a multiple of, in minor units
# (https://docs.stripe.com/currencies: a third decimal is always 0).
_AMOUNTS: Final = {"jpy": (500, 200_000, 1), "kwd": (3_000, 600_000, 10)}
_USUAL_AMOUNTS: Final = (1_900, 180_000, 1)


@dataclass(slots=True, kw_only=True)
class Scene:
    """Where one story plays. `random` is its own, so that stories do not change each other's draws."""

    world: World
    random: random.Random
    day_ms: int = DAY_MS
    invoices: list[str] = field(default_factory=list)

    def invoice(self, **fields: Any) -> AppInvoice:
        """The app writes a new invoice; its amount is drawn unless `amount_due` is given."""
        with self.world.lock:
            number = len(self.world.invoices) + 1
            currency = fields.setdefault("currency", "eur")
            given: dict[str, Any] = {
                "id": f"{1000 + number}",
                "number": f"INV-{number:04}",
                "amount_due": self.amount(currency),
                "user_id": f"user_{number}",
                "customer_email": f"customer{number}@shop.example",
            }
            invoice = self.world.put_invoice(AppInvoice(**(given | fields)))
        self.invoices.append(invoice.id)
        return invoice

    def amount(self, currency: str) -> int:
        """A price that looks real, in minor units."""
        low, high, step = _AMOUNTS.get(currency, _USUAL_AMOUNTS)
        return self.random.randrange(low, high, step)

    def part(self, amount: int) -> int:
        """A part of an amount: less than the whole, and more than nothing."""
        return amount * self.random.randint(20, 80) // 1000 * 10

    def meant_for(self, payment_or_session_id: str, invoice_id: str) -> None:
        """Tell the truth's side which invoice a PaymentIntent or a Session pays."""
        self.world.meant[payment_or_session_id] = invoice_id

    def split(self, intent_id: str, parts: dict[str, int]) -> None:
        """Tell the truth's side how much of a PaymentIntent is for each invoice."""
        self.world.parts[intent_id] = parts

    def claimed_by(self, intent_id: str, invoices: Iterable[AppInvoice]) -> None:
        """Tell the truth's side that nobody can tell for which of these invoices a PaymentIntent is."""
        self.world.claimed[intent_id] = [each.id for each in invoices]

    def stores(self, invoice: AppInvoice, **ids: Any) -> AppInvoice:
        """The app keeps a Stripe id on its invoice, for example `stripe_payment_intent_id`."""
        return self.world.put_invoice(replace(self.world.invoices[invoice.id], **ids))

    def name(self, invoice: AppInvoice) -> dict[str, str]:
        """Metadata that names an invoice, by its id or by its number."""
        return {"invoice_id": self.random.choice((invoice.id, invoice.number))}

    def begin(self, invoice: AppInvoice, **fields: Any) -> str:
        """Make a PaymentIntent for an invoice and name the invoice in one of the ways; returns its id."""
        by_metadata = self.random.random() < 0.7  # noqa: PLR2004 - most apps use metadata
        if by_metadata or invoice.stripe_payment_intent_id:
            fields.setdefault("metadata", self.name(invoice))
        fields.setdefault("amount", invoice.amount_due)
        fields.setdefault("currency", invoice.currency)
        intent_id = till.make_intent(self.world, receipt_email=invoice.customer_email, **fields)
        if "metadata" not in fields:
            self.stores(invoice, stripe_payment_intent_id=intent_id)
        self.meant_for(intent_id, invoice.id)
        return intent_id

    def seconds(self, count: int) -> int:
        """So many seconds, give or take some milliseconds, in milliseconds."""
        return count * 1000 + self.random.randrange(1000)

    def minutes(self, count: int) -> int:
        """So many minutes and some seconds, in milliseconds."""
        return self.seconds(count * 60 + self.random.randrange(40))

    def days(self, count: int) -> int:
        """So many days of this stage, which may be short ones, and some seconds, in milliseconds."""
        return count * self.day_ms + self.seconds(self.random.randrange(1, 60))


@dataclass(frozen=True, slots=True)
class Story:
    """One thing that may happen to an invoice: `play` acts, and yields how many ms pass until its next step.

    `payment_status` and `status` are the words that the story's first invoice ends with.
    """

    name: str
    title: str
    play: Callable[[Scene], Iterator[int]]
    payment_status: str | None
    status: str
