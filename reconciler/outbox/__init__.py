"""How does a notification come from a row in the database to the push services, once?

`fan_out` makes of a notification one delivery a browser, `lanes` send what is due, one lane a push service, and `outbox` starts
both. `batches` say what a lane takes and writes down, `letters` and `wording` what is in a message, `outcomes` what an answer
means for its delivery, and `repute` whether a push service refuses us or one user's browser.
"""

from reconciler.outbox.lanes import Send, Surroundings
from reconciler.outbox.letters import Terms
from reconciler.outbox.outbox import TICK_S, Outbox

__all__ = ["TICK_S", "Outbox", "Send", "Surroundings", "Terms"]
