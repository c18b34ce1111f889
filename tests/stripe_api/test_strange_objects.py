"""Whether an object that is not as Stripe documents it is read again, and never taken for something that it did not say."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from reconciler.core.observation import Observation, Span
from reconciler.stripe_api.envelope import sanitise
from reconciler.stripe_api.translate import (
    EVENT_TYPES,
    UnreadableObject,
    Vocabulary,
    observe_object,
    translate,
)
from tests.stripe_api.shapes import (
    NOON_MS,
    V2019,
    V2022,
    Json,
    balance_transaction,
    charge,
    checkout_session,
    dispute,
    listing,
    payment_intent,
    received,
    refund,
)

SAMPLES = Path(__file__).parents[3] / "shared" / "data" / "stripe-objects.json"
VOCABULARY = Vocabulary(ignore=("metadata.shop=b", "customer=cus_2", "application=ca_1"))
SPAN = Span(NOON_MS, NOON_MS + 5000)
ERROR = {"code": "card_declined", "charge": "ch_0", "payment_method": {"id": "pm_1"}}
FAILED_EARLIER: Json = {"last_payment_error": ERROR}

# What may stand where something else should: JSON of every type, and text that a database refuses.
WRONG: tuple[object, ...] = (None, "", "x y", "a\x00\ud800", 7, -7, 2**60, 1.5, True, [], [7], {})

FIXTURES: dict[str, Json] = {
    "PaymentIntent of 2019": payment_intent(V2019, **FAILED_EARLIER),
    "PaymentIntent of 2022": payment_intent(V2022, **FAILED_EARLIER),
    "PaymentIntent of today": payment_intent(**FAILED_EARLIER),
    "expanded PaymentIntent": payment_intent(
        latest_charge=charge(balance_transaction=balance_transaction(), refunds=listing(refund()))
    ),
    "charge of 2019": charge(V2019),
    "charge of 2022": charge(V2022),
    "charge of today": charge(),
    "refund": refund(),
    "refund of an expanded charge": refund(charge=charge()),
    "dispute": dispute(),
    "Session": checkout_session(),
    "expanded Session": checkout_session(payment_intent=payment_intent()),
    "balance transaction": balance_transaction(),
    "balance transaction of an expanded charge": balance_transaction(source=charge()),
}
ENVELOPE = received("charge.updated", charge())


def mutations(obj: Any) -> Iterator[tuple[str, Any]]:
    """Yield every copy of the object in which one field, at any depth, is removed or wrong."""
    if isinstance(obj, list):
        for at, inner in enumerate(obj):
            for wrong in WRONG:
                yield f"[{at}] = {wrong!r}", [*obj[:at], wrong, *obj[at + 1 :]]
            for what, mutant in mutations(inner):
                yield f"[{at}]{what}", [*obj[:at], mutant, *obj[at + 1 :]]
    if not isinstance(obj, dict):
        return
    for name, inner in obj.items():
        yield f".{name} removed", {key: value for key, value in obj.items() if key != name}
        for wrong in WRONG:
            yield f".{name} = {wrong!r}", obj | {name: wrong}
        for what, mutant in mutations(inner):
            yield f".{name}{what}", obj | {name: mutant}


def words_of(obj: Any) -> set[str]:
    """Return every status that an object says anywhere, cleaned as text of Stripe's always is."""
    if isinstance(obj, list):
        return set().union(*(words_of(each) for each in obj))
    if not isinstance(obj, dict):
        return set()
    own = (obj.get(name) for name in ("status", "payment_status"))
    words = {sanitise(word) for word in own if isinstance(word, str)}
    return words.union(*(words_of(each) for each in obj.values()))


def texts_of(value: object) -> Iterator[str]:
    """Yield every text of a projection, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple | frozenset | list):
        for each in value:
            yield from texts_of(each)


def observed(obj: Json) -> list[Observation]:
    """Return what a read of the object says and what each event about it says."""
    observations, _ = observe_object(obj, span=SPAN, evidence="req_1", vocabulary=VOCABULARY)
    kind = {"checkout.session": "checkout_session"}.get(str(obj.get("object")), obj.get("object"))
    for type_ in (type_ for type_, about in EVENT_TYPES.items() if about == kind):
        # Read once and given another object: the bytes are the envelope's matter and its own tests'.
        said = translate(replace(ENVELOPE, type=type_, object=obj), VOCABULARY)
        observations += said.observations
    return list(observations)


def fields_of(observation: Observation) -> dict[str, Any]:
    """Return the fields of the projection by name."""
    seen = observation.projection
    return {name: getattr(seen, name) for name in seen.__slots__}


@pytest.mark.parametrize("name", FIXTURES)
def test_it_guesses_nothing_from_a_mutilated_object(name: str) -> None:
    """Whatever one field becomes, the object is refused, read again, or says only what stands in it."""
    fixture = FIXTURES[name]
    innocent = {each.projection.id for each in observed(fixture)}
    for what, mutant in mutations(fixture):
        try:
            said = observed(mutant)
        except UnreadableObject:
            continue
        except Exception as error:
            error.add_note(f"{name}{what}")
            raise
        for each in map(fields_of, said):
            assert each.get("status", "") in words_of(mutant) | {""}, what
            assert each.get("payment_status", "") in words_of(mutant) | {""}, what
            assert each.get("foreign", frozenset()) == frozenset(), what
            assert each["id"] in innocent, what


@pytest.mark.parametrize("name", FIXTURES)
def test_it_passes_on_no_text_that_a_database_refuses(name: str) -> None:
    """NUL and lone surrogates never come through, wherever they stand; so a read cannot poison a page."""
    for what, mutant in mutations(FIXTURES[name]):
        if "ud800" not in what:
            continue
        try:
            observations, _ = observe_object(
                mutant, span=SPAN, evidence="req_1", vocabulary=VOCABULARY
            )
        except UnreadableObject:
            continue
        for text in texts_of([list(fields_of(each).values()) for each in observations]):
            assert "\x00" not in text, what
            assert text.isprintable(), what


@pytest.mark.parametrize("name", FIXTURES)
def test_it_understands_the_object_before_it_is_mutilated(name: str) -> None:
    """The mutations start from something that is understood, or they would prove nothing."""
    observations, fetch = observe_object(
        FIXTURES[name], span=SPAN, evidence="req_1", vocabulary=VOCABULARY
    )

    assert fetch == ()
    assert all(each.is_read and each.evidence == "req_1" for each in observations)
    assert observations[0].projection.id == FIXTURES[name]["id"]


@pytest.mark.parametrize(
    ("field", "value"),
    [("amount", -1), ("amount", 10.0), ("currency", "EURO"), ("created", -1), ("status", 7)],
)
@pytest.mark.parametrize("obj", [payment_intent(), charge(), refund(), dispute()])
def test_it_reads_again_what_it_does_not_understand(obj: Json, field: str, value: object) -> None:
    """Money, times and words are taken exactly or not at all."""
    type_ = next(type_ for type_, kind in EVENT_TYPES.items() if kind == obj["object"])
    translated = translate(received(type_, obj | {field: value}), VOCABULARY)

    assert translated.observations == ()
    assert translated.fetch == ((obj["object"], obj["id"]),)


@pytest.mark.parametrize("obj", [{}, {"object": None}, {"object": "customer"}, {"object": []}])
def test_it_finds_nothing_in_a_read_of_another_object(obj: Json) -> None:
    """What is none of our kinds of object says nothing and asks for nothing."""
    found = observe_object(obj, span=SPAN, evidence="req_1", vocabulary=VOCABULARY)

    assert found == ((), ())


@pytest.mark.parametrize(
    "kind",
    ["payment_intent", "charge", "refund", "dispute", "checkout.session", "balance_transaction"],
)
def test_it_understands_the_objects_that_stripe_publishes(kind: str) -> None:
    """Stripe's own sample of each object that we read is understood as it stands."""
    if not SAMPLES.exists():
        pytest.skip("Stripe's published sample objects are not on this machine.")
    sample = json.loads(SAMPLES.read_text())["resources"][kind]

    observations, fetch = observe_object(sample, span=SPAN, evidence="req_1", vocabulary=VOCABULARY)

    assert fetch == ()
    assert observations[0].projection.id == sample["id"]
