"""What does somebody not know who heard only some of the events, and what must a person look at, whoever heard what?

Told from the events that were delivered, and from the final objects: never from anybody's books. It is written from the rules in
words, on purpose in another way than the core's: it keeps the newest copy of each object that was heard of, and compares it with
the object itself.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from reconciler.simulator.delivery import Deliveries
from reconciler.simulator.truth import truth_of
from reconciler.simulator.world import Json, World

# These words of a PaymentIntent stand for themselves; every other one is that of a payment that waits or has failed.
_PLAIN: Final = ("succeeded", "canceled", "requires_capture", "processing", "requires_action")


class Difference(NamedTuple):
    """One thing that is not as it should be: what it is called, and the id of the payment, refund, dispute or invoice."""

    kind: str
    subject: str


@dataclass(slots=True)
class _Heard:
    """The newest copy that was heard of each object around one PaymentIntent."""

    intent: Json | None = None
    has_failed: bool = False
    names: set[str] = field(default_factory=set)
    copies: dict[str, Json] = field(default_factory=dict)

    def hear(self, obj: Json) -> None:
        """Keep a copy in the place of an older one."""
        self.copies[obj["id"]] = obj
        if obj["object"] == "payment_intent":
            self.intent = obj
            self.names.update(obj["metadata"].values())
            self.has_failed |= obj["last_payment_error"] is not None
        if obj["object"] == "charge":
            self.has_failed |= obj["status"] == "failed"

    @property
    def word(self) -> str:
        """What the payment seems to be."""
        status = self.intent["status"] if self.intent else ""
        if status in _PLAIN:
            return str(status)
        return "failed" if status == "requires_payment_method" and self.has_failed else "pending"

    @property
    def money(self) -> tuple[str, int, int]:
        """Its currency, its amount, and what seems to have come of it."""
        if self.intent is not None:
            return self.intent["currency"], self.intent["amount"], self.intent["amount_received"]
        charges = [each for each in self.copies.values() if each["object"] == "charge"]
        return (charges[-1]["currency"], charges[-1]["amount"], 0) if charges else ("", 0, 0)


def heard_of(deliveries: Deliveries) -> frozenset[str]:
    """The ids of the events that somebody has acknowledged."""
    return frozenset(id_ for id_, fate in deliveries.fate.items() if fate.delivered_ms)


def unheard(world: World, heard: Collection[str]) -> list[Difference]:
    """All that is another way than the events that were heard say, in no particular order."""
    with world.lock:
        told, true = _told(world, heard), _true(world)
        settled = _with_a_fee(world)
        return [
            each
            for id_, truth in true.items()
            for each in _of_payment(id_, told.get(id_), truth, is_settled=id_ in settled)
        ]


def for_a_person(world: World, heard: Collection[str]) -> list[Difference]:
    """What no reading mends: money without an invoice, and invoices with too little of it or too much."""
    with world.lock:
        truth = truth_of(world)
        renamed = renamed_unheard(world, heard)
        # Where names disagree, that is another matter than a payment without a name.
        nameless = (truth.unmatched - world.claimed.keys()) | renamed
        found = [Difference("unmatched", id_) for id_ in nameless]
        kept = _kept(world)
        paying: dict[str, list[int]] = defaultdict(list)
        for id_, owner in world.meant.items():
            if id_ not in renamed:
                paying[owner].append(kept[id_])
        for told in truth.invoices.values():
            due = world.invoices[told.invoice_id].amount_due
            if 0 < told.received < due:
                found.append(Difference("underpaid", told.invoice_id))
            if told.net > due > 0:
                could_go = any(0 < each <= told.net - due for each in paying[told.invoice_id])
                kind = "second_payment" if could_go else "overpaid"
                found.append(Difference(kind, told.invoice_id))
        return found


def renamed_unheard(world: World, heard: Collection[str]) -> set[str]:
    """The paid PaymentIntents that bear another name now, and whose own name nobody has heard: only an event could tell it."""
    told, found = _told(world, heard), set()
    for intent in world.rows("payment_intent"):
        owner = world.invoices.get(world.meant.get(intent["id"], ""))
        if owner is None or not intent["metadata"] or not intent["amount_received"]:
            continue
        names = {*intent["metadata"].values(), *told[intent["id"]].names}
        is_kept = owner.stripe_payment_intent_id == intent["id"]
        if not is_kept and not names & {owner.id, owner.number}:
            found.add(intent["id"])
    return found


def _told(world: World, heard: Collection[str]) -> dict[str, _Heard]:
    """What the events that were heard say of each PaymentIntent."""
    told: dict[str, _Heard] = defaultdict(_Heard)
    for happening in world.happenings:
        if happening.event["id"] in heard:
            _hear(told, happening.event["data"]["object"])
    return told


def _true(world: World) -> dict[str, _Heard]:
    """What all objects say of each PaymentIntent."""
    true: dict[str, _Heard] = defaultdict(_Heard)
    for kind in ("charge", "refund", "dispute", "payment_intent"):
        for obj in world.rows(kind)[::-1]:
            _hear(true, obj)
    return true


def _kept(world: World) -> dict[str, int]:
    """What is left of each PaymentIntent's money, in the currency in which it was paid."""
    kept: dict[str, int] = defaultdict(int)
    for charge in world.rows("charge"):
        kept[charge["payment_intent"]] += charge["amount_captured"]
    for moved in world.rows("balance_transaction"):
        source = world.get(moved["source"])
        if source["object"] in {"refund", "dispute"}:
            kept[source["payment_intent"]] += world.presented[moved["id"]][0]
    return kept


def _hear(desks: dict[str, _Heard], obj: Json) -> None:
    """Lay a copy to the PaymentIntent that it is, or that it names."""
    owner = obj["id"] if obj["object"] == "payment_intent" else obj.get("payment_intent")
    if owner is not None:
        desks[owner].hear(obj)


def _with_a_fee(world: World) -> set[str]:
    """The PaymentIntents of which it is known what Stripe has kept of their money."""
    sources = {each["source"] for each in world.rows("balance_transaction")}
    return {each["payment_intent"] for each in world.rows("charge") if each["id"] in sources}


def _of_payment(
    id_: str, told: _Heard | None, truth: _Heard, *, is_settled: bool
) -> Iterator[Difference]:
    if told is None:
        # Whoever has not heard of a payment need not be told what else they have not heard of it.
        yield Difference("missing_here", id_)
        return
    if told.word != truth.word:
        yield Difference("status_behind", id_)
    elif told.money != truth.money:
        yield Difference("amount_differs", id_)
    if told.word == "succeeded" and is_settled:
        # An event names a balance transaction at most: what it holds must be read.
        yield Difference("fee_unknown", id_)
    for obj in truth.copies.values():
        if obj["object"] in {"refund", "dispute"} and not _is_release(obj):
            yield from _of_return(obj, told.copies.get(obj["id"]))


def _of_return(obj: Json, copy: Json | None) -> Iterator[Difference]:
    if copy is None:
        yield Difference(f"{obj['object']}_unknown", obj["id"])
    elif copy["status"] != obj["status"]:
        yield Difference("status_behind", obj["id"])


def _is_release(obj: Json) -> bool:
    """Whether a refund only gives up what was authorised and never taken."""
    through = obj["object"] == "refund" and obj["status"] == "succeeded"
    return through and obj["balance_transaction"] is None
