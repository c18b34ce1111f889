"""Between which steps of the program is it killed?

The program knows nothing of it: a point names a function of it, and whether to die before it begins or after it has ended.
`within` counts only those calls that are made inside another function, so that a commit of a read is none of a webhook's.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

BEFORE: Final = "before"
AFTER: Final = "after"

SERVE: Final = "serve"
DAEMON: Final = "daemon"
RECONCILE: Final = "reconcile"
# The daemon again, with something to send.
PUSH: Final = "push"


@dataclass(frozen=True, slots=True)
class Point:
    """A place to die at: its name, what comes by, and the function, as `module:name` or `module:Class.name`."""

    name: str
    command: str
    when: str
    function: str
    within: str = ""


def _points(command: str, *rows: tuple[str, ...]) -> Iterator[Point]:
    for name, *rest in rows:
        yield Point(name, command, *rest)


_ACCEPT: Final = "reconciler.inbox:Inbox.accept"
_COMMIT: Final = "reconciler.db.session:Database._commit"
_ENDPOINT: Final = "webhook.stripe_endpoint:StripeEndpoint"
_SLICING: Final = "reconciler.reconcile.slicing"
_RUNNING: Final = "reconciler.reconcile.running"

INTAKE: Final = tuple(
    _points(
        SERVE,
        ("c1 body read", BEFORE, f"{_ENDPOINT}._verify"),
        ("c2 signature verified", AFTER, f"{_ENDPOINT}._verify"),
        ("c3 transaction open", BEFORE, "reconciler.db.events:store", _ACCEPT),
        ("c4 event stored", AFTER, "reconciler.db.events:store", _ACCEPT),
        ("a1 before the door", BEFORE, "reconciler.inbox:apply_payment_state", _ACCEPT),
        ("a2 payments read", AFTER, "reconciler.db.facts:load", _ACCEPT),
        ("a3 invoices locked", AFTER, "reconciler.db.ledgers:load", _ACCEPT),
        ("a4 decided", AFTER, "reconciler.apply:decide", _ACCEPT),
        ("a5 facts around stored", AFTER, "reconciler.db.facts:store_around", _ACCEPT),
        ("a6 payments stored", AFTER, "reconciler.db.payments:store", _ACCEPT),
        ("a7 allocations stored", AFTER, "reconciler.db.outcomes:_store_allocations", _ACCEPT),
        ("a8 settlements stored", AFTER, "reconciler.db.outcomes:_store_settlements", _ACCEPT),
        ("a9 invoices written", AFTER, "reconciler.db.invoices:write", _ACCEPT),
        ("a10 audit rows written", BEFORE, "reconciler.db.outcomes:_store_exceptions", _ACCEPT),
        ("a11 exceptions stored", BEFORE, "reconciler.db.outcomes:_store_notices", _ACCEPT),
        ("a12 notices enqueued", AFTER, "reconciler.db.outcomes:_store_notices", _ACCEPT),
        ("a13 evidence stored", AFTER, "reconciler.db.evidence:store", _ACCEPT),
        ("a14 reads settled", AFTER, "reconciler.db.evidence:settle_fetches", _ACCEPT),
        ("c5 event marked", AFTER, "reconciler.db.events:mark", _ACCEPT),
        ("c6 before the commit", BEFORE, _COMMIT, _ACCEPT),
        ("c7 after the commit", AFTER, _COMMIT, _ACCEPT),
        ("c8 before the answer", BEFORE, f"{_ENDPOINT}._count"),
        ("c9 answer made", AFTER, f"{_ENDPOINT}.receive"),
    )
)

SWEEP: Final = tuple(
    _points(
        DAEMON,
        ("p1 lease taken", AFTER, "reconciler.daemon.leader:Leader._tend"),
        ("p2 row of a run written", AFTER, "reconciler.db.sweeps:begin"),
        ("p3 before a question", BEFORE, "reconciler.stripe_api.gateway:Gateway.ask"),
        ("p4 page of events read", BEFORE, "reconciler.poll.events:_take_page"),
        ("p5 page applied, cursor not", BEFORE, "reconciler.db.sweeps:move"),
        ("p6 cursor moved, no commit", AFTER, "reconciler.db.sweeps:move"),
        ("p7 before a page's commit", BEFORE, _COMMIT, "reconciler.poll.events:_take_page"),
        ("p8 page of events done", AFTER, "reconciler.poll.events:_take_page"),
        ("p9 page of money read", BEFORE, "reconciler.poll.money:take_page"),
        ("p10 page of money done", AFTER, "reconciler.poll.money:take_page"),
        ("p11 page of recent objects read", BEFORE, "reconciler.poll.recent:take_page"),
        ("p12 list applied, no commit", AFTER, "reconciler.poll.lists:_apply_together"),
        ("p13 reads asked for", AFTER, "reconciler.db.evidence:ask"),
        ("p14 object read", AFTER, "reconciler.poll.fetches:read_object"),
        ("p15 read applied, not settled", BEFORE, "reconciler.poll.fetches:_settle"),
        ("p16 read done", AFTER, "reconciler.poll.fetches:read_one"),
        ("p17 checks put off", AFTER, "reconciler.db.payments:checked"),
        ("p18 invoice to be settled", BEFORE, "reconciler.poll.invoices:_settle"),
        ("p19 failed events looked for", BEFORE, "reconciler.inbox:Inbox.retry"),
        ("p20 before a run's last word", BEFORE, "reconciler.db.sweeps:end"),
        ("p21 run ended", AFTER, "reconciler.poll.runs:_end"),
    )
)

MANUAL: Final = tuple(
    _points(
        RECONCILE,
        ("m1 run asked for", AFTER, "reconciler.cli.reconcile:ask"),
        ("m2 run begun, no commit", AFTER, "reconciler.db.runs:begin"),
        ("m3 before a question", BEFORE, "reconciler.stripe_api.gateway:Gateway.ask"),
        ("m4 page read", BEFORE, f"{_SLICING}:_take"),
        ("m5 page applied", AFTER, f"{_SLICING}:_take"),
        ("m6 slice not written", BEFORE, "reconciler.db.runs:keep_slice"),
        ("m7 slice written, no commit", AFTER, "reconciler.db.runs:keep_slice"),
        ("m8 slice done", AFTER, f"{_SLICING}:_conclude"),
        ("m9 lists read", BEFORE, f"{_RUNNING}:read_unfinished"),
        ("m10 unfinished ones read", BEFORE, f"{_RUNNING}:read_put_off"),
        ("m11 before the payouts", BEFORE, f"{_RUNNING}:take_payouts"),
        ("m12 before the doubts", BEFORE, f"{_RUNNING}:read_doubts"),
        ("m13 before the conclusion", BEFORE, f"{_RUNNING}:conclude"),
        ("m14 differences forgotten", AFTER, "reconciler.db.runs:forget_differences"),
        ("m15 differences kept", AFTER, "reconciler.db.runs:keep_differences"),
        ("m16 before the totals", BEFORE, f"{_RUNNING}:keep_totals"),
        ("m17 before the last word", BEFORE, "reconciler.db.runs:end"),
        ("m18 run ended", AFTER, f"{_RUNNING}:_end"),
        ("m19 before the report", BEFORE, "reconciler.cli.reconcile:write_to"),
    )
)

_LANES: Final = "reconciler.outbox.lanes"
SENDING: Final = tuple(
    _points(
        PUSH,
        ("q1 deliveries made", AFTER, "reconciler.outbox.outbox:spread"),
        ("q2 claimed, no commit", AFTER, "reconciler.db.deliveries:claim"),
        ("q3 claimed", AFTER, f"{_LANES}:claim"),
        ("q4 before a message is sent", BEFORE, f"{_LANES}:_Run._answered"),
        ("q5 message sent, not written down", AFTER, f"{_LANES}:_Run._answered"),
        ("q6 batch sent, not written down", BEFORE, f"{_LANES}:settle"),
        ("q7 written down, no commit", AFTER, "reconciler.db.deliveries:mark", f"{_LANES}:settle"),
        ("q8 batch written down", AFTER, f"{_LANES}:settle"),
    )
)

POINTS: Final = (*INTAKE, *SWEEP, *MANUAL, *SENDING)


def find(function: str) -> tuple[Any, str, Any]:
    """Where a function stands, its name there, and itself. Raises AttributeError or ModuleNotFoundError if it is gone."""
    module, path = function.split(":")
    place: Any = import_module(module)
    *owners, name = path.split(".")
    for each in owners:
        place = getattr(place, each)
    return place, name, getattr(place, name)
