"""Whether an object of a shape that we don't know is ever guessed at, or lost without a word."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest

from reconciler.core.observation import Projection
from reconciler.stripe_api.envelope import read_event
from reconciler.stripe_api.translate import Translation, UnreadableObject, Vocabulary, translate
from tests.stripe_api.shapes import (
    VERSIONS,
    Json,
    balance_transaction,
    body,
    charge,
    checkout_session,
    dispute,
    event,
    payment_intent,
    refund,
)

WRONG_TYPES: tuple[Any, ...] = (None, 7, -7, 2**53, 1.5, True, "", "\n", [], [7], {}, {"id": 7})
# What a wrong value must never change: the fields that money, words and links are concluded from.
DECISIVE = (
    "status", "payment_status", "amount_minor", "currency", "received_minor", "capturable_minor",
    "captured_minor", "refunded_minor", "fee_minor", "net_minor", "created_ms", "foreign",
)  # fmt: skip
LINKS = ("intent", "charge", "source")
# A null that Stripe documents is no damage.
MAY_BE_NULL = frozenset({"amount_total"})


def fixtures() -> Iterator[tuple[str, Json]]:
    """Build one full object of each kind in each version, with everything in it that the version embeds."""
    error = {"charge": "ch_0", "code": "card_declined", "payment_method": {"id": "pm_1"}}
    for version in VERSIONS:
        inner = charge(version=version, refunds=[refund(version=version)])
        taken = balance_transaction("txn_9", source="dp_1", version=version)
        yield "payment_intent.succeeded", payment_intent(version=version, charges=[inner])
        yield (
            "payment_intent.payment_failed",
            payment_intent(
                status="requires_payment_method", version=version, last_payment_error=error
            ),
        )
        yield "charge.refunded", inner
        yield "refund.updated", refund(version=version)
        yield "charge.dispute.created", dispute(version=version, transactions=[taken])
        yield "checkout.session.completed", checkout_session(version=version)


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Return the way to every field, at every depth."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()  # fmt: skip
    for key, inner in pairs:
        yield (*path, key)
        yield from paths(inner, (*path, key))


def damaged(obj: Json, path: tuple[Any, ...]) -> Iterator[Json]:
    """Return an object with one field removed, then with each wrong value in its place."""
    for wrong in (..., *WRONG_TYPES):
        changed = copy.deepcopy(obj)
        holder: Any = changed
        for key in path[:-1]:
            holder = holder[key]
        if wrong is ...:
            del holder[path[-1]]
        elif type(wrong) is type(holder[path[-1]]):
            continue  # A wrong value of the right type may well be true.
        elif wrong is None and path[-1] in MAY_BE_NULL:
            continue
        else:
            holder[path[-1]] = wrong
        yield changed


def told(type_: str, obj: Json) -> Translation:
    """Translate one event, by way of its bytes."""
    return translate(read_event(body(event(type_, obj))), Vocabulary())


def decisive(seen: Projection) -> dict[str, Any]:
    """Return the fields of a projection that decide something."""
    return {field: getattr(seen, field) for field in DECISIVE if hasattr(seen, field)}


@pytest.mark.parametrize(("type_", "obj"), list(fixtures()))
def test_a_damaged_field_never_becomes_a_guess_and_never_silence(type_: str, obj: Json) -> None:
    """Whatever one field is, each object says the truth or nothing, and what says nothing is asked for."""
    truth = {each.projection.id: each.projection for each in told(type_, obj).observations}
    for path in paths(obj):
        for changed in damaged(obj, path):
            try:
                seen = told(type_, changed)
            except UnreadableObject:
                assert path == ("id",)
                continue
            for each in seen.observations:
                said, expected = each.projection, truth[each.projection.id]
                assert decisive(said) == decisive(expected), (path, changed)
                for field in LINKS:
                    if getattr(said, field, None):
                        assert getattr(said, field) == getattr(expected, field), (path, changed)
            is_silent = obj["id"] not in {each.projection.id for each in seen.observations}
            assert not is_silent or obj["id"] in {id_ for _, id_ in seen.fetch}, (path, changed)


def test_what_is_certain_is_observed_beside_what_must_be_read() -> None:
    """One bad charge in a PaymentIntent neither hides the PaymentIntent nor the other charge."""
    bad, good = charge("ch_1", amount=None), charge("ch_2")  # type: ignore[arg-type]
    obj = payment_intent(version="2019-05-16", charges=[bad, good])

    seen = told("payment_intent.succeeded", obj)

    assert [each.projection.id for each in seen.observations] == ["pi_1", "ch_2"]
    assert list(seen.fetch) == [("charge", "ch_1")]


def test_a_paid_session_without_its_payment_intent_key_is_asked_for() -> None:
    """A missing key is not the same as "none"."""
    obj = checkout_session()
    del obj["payment_intent"]

    seen = told("checkout.session.completed", obj)

    assert (seen.observations, list(seen.fetch)) == ((), [("checkout_session", "cs_test_1")])


def test_a_paid_session_without_a_payment_intent_is_observed_and_asked_for() -> None:
    """It says that it is paid; by what, only a read can tell."""
    seen = told("checkout.session.completed", checkout_session(intent=None))

    assert [each.projection.id for each in seen.observations] == ["cs_test_1"]
    assert list(seen.fetch) == [("checkout_session", "cs_test_1")]


def test_an_object_that_is_not_what_the_type_promises_is_asked_for() -> None:
    """The name of the event and the word in the object must agree."""
    seen = told("charge.succeeded", charge() | {"object": "token"})

    assert (seen.observations, list(seen.fetch)) == ((), [("charge", "ch_1")])
