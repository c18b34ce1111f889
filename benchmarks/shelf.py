"""Which PaymentIntents does the list server have, and what does a page of them look like?

One PaymentIntent every so many seconds, newest first, all of one shape and made of one template when they are asked for: ten
million of them take no memory, and a page takes a quarter of a millisecond. They are indented, as Stripe sends them.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from reconciler.simulator import till
from reconciler.simulator.clock import Clock
from reconciler.simulator.world import World

# Stripe's clock at the first pass; it stands still, so that the same pass asks for the same pages.
DATE_S: Final = 1_790_000_000
# Just old enough that a sweep does not leave the newest one for the next.
LAG_S: Final = 10
NEWEST_S: Final = DATE_S - LAG_S - 1
# 300,000 of them are nearly the 35 days of the nightly pass.
EVERY_S: Final = 10
PAGE: Final = 100

_ID: Final = "pi_3%(place)023d"
_CHARGE: Final = "ch_3%(place)023d"
_PAGE: Final = (
    b'{\n  "object": "list",\n  "data": [\n%(objects)b\n  ],\n'
    b'  "has_more": %(more)b,\n  "url": "/v1/payment_intents"\n}'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """`count` PaymentIntents that succeeded, but each `unpaid_every`-th was never paid; 0 is none."""

    count: int
    unpaid_every: int = 0

    def page(self, query: Mapping[str, str]) -> bytes:
        """The page that is asked for by `limit`, `starting_after` and bounds of `created`."""
        first, end = self._places(query)
        last = min(end, first + min(PAGE, int(query.get("limit", PAGE))))
        objects = b",\n".join(self._object(place) for place in range(first, last))
        return _PAGE % {b"objects": objects, b"more": b"true" if last < end else b"false"}

    def _places(self, query: Mapping[str, str]) -> tuple[int, int]:
        """From which place to before which one; the newest has place 0."""
        since_s = int(query.get("created[gte]", 0))
        until_s = int(query.get("created[lt]", NEWEST_S + 1))
        first = max(0, (NEWEST_S - until_s) // EVERY_S + 1)
        if after := query.get("starting_after"):
            first = max(first, int(after.removeprefix("pi_3")) + 1)
        end = min(self.count, (NEWEST_S - since_s) // EVERY_S + 1)
        return first, max(first, end)

    def _object(self, place: int) -> bytes:
        is_unpaid = self.unpaid_every > 0 and place % self.unpaid_every == 0
        template = _UNPAID if is_unpaid else _PAID
        return template % {b"place": place, b"created": NEWEST_S - place * EVERY_S}


def reach_s(count: int, *, later_s: int = 0) -> int:
    """How far back a pass must look, so long after the first one, to find the newest `count` of them."""
    return count * EVERY_S + later_s


def _template(*, is_paid: bool) -> bytes:
    world = World(seed=1, clock=Clock(DATE_S * 1000))
    id_ = till.make_intent(
        world,
        amount=4998,
        currency="eur",
        customer="cus_QxR7pLm2TzV9aB",
        description="Two tickets for the concert of the fourth of May, second row",
        receipt_email="jenny.rosen@example.com",
        metadata={"invoice_id": "INV-PLACE", "cart": "c_01JABCDEFGHJKMNPQRSTVWXYZ", "shop": "2"},
    )
    if is_paid:
        till.succeed(world, id_)
    intent = world.get(id_)
    text = json.dumps(intent, indent=2).replace("%", "%%").replace(id_, _ID)
    text = text.replace("INV-PLACE", "INV-%(place)07d")
    text = text.replace(f'"created": {intent["created"]}', '"created": %(created)d')
    if is_paid:
        text = text.replace(str(intent["latest_charge"]), _CHARGE)
    return "\n".join(f"    {line}" for line in text.splitlines()).encode()


_PAID: Final = _template(is_paid=True)
_UNPAID: Final = _template(is_paid=False)
