"""Which stories can the simulated Stripe tell?"""

from types import MappingProxyType
from typing import Final

from reconciler.simulator.stories import (
    amounts,
    cards,
    checkout,
    currencies,
    debits,
    disputes,
    holds,
    payouts,
    refunds,
    shared,
)

# New ones go to the end: the place of a story decides which seeds draw it.
_MODULES: Final = (
    cards,
    debits,
    refunds,
    disputes,
    holds,
    amounts,
    checkout,
    currencies,
    payouts,
    shared,
)

STORIES: Final = MappingProxyType(
    {story.name: story for module in _MODULES for story in module.STORIES}
)

__all__ = ["STORIES"]
