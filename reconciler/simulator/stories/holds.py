"""What happens when a card is authorised first, and the money is taken later?"""

from collections.abc import Generator, Iterator
from typing import Final

from reconciler.simulator import till
from reconciler.simulator.scene import Scene, Story
from reconciler.simulator.world import AppInvoice


def partial_capture(scene: Scene) -> Iterator[int]:
    """Less is taken than was authorised, and the rest is given up."""
    invoice = scene.invoice()
    intent = yield from _authorise(scene, invoice)
    yield scene.days(1)
    till.capture(scene.world, intent, scene.part(invoice.amount_due))


def multicapture(scene: Scene) -> Iterator[int]:
    """The money is taken in three parts, one a delivery; only the last makes the PaymentIntent succeed."""
    invoice = scene.invoice()
    intent = yield from _authorise(scene, invoice)
    third = invoice.amount_due // 3
    for part in (third, third):
        yield scene.days(1)
        till.capture(scene.world, intent, part, is_final=False)
    yield scene.days(1)
    till.capture(scene.world, intent, invoice.amount_due - 2 * third)


def half_captured(scene: Scene) -> Iterator[int]:
    """One part of several has been taken, and the rest is still authorised."""
    invoice = scene.invoice()
    intent = yield from _authorise(scene, invoice)
    yield scene.days(1)
    till.capture(scene.world, intent, scene.part(invoice.amount_due), is_final=False)


def authorised(scene: Scene) -> Iterator[int]:
    """A card is authorised, and waits for the goods to leave."""
    yield from _authorise(scene, scene.invoice())


def canceled_late(scene: Scene) -> Iterator[int]:
    """A card is authorised, and nobody takes the money until the bank releases it."""
    intent = yield from _authorise(scene, scene.invoice())
    yield scene.days(7)
    till.cancel(scene.world, intent, "automatic")


def _authorise(scene: Scene, invoice: AppInvoice) -> Generator[int, None, str]:
    yield scene.minutes(1)
    intent = scene.begin(invoice, capture_method="manual")
    yield scene.seconds(20)
    till.authorise(scene.world, intent)
    return intent


STORIES: Final = (
    Story("partial_capture", "Captured in part", partial_capture, "partially_paid", "open"),
    Story("multicapture", "Captured in three parts", multicapture, "paid", "paid"),
    Story("half_captured", "Captured so far in part", half_captured, "partially_paid", "open"),
    Story("authorised", "Authorised, not captured", authorised, "authorized", "open"),
    Story("canceled_late", "Authorised, released unused", canceled_late, "unpaid", "open"),
)
