"""What happens when money is given back?"""

from collections.abc import Iterator
from typing import Final

from reconciler.simulator import returns
from reconciler.simulator.scene import Scene, Story
from reconciler.simulator.stories.acts import pay


def partial_refunds(scene: Scene) -> Iterator[int]:
    """Two parts are given back; Stripe makes two events of one kind about one charge."""
    invoice = scene.invoice()
    intent = yield from pay(scene, invoice)
    part = scene.part(invoice.amount_due) // 2
    yield scene.days(2)
    returns.refund(scene.world, intent, part)
    yield scene.minutes(5)
    returns.refund(scene.world, intent, part)


def full_refund(scene: Scene) -> Iterator[int]:
    """Everything is given back."""
    invoice = scene.invoice()
    intent = yield from pay(scene, invoice)
    yield scene.days(1)
    returns.refund(scene.world, intent, invoice.amount_due)


def refund_pending(scene: Scene) -> Iterator[int]:
    """A refund of a part is on its way, and stands."""
    invoice = scene.invoice()
    intent = yield from pay(scene, invoice)
    yield scene.days(1)
    returns.refund(scene.world, intent, scene.part(invoice.amount_due), "pending")


def refund_arrived(scene: Scene) -> Iterator[int]:
    """A refund of everything is pending for some days, and arrives."""
    invoice = scene.invoice()
    intent = yield from pay(scene, invoice)
    yield scene.days(1)
    refund = returns.refund(scene.world, intent, invoice.amount_due, "pending")
    yield scene.days(3)
    returns.confirm_refund(scene.world, refund)


def refund_failed(scene: Scene) -> Iterator[int]:
    """A refund that was called succeeded fails weeks later, and the money is back."""
    invoice = scene.invoice()
    intent = yield from pay(scene, invoice)
    yield scene.days(1)
    refund = returns.refund(scene.world, intent, invoice.amount_due)
    yield scene.days(15)
    returns.fail_refund(scene.world, refund)


def refund_canceled(scene: Scene) -> Iterator[int]:
    """A pending refund is called off, and the money is back."""
    invoice = scene.invoice()
    intent = yield from pay(scene, invoice)
    yield scene.days(1)
    refund = returns.refund(scene.world, intent, scene.part(invoice.amount_due), "pending")
    yield scene.days(1)
    returns.cancel_refund(scene.world, refund)


STORIES: Final = (
    Story("partial_refunds", "Two partial refunds", partial_refunds, "partially_refunded", "paid"),
    Story("full_refund", "Refunded in full", full_refund, "refunded", "paid"),
    Story("refund_pending", "Refund pending", refund_pending, "partially_refunded", "paid"),
    Story("refund_arrived", "Pending refund arrives", refund_arrived, "refunded", "paid"),
    Story("refund_failed", "Refund fails weeks later", refund_failed, "paid", "paid"),
    Story("refund_canceled", "Refund called off", refund_canceled, "paid", "paid"),
)
