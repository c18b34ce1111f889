"""What happens when the money goes on to the account's bank?

A payout takes all that is available by then, also what other stories have brought; of an invoice it changes nothing.
"""

from collections.abc import Generator, Iterator
from typing import Final

from reconciler.simulator import payouts
from reconciler.simulator.scene import Scene, Story
from reconciler.simulator.stories.acts import pay


def paid_out(scene: Scene) -> Iterator[int]:
    """The money is paid out when it is available, and arrives."""
    yield from pay(scene, scene.invoice())
    yield scene.days(3)
    yield from _pay_out(scene)


def payout_failed(scene: Scene) -> Iterator[int]:
    """A payout that was called paid comes back days later, and its money goes with the next one."""
    yield from pay(scene, scene.invoice())
    yield scene.days(3)
    made = yield from _pay_out(scene)
    yield scene.days(3)
    for each in made:
        payouts.fail(scene.world, each)
    yield scene.days(4)
    yield from _pay_out(scene)


def _pay_out(scene: Scene) -> Generator[int, None, list[str]]:
    """Pay out what is available, which may be nothing, until it has arrived; returns the ids of the payouts."""
    made = payouts.pay_out(scene.world)
    for step in (payouts.submit, payouts.tell_composition):
        yield scene.minutes(1)
        for each in made:
            step(scene.world, each)
    yield scene.days(2)
    for each in made:
        payouts.arrive(scene.world, each)
    return made


STORIES: Final = (
    Story("paid_out", "Paid, and paid out", paid_out, "paid", "paid"),
    Story("payout_failed", "Paid out, payout fails later", payout_failed, "paid", "paid"),
)
