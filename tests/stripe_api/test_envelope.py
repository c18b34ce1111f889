"""Whether a body is read as an event only if it is one, and whether nothing else than a refusal comes of the rest."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.stripe_api.envelope import (
    DEPTH_MAX,
    ID_LENGTH_MAX,
    INTEGER_MAX,
    MalformedBody,
    StripeEvent,
    read_event,
    sanitise,
)
from tests.stripe_api.shapes import NOON_MS, TODAY, body, event, payment_intent, thin_event

# A text that stands in every bad body, so that a refusal which repeats its payload is found out.
PAYLOAD = "payer_s_own_words"
MISSING = object()


def snapshot(**over: Any) -> bytes:
    """Return an event about a PaymentIntent; MISSING takes a field away."""
    tree = event("payment_intent.succeeded", payment_intent(description=PAYLOAD), **over)
    return body({name: value for name, value in tree.items() if value is not MISSING})


def thin(**over: Any) -> bytes:
    """Return a thin event; MISSING takes a field away."""
    tree = thin_event(reason=PAYLOAD, **over)
    return body({name: value for name, value in tree.items() if value is not MISSING})


def with_value(literal: bytes) -> bytes:
    """Return an event whose object holds a JSON value that no encoder of ours would write."""
    return snapshot(data={"object": {"id": "pi_1", "note": "@@"}}).replace(b'"@@"', literal)


def reason(raw: bytes) -> str:
    """Return why a body is refused; fail if it is not, or if the refusal repeats the body."""
    with pytest.raises(MalformedBody) as refused:
        read_event(raw)
    assert PAYLOAD not in str(refused.value)
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__ or refused.value.__context__ is None
    return refused.value.reason


@pytest.mark.parametrize(
    "raw",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b" \n", id="white space"),
        pytest.param(PAYLOAD.encode(), id="bare words"),
        pytest.param(snapshot()[:-1], id="cut short"),
        pytest.param(snapshot() + snapshot(), id="two events"),
        pytest.param(b"\xff\xfe" + snapshot(), id="not UTF-8"),
        pytest.param(snapshot().decode().encode("utf-16"), id="UTF-16"),
        pytest.param(b"\xef\xbb\xbf" + snapshot(), id="byte order mark"),
        pytest.param(b'{"a":' * 20_000 + b"1" + b"}" * 20_000, id="20,000 objects deep"),
        pytest.param(b"[" * 20_000 + b"]" * 20_000, id="20,000 lists deep"),
        pytest.param(with_value(b"NaN"), id="NaN"),
        pytest.param(with_value(b"-Infinity"), id="infinity"),
        pytest.param(with_value(b"1e999"), id="beyond every float"),
        pytest.param(with_value(b'"a\x00b"'), id="raw NUL"),
        pytest.param(with_value(b'"\\ud800"'), id="escaped lone surrogate"),
        pytest.param(with_value(b'"\\udc00\\ud800"'), id="surrogates the wrong way round"),
        pytest.param(with_value(b'"\xed\xa0\x80"'), id="raw lone surrogate"),
        pytest.param(with_value(b'"\xff"'), id="text that is not UTF-8"),
    ],
)
def test_it_refuses_bytes_that_are_no_json(raw: bytes) -> None:
    """What no JSON encoder writes is refused with one word, however it is broken."""
    assert reason(raw) == "not_json"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"[]", "not_an_object"),
        (b"null", "not_an_object"),
        (b"true", "not_an_object"),
        (b"7", "not_an_object"),
        (f'"{PAYLOAD}"'.encode(), "not_an_object"),
        (b"{}", "not_an_event"),
        (snapshot(object=MISSING), "not_an_event"),
        (snapshot(object=PAYLOAD), "not_an_event"),
        (snapshot(object=["event"]), "not_an_event"),
        (with_value(b'"a\\u0000b"'), "nul_in_text"),
        (with_value(b'{"a\\u0000b": 1}'), "nul_in_text"),
        (with_value(str(INTEGER_MAX + 1).encode()), "integer_out_of_range"),
        (with_value(str(-INTEGER_MAX - 1).encode()), "integer_out_of_range"),
        (with_value(b"[" * DEPTH_MAX + b"]" * DEPTH_MAX), "too_deep"),
    ],
)
def test_it_refuses_json_that_is_no_event(raw: bytes, expected: str) -> None:
    """JSON that Stripe would not have sent as an event is refused, and the word says why."""
    assert reason(raw) == expected


@pytest.mark.parametrize("digits", [20, 400, 5_000, 100_000])
def test_it_refuses_integers_of_any_length(digits: int) -> None:
    """A number too long for a database, or for Python to read, is refused like any other bad body."""
    assert reason(with_value(b"9" * digits)) in {"not_json", "integer_out_of_range"}


WORDS = [MISSING, None, "", 7, True, [], {}, "a b", "évt", "a\nb", "x" * (ID_LENGTH_MAX + 1)]
NUMBERS = [MISSING, None, "", PAYLOAD, "1772452800", 1.5, True, [], 0, -1, 4_102_444_800]
FLAGS = [MISSING, None, 0, 1, "false", PAYLOAD, [], {}]
OBJECTS = [MISSING, None, [], PAYLOAD, {}, {"object": None}, {"object": []}, {"object": PAYLOAD}]


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        *(("id", value, "bad_id") for value in WORDS),
        *(("type", value, "bad_type") for value in WORDS),
        *(("created", value, "bad_created") for value in NUMBERS),
        *(("livemode", value, "bad_livemode") for value in FLAGS),
        *(("data", value, "no_data_object") for value in OBJECTS),
        *(("api_version", value, "bad_api_version") for value in WORDS[2:]),
        *(("account", value, "bad_account") for value in WORDS[2:]),
    ],
)
def test_it_refuses_a_snapshot_with_a_bad_field(field: str, value: object, expected: str) -> None:
    """Each field of the envelope that we rely on is there, has its type and is of a sane size."""
    assert reason(snapshot(**{field: value})) == expected


MOMENTS = ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-03-02T12:00:00"]


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        *(("id", value, "bad_id") for value in WORDS),
        *(("type", value, "bad_type") for value in WORDS),
        *(("created", value, "bad_created") for value in [*NUMBERS, *MOMENTS]),
        *(("livemode", value, "bad_livemode") for value in FLAGS),
        *(("context", value, "bad_context") for value in WORDS[2:]),
        ("related_object", {}, "bad_type"),
        ("related_object", {"type": "payment_intent"}, "bad_id"),
        ("related_object", {"type": "payment_intent", "id": 7}, "bad_id"),
    ],
)
def test_it_refuses_a_thin_event_with_a_bad_field(field: str, value: object, expected: str) -> None:
    """A thin event is held to the same rules; its time is text and must name its zone."""
    assert reason(thin(**{field: value})) == expected


def test_it_reads_a_snapshot_event() -> None:
    """The envelope, the object and the very bytes that were signed are handed on."""
    shown = payment_intent(description=PAYLOAD)

    assert read_event(snapshot(account="acct_1")) == StripeEvent(
        id="evt_1",
        type="payment_intent.succeeded",
        api_version=TODAY,
        created_ms=NOON_MS,
        livemode=False,
        account="acct_1",
        object=shown,
        body=snapshot(account="acct_1"),
    )


def test_it_reads_a_thin_event() -> None:
    """A thin event says which object to read, and its time counts in milliseconds."""
    assert read_event(thin(context="acct_1", livemode=True)) == StripeEvent(
        id="evt_1",
        type="v1.payment_intent.updated",
        api_version=None,
        created_ms=NOON_MS + 250,
        livemode=True,
        account="acct_1",
        body=thin(context="acct_1", livemode=True),
        thin=True,
        related=("payment_intent", "pi_1"),
    )


@pytest.mark.parametrize("related", [MISSING, None, [], PAYLOAD])
def test_it_reads_a_thin_event_about_nothing(related: object) -> None:
    """A thin event need not concern an object: a health alert has none."""
    assert read_event(thin(related_object=related)).related is None


@pytest.mark.parametrize("field", ["api_version", "account"])
def test_it_takes_null_for_what_may_be_absent(field: str) -> None:
    """An event of the platform's own account has no account, and one of the API may have no version."""
    assert getattr(read_event(snapshot(**{field: None})), field) is None


@pytest.mark.parametrize(
    "literal",
    [
        pytest.param(str(INTEGER_MAX).encode(), id="greatest integer"),
        pytest.param(str(-INTEGER_MAX).encode(), id="least integer"),
        pytest.param(b"1.1234567890123", id="exchange rate"),
        pytest.param(b'"\\ud83d\\ude00 \xc3\xa9"', id="text beyond ASCII"),
        pytest.param(b"[" * 60 + b"]" * 60, id="as deep as expansion can go and more"),
    ],
)
def test_it_takes_whatever_else_the_object_holds(literal: bytes) -> None:
    """The object may hold any sane JSON; it is not the envelope's to judge."""
    assert read_event(with_value(literal)).object["note"] == json.loads(literal)


@given(st.binary())
def test_it_raises_nothing_else_for_any_bytes(raw: bytes) -> None:
    """Whatever bytes arrive, the only failure is the refusal."""
    with pytest.raises(MalformedBody):
        read_event(raw)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
FIELDS = ["id", "object", "type", "created", "livemode", "data", "account", "related_object"]


@given(
    whole=st.booleans(),
    kind=st.sampled_from(["event", "v2.core.event"]),
    over=st.dictionaries(st.sampled_from(FIELDS), JSON),
)
def test_it_raises_nothing_else_for_any_json(
    whole: bool, kind: str, over: dict[str, object]
) -> None:
    """Whatever JSON stands in whichever field, it is an event with a sane envelope or a refusal."""
    tree = (event("charge.updated", {}) | thin_event() if whole else {}) | {"object": kind} | over
    raw = json.dumps(tree).encode()

    try:
        read = read_event(raw)
    except MalformedBody:
        return

    assert read.body == raw
    assert 0 < len(read.id) <= ID_LENGTH_MAX
    assert read.created_ms > 0


@given(st.text(alphabet=st.characters()) | st.text(alphabet="\x00\ud800\udfffa"))
def test_it_cleans_text_for_every_database(text: str) -> None:
    """Cleaned text has the same length, can be encoded, and cleaning it again changes nothing."""
    clean = sanitise(text)

    assert len(clean) == len(text)
    assert "\x00" not in clean
    assert clean.encode().decode() == clean == sanitise(clean)
