"""A Stripe account for the commands to ask, over real sockets, with something wrong where a test wants it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from reconciler.simulator.api import Api, Key
from reconciler.simulator.clock import Clock
from reconciler.simulator.faults import Fault, Faults
from reconciler.simulator.server import SimulatedStripe
from reconciler.simulator.world import NEWEST_VERSION, World
from reconciler.stripe_api.translate import EVENT_TYPES

API_KEY = "rk_test_canary0123456789"
SECRET = "whsec_canary0123456789"
KINDS = frozenset(
    {
        "event",
        "payment_intent",
        "charge",
        "refund",
        "dispute",
        "checkout_session",
        "balance_transaction",
        "payout",
        "balance",
        "webhook_endpoint",
    }
)

Json = dict[str, Any]


def endpoint(**changes: object) -> Json:
    """Return a webhook endpoint to which everything that we use is sent; its address holds a password and a token."""
    return {
        "id": "we_1",
        "object": "webhook_endpoint",
        "created": 1,
        "url": "https://canary:canary@pay.example.com/api/webhooks/stripe?token=canary",
        "status": "enabled",
        "enabled_events": list(EVENT_TYPES),
        "api_version": NEWEST_VERSION,
        "description": "canary@canary.example \ud800",
        "livemode": False,
        **changes,
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class AtStripe:
    """What is there: by default all that the program needs, and our own time."""

    lacks: frozenset[str] = frozenset()
    endpoints: tuple[Json, ...] = field(default_factory=lambda: (endpoint(),))
    faults: tuple[Fault, ...] = ()
    ahead_s: float = 0.0
    live_event: bool | None = None
    key: str = API_KEY

    @contextmanager
    def answering(self) -> Iterator[dict[str, str]]:
        """Answer on a socket; give the environment of a program that asks there."""
        start_ms = int((time.time() + self.ahead_s) * 1000)
        world = World(seed=1, clock=Clock(start_ms, speed=1.0))
        for each in self.endpoints:
            world.save(each)
        if self.live_event is not None:
            told = {"id": "pi_1", "object": "payment_intent", "receipt_email": "jo@canary.example"}
            world.emit("payment_intent.created", told)["livemode"] = self.live_event
        faults = Faults()
        for fault in self.faults:
            faults.script(fault)
        keys = [Key(self.key, KINDS - self.lacks)]
        with SimulatedStripe(Api(world, keys, faults)) as server:
            yield {
                "STRIPE_API_KEY": API_KEY,
                "STRIPE_WEBHOOK_SECRET": SECRET,
                "STRIPE_API_BASE": server.base_url,
                "RECONCILER_STRIPE__REQUESTS_PER_S": "100",
            }
