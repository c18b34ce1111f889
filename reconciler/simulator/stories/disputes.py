"""What happens when a customer's bank asks, or takes the money back?"""

from collections.abc import Generator, Iterator
from typing import Final

from reconciler.simulator import returns
from reconciler.simulator.scene import Scene, Story
from reconciler.simulator.stories.acts import pay


def inquiry(scene: Scene) -> Iterator[int]:
    """The bank asks, is answered, and no money moves."""
    intent = yield from pay(scene, scene.invoice())
    yield scene.days(6)
    asked = returns.open_inquiry(scene.world, intent)
    yield scene.days(12)
    returns.close_inquiry(scene.world, asked)


def dispute_open(scene: Scene) -> Iterator[int]:
    """The money is withdrawn, evidence is handed in, and the bank has not decided yet."""
    intent = yield from pay(scene, scene.invoice())
    yield scene.days(7)
    dispute = returns.dispute(scene.world, intent)
    yield scene.days(2)
    returns.answer(scene.world, dispute)


def dispute_lost(scene: Scene) -> Iterator[int]:
    """The bank decides for its customer."""
    intent = yield from pay(scene, scene.invoice())
    yield from _lost(scene, intent)


def dispute_won(scene: Scene) -> Iterator[int]:
    """The bank decides for the account, and the money comes back."""
    intent = yield from pay(scene, scene.invoice())
    yield scene.days(7)
    dispute = returns.dispute(scene.world, intent)
    yield scene.days(2)
    returns.answer(scene.world, dispute)
    yield scene.days(20)
    returns.win(scene.world, dispute)
    yield scene.seconds(2)
    returns.reinstate(scene.world, dispute)


def won_without_money(scene: Scene) -> Iterator[int]:
    """The bank decides for the account, and the money has not come back yet."""
    intent = yield from pay(scene, scene.invoice())
    yield scene.days(7)
    dispute = returns.dispute(scene.world, intent)
    yield scene.days(15)
    returns.win(scene.world, dispute)


def late_win(scene: Scene) -> Iterator[int]:
    """A dispute is lost, and won after all weeks later."""
    intent = yield from pay(scene, scene.invoice())
    dispute = yield from _lost(scene, intent)
    yield scene.days(25)
    returns.win(scene.world, dispute)
    yield scene.seconds(3)
    returns.reinstate(scene.world, dispute)


def dispute_after_refund(scene: Scene) -> Iterator[int]:
    """A part is given back, and the bank takes the rest."""
    invoice = scene.invoice()
    intent = yield from pay(scene, invoice)
    yield scene.days(1)
    returns.refund(scene.world, intent, scene.part(invoice.amount_due))
    yield from _lost(scene, intent)


def _lost(scene: Scene, intent: str) -> Generator[int, None, str]:
    yield scene.days(7)
    dispute = returns.dispute(scene.world, intent)
    yield scene.days(10)
    returns.lose(scene.world, dispute)
    return dispute


STORIES: Final = (
    Story("inquiry", "Inquiry, no money moved", inquiry, "paid", "paid"),
    Story("dispute_open", "Dispute under review", dispute_open, "disputed", "paid"),
    Story("dispute_lost", "Dispute lost", dispute_lost, "charged_back", "paid"),
    Story("dispute_won", "Dispute won", dispute_won, "paid", "paid"),
    Story("won_without_money", "Dispute won, money awaited", won_without_money, "disputed", "paid"),
    Story("late_win", "Dispute lost, then won", late_win, "paid", "paid"),
    Story(
        "dispute_after_refund",
        "Part refunded, rest disputed",
        dispute_after_refund,
        "charged_back",
        "paid",
    ),
)
