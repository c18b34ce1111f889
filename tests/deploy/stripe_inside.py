"""The simulated Stripe as a service of the machine: one payment is there that no webhook will ever tell of.

It is run by the installed program's Python, and knows nothing of these tests.
"""

import threading
import time
from pathlib import Path

from reconciler import systemd
from reconciler.simulator import till
from reconciler.simulator.api import Api, Key
from reconciler.simulator.clock import Clock
from reconciler.simulator.server import SimulatedStripe
from reconciler.simulator.world import World

KEY = "rk_test_0123456789"
ADDRESS = Path("/run/simulated-stripe")


def main() -> None:
    """Make the payment, say where Stripe is, and answer for ever."""
    world = World(seed=3, clock=Clock(int(time.time() * 1000) - 60_000))
    paid = till.make_intent(world, amount=1000, currency="eur", metadata={"invoice_id": "INV-1"})
    till.succeed(world, paid)
    with SimulatedStripe(Api(world, [Key(KEY)])) as stripe:
        world.clock.reach(int(time.time() * 1000))
        world.clock.run(1.0)
        ADDRESS.write_text(f"STRIPE_API_BASE={stripe.base_url}\n")
        systemd.notify(READY="1")
        threading.Event().wait()


if __name__ == "__main__":
    main()
