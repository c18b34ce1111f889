"""How does a notification come from a row in the database to the push services, once?

`fan_out` makes of a notification one delivery a browser, `lanes` send what is due, one lane a push service, and `outbox` starts
both. `letters` and `wording` say what is in a message, `outcomes` what an answer means for its delivery.
"""

from reconciler.outbox.lanes import Send, Surroundings
from reconciler.outbox.letters import Terms
from reconciler.outbox.outbox import TICK_S, Outbox

__all__ = ["TICK_S", "Outbox", "Send", "Surroundings", "Terms"]
