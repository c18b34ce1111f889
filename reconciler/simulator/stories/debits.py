"""What happens when somebody pays by bank debit, which takes days?"""

from collections.abc import Iterator
from typing import Final

from reconciler.simulator import returns, till
from reconciler.simulator.scene import Scene, Story


def debit_paid(scene: Scene) -> Iterator[int]:
    """The debit arrives five days later."""
    yield from _arrives(scene, scene.begin(scene.invoice()))


def debit_on_its_way(scene: Scene) -> Iterator[int]:
    """The debit was started, and has not arrived yet."""
    intent = scene.begin(scene.invoice())
    yield scene.seconds(30)
    till.start_debit(scene.world, intent)


def debit_failed(scene: Scene) -> Iterator[int]:
    """The debit does not arrive."""
    intent = scene.begin(scene.invoice())
    yield scene.seconds(30)
    till.start_debit(scene.world, intent)
    yield scene.days(4)
    till.fail_debit(scene.world, intent)


def debit_returned(scene: Scene) -> Iterator[int]:
    """The debit arrives, and the customer's bank takes it back weeks later."""
    intent = scene.begin(scene.invoice())
    yield from _arrives(scene, intent)
    yield scene.days(20)
    returns.return_debit(scene.world, intent)


def _arrives(scene: Scene, intent: str) -> Iterator[int]:
    yield scene.seconds(30)
    till.start_debit(scene.world, intent)
    yield scene.days(5)
    till.finish_debit(scene.world, intent)


STORIES: Final = (
    Story("debit_paid", "Bank debit arrives days later", debit_paid, "paid", "paid"),
    Story("debit_on_its_way", "Bank debit on its way", debit_on_its_way, "processing", "open"),
    Story("debit_failed", "Bank debit fails", debit_failed, "failed", "open"),
    Story("debit_returned", "Bank debit taken back", debit_returned, "charged_back", "paid"),
)
