"""What happens when one payment is for several invoices, or its names disagree whose it is?"""

from collections.abc import Iterator
from typing import Final

from reconciler.simulator import returns, till
from reconciler.simulator.scene import Scene, Story
from reconciler.simulator.stories.acts import pay_by_card
from reconciler.simulator.world import AppInvoice


def one_for_two(scene: Scene) -> Iterator[int]:
    """The app keeps one PaymentIntent on two invoices, whose totals it adds up to."""
    invoices = [scene.invoice(), scene.invoice()]
    intent = _keep_one_on_each(scene, invoices, sum(each.amount_due for each in invoices))
    scene.split(intent, {each.id: each.amount_due for each in invoices})
    yield scene.minutes(1)
    yield from pay_by_card(scene, intent)


def one_for_three_refunded(scene: Scene) -> Iterator[int]:
    """One PaymentIntent pays three invoices, and a part of it is given back: to each of them in proportion."""
    invoices = [scene.invoice() for _ in range(3)]
    intent = _keep_one_on_each(scene, invoices, sum(each.amount_due for each in invoices))
    scene.split(intent, {each.id: each.amount_due for each in invoices})
    yield scene.minutes(1)
    yield from pay_by_card(scene, intent)
    yield scene.days(2)
    returns.refund(scene.world, intent, scene.part(invoices[0].amount_due))


def one_for_two_short(scene: Scene) -> Iterator[int]:
    """The same, and a cent is missing: nobody can tell at which of the two."""
    invoices = [scene.invoice(), scene.invoice()]
    intent = _keep_one_on_each(scene, invoices, sum(each.amount_due for each in invoices) - 1)
    scene.claimed_by(intent, invoices)
    yield scene.minutes(1)
    yield from pay_by_card(scene, intent)


def names_disagree(scene: Scene) -> Iterator[int]:
    """The metadata names one invoice, and the app keeps the PaymentIntent on another."""
    named, keeping = scene.invoice(), scene.invoice()
    intent = till.make_intent(
        scene.world,
        amount=named.amount_due,
        currency=named.currency,
        metadata=scene.name(named),
        receipt_email=named.customer_email,
    )
    scene.stores(keeping, stripe_payment_intent_id=intent)
    scene.claimed_by(intent, [named, keeping])
    yield scene.minutes(1)
    yield from pay_by_card(scene, intent)


def _keep_one_on_each(scene: Scene, invoices: list[AppInvoice], amount: int) -> str:
    """The app makes one PaymentIntent and keeps its id on each of the invoices; returns the id."""
    first = invoices[0]
    intent = till.make_intent(
        scene.world, amount=amount, currency=first.currency, receipt_email=first.customer_email
    )
    for each in invoices:
        scene.stores(each, stripe_payment_intent_id=intent)
    return intent


STORIES: Final = (
    Story("one_for_two", "One payment for two invoices", one_for_two, "paid", "paid"),
    Story(
        "one_for_three_refunded",
        "One for three, partly refunded",
        one_for_three_refunded,
        "partially_refunded",
        "paid",
    ),
    Story(
        "one_for_two_short", "A cent short for two invoices", one_for_two_short, "review", "open"
    ),
    Story("names_disagree", "Names that disagree", names_disagree, "review", "open"),
)
