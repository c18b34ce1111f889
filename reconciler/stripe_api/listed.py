"""What does a run over a range need of each listed object, whether or not it says anything new?

Only when it was made and, of a balance transaction, what it is worth: read without decoding the rest, because it is read of
every object of a range. Any of them may lack what it should have: then there is nothing to be said of it.
"""

import msgspec


class Moved(msgspec.Struct, frozen=True, gc=False):
    """What a balance transaction moved (https://docs.stripe.com/api/balance_transactions/object), in minor units."""

    created: int
    currency: str
    net: int
    fee: int = 0


class _Made(msgspec.Struct, gc=False):
    created: int


_made = msgspec.json.Decoder(_Made)
_moved = msgspec.json.Decoder(Moved)


def created_s(body: bytes) -> int | None:
    """When a listed object was made, in seconds; None if that can't be read."""
    try:
        return _made.decode(body).created
    except (msgspec.DecodeError, RecursionError):
        return None


def moved(body: bytes) -> Moved | None:
    """What a listed balance transaction moved; None if that can't be read."""
    try:
        return _moved.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return None
