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
    refunds,
)

STORIES: Final = MappingProxyType(
    {
        story.name: story
        for module in (cards, debits, refunds, disputes, holds, amounts, checkout, currencies)
        for story in module.STORIES
    }
)

__all__ = ["STORIES"]
