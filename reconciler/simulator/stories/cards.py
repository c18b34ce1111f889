"""What happens when somebody pays by card?"""

from collections.abc import Iterator
from typing import Final

from reconciler.simulator import till
from reconciler.simulator.scene import Scene, Story


def card_paid(scene: Scene) -> Iterator[int]:
    """A card pays at once, and the balance transaction is known a little later."""
    invoice = scene.invoice()
    yield scene.minutes(2)
    intent = scene.begin(invoice)
    yield scene.seconds(20)
    till.succeed(scene.world, intent)
    yield scene.seconds(4)
    till.settle(scene.world, intent)


def failed_then_paid(scene: Scene) -> Iterator[int]:
    """The first card is declined, the second one pays."""
    invoice = scene.invoice()
    yield scene.minutes(1)
    intent = scene.begin(invoice)
    yield scene.seconds(15)
    till.fail(scene.world, intent)
    yield scene.seconds(50)
    till.succeed(scene.world, intent)
    yield scene.seconds(3)
    till.settle(scene.world, intent)


def given_up(scene: Scene) -> Iterator[int]:
    """Two attempts are declined, and the customer goes away."""
    invoice = scene.invoice()
    yield scene.minutes(1)
    intent = scene.begin(invoice)
    yield scene.seconds(15)
    till.fail(scene.world, intent)
    yield scene.minutes(1)
    till.fail(scene.world, intent, "insufficient_funds")


def authenticated(scene: Scene) -> Iterator[int]:
    """The bank asks for 3-D Secure: the first try fails without a charge, the second one passes."""
    invoice = scene.invoice()
    yield scene.minutes(1)
    intent = scene.begin(invoice)
    yield scene.seconds(12)
    till.require_action(scene.world, intent)
    yield scene.seconds(40)
    till.fail_authentication(scene.world, intent)
    yield scene.seconds(25)
    till.require_action(scene.world, intent)
    yield scene.seconds(30)
    till.succeed(scene.world, intent)
    yield scene.seconds(4)
    till.settle(scene.world, intent)


def waits_for_customer(scene: Scene) -> Iterator[int]:
    """The bank asks for 3-D Secure, and the customer never answers."""
    invoice = scene.invoice()
    yield scene.minutes(1)
    intent = scene.begin(invoice)
    yield scene.seconds(12)
    till.require_action(scene.world, intent)


def canceled(scene: Scene) -> Iterator[int]:
    """The app gives a PaymentIntent up that nobody tried to pay."""
    invoice = scene.invoice()
    yield scene.minutes(1)
    intent = scene.begin(invoice)
    yield scene.minutes(30)
    till.cancel(scene.world, intent, "abandoned")


def paid_long_after(scene: Scene) -> Iterator[int]:
    """A PaymentIntent is made weeks before it is paid, so that no list by creation time shows it."""
    invoice = scene.invoice()
    yield scene.minutes(1)
    intent = scene.begin(invoice)
    yield scene.days(24)
    till.succeed(scene.world, intent)
    yield scene.seconds(5)
    till.settle(scene.world, intent)


def second_intent_paid(scene: Scene) -> Iterator[int]:
    """One PaymentIntent fails for good, and another one pays the same invoice; the first is then canceled."""
    invoice = scene.invoice()
    yield scene.minutes(1)
    first = scene.begin(invoice, metadata=scene.name(invoice))
    yield scene.seconds(15)
    till.fail(scene.world, first, "expired_card")
    yield scene.minutes(3)
    second = scene.begin(invoice, metadata=scene.name(invoice))
    yield scene.seconds(15)
    till.succeed(scene.world, second)
    yield scene.seconds(4)
    till.settle(scene.world, second)
    yield scene.days(1)
    till.cancel(scene.world, first, "abandoned")


STORIES: Final = (
    Story("card_paid", "Card paid", card_paid, "paid", "paid"),
    Story("failed_then_paid", "Declined, then paid", failed_then_paid, "paid", "paid"),
    Story("given_up", "Declined twice, given up", given_up, "failed", "open"),
    Story("authenticated", "Paid after 3-D Secure", authenticated, "paid", "paid"),
    Story("waits_for_customer", "3-D Secure never answered", waits_for_customer, "unpaid", "open"),
    Story("canceled", "Canceled", canceled, "unpaid", "open"),
    Story("paid_long_after", "Paid weeks after it was made", paid_long_after, "paid", "paid"),
    Story("second_intent_paid", "One failed, another one paid", second_intent_paid, "paid", "paid"),
)
