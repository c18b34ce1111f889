"""The simulated Stripe's API: a request goes in, an answer comes out, no socket in between."""

from reconciler.simulator.api.desk import Api
from reconciler.simulator.api.keys import Key
from reconciler.simulator.api.wire import Answer, Request

__all__ = ["Answer", "Api", "Key", "Request"]
