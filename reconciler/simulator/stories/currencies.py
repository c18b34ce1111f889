"""What happens when several currencies are about?"""

from collections.abc import Iterator
from typing import Final

from reconciler.simulator import moves, returns, till
from reconciler.simulator.scene import Scene, Story
from reconciler.simulator.stories.acts import pay


def presented_in_another(scene: Scene) -> Iterator[int]:
    """Adaptive Pricing: the customer sees a third currency, and the amount stays the app's.

    https://docs.stripe.com/payments/checkout/adaptive-pricing
    """
    invoice = scene.invoice()
    shown = moves.converted(invoice.amount_due, invoice.currency, "gbp")
    details = {"presentment_amount": shown, "presentment_currency": "gbp"}
    yield from pay(scene, invoice, presentment_details=details)


def foreign_refunded(scene: Scene) -> Iterator[int]:
    """Paid in a currency that the account does not settle in, and a part is given back."""
    invoice = scene.invoice(currency="usd")
    intent = yield from pay(scene, invoice)
    yield scene.days(2)
    returns.refund(scene.world, intent, scene.part(invoice.amount_due))


def foreign_disputed(scene: Scene) -> Iterator[int]:
    """The same, and a dispute is lost: its balance transactions are not in the charge's currency."""
    intent = yield from pay(scene, scene.invoice(currency="usd"))
    yield scene.days(5)
    dispute = returns.dispute(scene.world, intent)
    yield scene.days(9)
    returns.lose(scene.world, dispute)


def foreign_won(scene: Scene) -> Iterator[int]:
    """The same, and the dispute is won."""
    intent = yield from pay(scene, scene.invoice(currency="gbp"))
    yield scene.days(5)
    dispute = returns.dispute(scene.world, intent)
    yield scene.days(9)
    returns.win(scene.world, dispute)
    yield scene.seconds(2)
    returns.reinstate(scene.world, dispute)


def yen_paid(scene: Scene) -> Iterator[int]:
    """A currency without decimals."""
    yield from pay(scene, scene.invoice(currency="jpy"))


def dinar_paid(scene: Scene) -> Iterator[int]:
    """A currency with three decimals; the first attempt is declined."""
    invoice = scene.invoice(currency="kwd")
    yield scene.minutes(1)
    intent = scene.begin(invoice)
    yield scene.seconds(9)
    till.fail(scene.world, intent)
    yield scene.seconds(45)
    till.succeed(scene.world, intent)
    yield scene.seconds(4)
    till.settle(scene.world, intent)


STORIES: Final = (
    Story("presented_in_another", "Adaptive Pricing", presented_in_another, "paid", "paid"),
    Story(
        "foreign_refunded",
        "Settled elsewhere, part back",
        foreign_refunded,
        "partially_refunded",
        "paid",
    ),
    Story(
        "foreign_disputed", "Settled elsewhere, disputed", foreign_disputed, "charged_back", "paid"
    ),
    Story("foreign_won", "Settled elsewhere, dispute won", foreign_won, "paid", "paid"),
    Story("yen_paid", "Paid in yen", yen_paid, "paid", "paid"),
    Story("dinar_paid", "Paid in Kuwaiti dinar", dinar_paid, "paid", "paid"),
)
