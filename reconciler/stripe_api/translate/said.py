"""What can one Stripe object say, and in which event or read was it seen?"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from reconciler.core.observation import Projection
from reconciler.stripe_api.translate.fields import Json
from reconciler.stripe_api.translate.vocabulary import Vocabulary


class Fetch(NamedTuple):
    """An object that must be read again; `kind` is a value of `core.doubts.FetchKind`."""

    kind: str
    object_id: str


Said: TypeAlias = Projection | Fetch


class Part(NamedTuple):
    """An object found within another; `kind` is Stripe's word for it."""

    kind: str
    object: Json


Parts: TypeAlias = Iterator[Part]


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """Where an object was seen: the earliest moment of its truth, and the event's type, "" for a read."""

    vocabulary: Vocabulary
    lo_ms: int
    event_type: str = ""
