"""What happens when the amount is not the invoice's, or changes without a word?"""

from collections.abc import Iterator
from typing import Final

from reconciler.simulator import till
from reconciler.simulator.scene import Scene, Story
from reconciler.simulator.stories.acts import pay, pay_by_card


def paid_twice(scene: Scene) -> Iterator[int]:
    """The customer pays in two tabs."""
    invoice = scene.invoice()
    yield scene.minutes(1)
    tabs = [scene.begin(invoice, metadata=scene.name(invoice)) for _ in range(2)]
    for tab in tabs:
        yield from pay_by_card(scene, tab)


def underpaid(scene: Scene) -> Iterator[int]:
    """The PaymentIntent was made for too little."""
    invoice = scene.invoice()
    yield from pay(scene, invoice, amount=scene.part(invoice.amount_due))


def completed(scene: Scene) -> Iterator[int]:
    """Too little is paid, and a second payment brings the rest."""
    invoice = scene.invoice()
    first = scene.part(invoice.amount_due)
    yield from pay(scene, invoice, amount=first, metadata=scene.name(invoice))
    yield scene.days(3)
    rest = invoice.amount_due - first
    yield from pay(scene, invoice, amount=rest, metadata=scene.name(invoice))


def wrong_currency(scene: Scene) -> Iterator[int]:
    """The right number in the wrong currency."""
    yield from pay(scene, scene.invoice(), currency="usd")


def amount_edited(scene: Scene) -> Iterator[int]:
    """The amount is corrected before it is paid, and no event tells."""
    invoice = scene.invoice()
    yield scene.minutes(1)
    intent = scene.begin(invoice, amount=invoice.amount_due + 990)
    yield scene.minutes(4)
    till.edit(scene.world, intent, amount=invoice.amount_due)
    yield from pay_by_card(scene, intent)


def metadata_edited(scene: Scene) -> Iterator[int]:
    """After the payment somebody writes another name into the metadata, which must change nothing."""
    invoice = scene.invoice()
    intent = yield from pay(scene, invoice, metadata=scene.name(invoice))
    yield scene.days(1)
    till.edit(scene.world, intent, metadata={"invoice_id": f"{invoice.number}-edited"})


STORIES: Final = (
    Story("paid_twice", "Paid twice", paid_twice, "overpaid", "paid"),
    Story("underpaid", "Paid too little", underpaid, "partially_paid", "open"),
    Story("completed", "Paid too little, then the rest", completed, "paid", "paid"),
    Story("wrong_currency", "Paid in the wrong currency", wrong_currency, "review", "open"),
    Story("amount_edited", "Amount edited without an event", amount_edited, "paid", "paid"),
    Story("metadata_edited", "Metadata edited after payment", metadata_edited, "paid", "paid"),
)
