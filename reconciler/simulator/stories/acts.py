"""Which few steps do many stories have in common?"""

from collections.abc import Generator, Iterator
from typing import Any

from reconciler.simulator import till
from reconciler.simulator.scene import Scene
from reconciler.simulator.world import AppInvoice


def pay(scene: Scene, invoice: AppInvoice, **fields: Any) -> Generator[int, None, str]:
    """A customer pays an invoice by card; returns the id of the PaymentIntent."""
    yield scene.minutes(1)
    intent = scene.begin(invoice, **fields)
    yield from pay_by_card(scene, intent)
    return intent


def pay_by_card(scene: Scene, intent: str) -> Iterator[int]:
    """A card pays a PaymentIntent, and the balance transaction is known a little later."""
    yield scene.seconds(20)
    till.succeed(scene.world, intent)
    yield scene.seconds(4)
    till.settle(scene.world, intent)
