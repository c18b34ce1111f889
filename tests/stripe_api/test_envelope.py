"""Whether exactly the well-formed events are let in, and whatever else is refused without a word of it told."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.stripe_api.envelope import (
    MalformedBody,
    cleaned,
    read_event,
    read_listed_event,
    sanitise,
)
from tests.stripe_api.shapes import T0_S, body, charge, event, payment_intent, thin_event

GOOD = event("payment_intent.succeeded", payment_intent())
THIN = thin_event("v1.payment_intent.succeeded", ("payment_intent", "pi_1"))


def with_object(value: str) -> bytes:
    """Return a whole event in which one field of the object is the given JSON text."""
    return body(event("payment_intent.created", {"x": "HERE"})).replace(
        b'"HERE"', value.encode("utf-8", "surrogatepass")
    )


def without(root: dict[str, Any], key: str) -> dict[str, Any]:
    """Return an event that lacks one key."""
    return {k: v for k, v in root.items() if k != key}


def test_it_reads_what_stands_on_a_snapshot_event() -> None:
    """Id, type, version, time in milliseconds, mode, account, object and the very bytes come through."""
    sent = body(GOOD | {"account": "acct_1"})

    seen = read_event(sent)

    assert (seen.id, seen.type, seen.api_version) == (
        "evt_1",
        "payment_intent.succeeded",
        GOOD["api_version"],
    )
    assert (seen.created_ms, seen.livemode, seen.account) == ((T0_S + 10) * 1000, False, "acct_1")
    assert (seen.object, seen.body, seen.thin) == (payment_intent(), sent, False)
    assert seen.related is None


def test_it_reads_what_stands_on_a_thin_event() -> None:
    """A thin event gives its related object, its account from `context` and its time to the millisecond."""
    seen = read_event(body(THIN | {"context": "acct_1"}))

    assert (seen.id, seen.type) == ("evt_thin_1", "v1.payment_intent.succeeded")
    assert (seen.thin, seen.related, seen.object) == (True, ("payment_intent", "pi_1"), {})
    assert (seen.account, seen.api_version) == ("acct_1", None)
    assert seen.created_ms == 1_795_431_600_123


def test_it_reads_a_thin_event_that_names_no_object() -> None:
    """An event about the account as a whole is well formed."""
    assert read_event(body(thin_event("v2.core.health.event", None))).related is None


@pytest.mark.parametrize(
    "account", [{}, {"account": None}, {"api_version": None}, {"request": None}]
)
def test_it_needs_no_account_and_no_version(account: dict[str, None]) -> None:
    """What only some events carry may be missing or null."""
    assert read_event(body(without(GOOD, "api_version") | account)).account is None


@pytest.mark.parametrize(
    "text",
    [
        "0", "-0", "1.5", "1e3", '"\\u00e9"', '"é"', '"\\ud83d\\ude00"', '"😀"', '"\\\\u0000"', "true",
        str(2**53), str(-(2**53)), '"\\n\\t"', "[]", "{}", "[" * 60 + "]" * 60,
    ],
)  # fmt: skip
def test_it_accepts_every_value_that_json_allows_and_databases_take(text: str) -> None:
    """Strictness stops where Stripe's own freedom begins: a backslash before u0000 is plain text."""
    assert read_event(with_object(text)).object == {"x": json.loads(text)}


@pytest.mark.parametrize(
    "text",
    [
        "NaN", "Infinity", "-Infinity", "1e999", "-1e999", str(2**53 + 1), str(-(2**53) - 1), str(2**64),
        "9" * 5000, "-" + "9" * 5000, "01", "+1", ".5", "'x'", "",
        '"\\u0000"', '{"\\u0000": 1}', '"\x00"', '"\\ud800"', '"\\udc00"', '"\\ud800x"', '"\\udc00\\ud800"',
        '"\ud800"', '{"\\ud800": 1}', "[" * 65 + "]" * 65, "[" * 20_000 + "]" * 20_000,
        '{"a":' * 20_000 + "1" + "}" * 20_000, "[" * 20_000,
    ],
    ids=lambda text: ascii(text)[:24],
)  # fmt: skip
def test_it_refuses_values_that_could_not_be_stored_or_compared(text: str) -> None:
    """One such value anywhere in the event is enough, and it never ends in another error than ours."""
    with pytest.raises(MalformedBody):
        read_event(with_object(text))


@pytest.mark.parametrize(
    "sent",
    [
        b"", b" ", b"null", b"[]", b"{}", b"1", b'"event"', b"[{}]", b"\xef\xbb\xbf" + body(GOOD),
        body(GOOD)[:-1], body(GOOD) + b"x", b"\xff\xfe", json.dumps(GOOD).encode("utf-16"),
        body(GOOD).replace(b"evt_1", b"evt_\xff"), body(event("x", payment_intent()) | {"data": None}),
    ],
    ids=lambda sent: ascii(sent[:20]),
)  # fmt: skip
def test_it_refuses_bodies_that_are_no_event(sent: bytes) -> None:
    """Not JSON, not UTF-8, not an object, or not an event: all of them are one error."""
    with pytest.raises(MalformedBody):
        read_event(sent)


@pytest.mark.parametrize(
    "change",
    [
        {"object": None}, {"object": "charge"}, {"object": ["event"]}, {"object": {}}, {"object": "v2.core.other"},
        {"id": None}, {"id": ""}, {"id": 7}, {"id": "e" * 256}, {"id": "evt_é"}, {"id": "evt\n"}, {"id": ["e"]},
        {"type": None}, {"type": ""}, {"type": 7}, {"type": "t\t"}, {"type": {}},
        {"livemode": None}, {"livemode": 0}, {"livemode": "false"},
        {"created": None}, {"created": "1790000000"}, {"created": -1}, {"created": True}, {"created": 1.5},
        {"created": 2**53}, {"created": 10**12},
        {"account": 7}, {"account": ""}, {"account": {"id": "acct_1"}}, {"api_version": 7},
        {"data": []}, {"data": {}}, {"data": {"object": None}}, {"data": {"object": []}}, {"data": "x"},
    ],
)  # fmt: skip
def test_it_refuses_a_snapshot_event_with_a_wrong_envelope(change: dict[str, Any]) -> None:
    """Every field that we store is of its type and of a length that fits, or the event is refused."""
    with pytest.raises(MalformedBody):
        read_event(body(GOOD | change))


@pytest.mark.parametrize(
    "change",
    [
        {"id": None}, {"type": 7}, {"livemode": "no"}, {"created": 1790000000}, {"created": "yesterday"},
        {"created": "2026-11-23T11:00:00"}, {"created": "2026-11-23"}, {"created": None}, {"created": ""},
        {"created": "0001-01-01T00:00:00+23:59"}, {"created": "1969-12-31T23:59:59Z"}, {"context": 7},
        {"related_object": {"type": 7, "id": "pi_1"}}, {"related_object": {"type": "charge", "id": 7}},
        {"related_object": {"type": "charge", "id": ""}}, {"related_object": {"id": "ch_1"}},
    ],
)  # fmt: skip
def test_it_refuses_a_thin_event_with_a_wrong_envelope(change: dict[str, Any]) -> None:
    """A thin event is held to the same: a time without its zone is no time."""
    with pytest.raises(MalformedBody):
        read_event(body(THIN | change))


@pytest.mark.parametrize("key", ["id", "type", "created", "livemode", "object"])
@pytest.mark.parametrize("root", [GOOD, THIN], ids=["snapshot", "thin"])
def test_it_refuses_an_event_that_lacks_a_field(root: dict[str, Any], key: str) -> None:
    """None of these has a default."""
    with pytest.raises(MalformedBody):
        read_event(body(without(root, key)))


def test_its_errors_tell_a_word_and_nothing_of_the_body() -> None:
    """The reason goes into logs and counts, so that it must never carry what an attacker wrote."""
    with pytest.raises(MalformedBody) as raised:
        read_event(body(GOOD | {"id": "<script>\n"}))

    assert raised.value.reason == "bad_id"
    assert "script" not in str(raised.value)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_it_answers_any_bytes_with_an_event_or_one_error(sent: bytes) -> None:
    """Whatever arrives at the door, there are only two ways out."""
    with pytest.raises(MalformedBody):
        read_event(sent)


plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None))
trees = st.recursive(
    plain, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


@given(st.sampled_from(sorted(GOOD.keys() | THIN.keys())), trees, st.sampled_from([GOOD, THIN]))
def test_it_answers_any_value_in_any_field_with_an_event_or_one_error(
    key: str, value: Any, root: dict[str, Any]
) -> None:
    """No value in the envelope, however odd, ends in another error than ours."""
    try:
        seen = read_event(body(root | {key: value}))
    except MalformedBody:
        return
    assert seen.id.isascii()
    assert 0 <= seen.created_ms < 253_402_300_800_000


@given(st.text(st.characters(codec=None)))
def test_sanitised_text_can_be_stored_and_loses_nothing_else(text: str) -> None:
    """NUL and lone surrogates become U+FFFD one for one; every other character stays."""
    clean = sanitise(text)

    assert len(clean) == len(text)
    assert clean.encode().decode() == clean
    assert all(
        after == before or (after == "\ufffd" and (before == "\x00" or "\ud800" <= before <= "\udfff"))
        for before, after in zip(text, clean, strict=True)
    )  # fmt: skip


def test_two_reads_of_the_same_bytes_are_equal() -> None:
    """An event is a value: the retry of a stored body sees what the webhook saw."""
    sent = body(event("charge.failed", charge(status="failed")))

    assert read_event(sent) == read_event(sent)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ('"a\\u0000b"', "a\ufffdb"), ('"\\ud800"', "\ufffd"), ('"\\udc00\\ud800"', "\ufffd\ufffd"),
        ('"\\ud83d\\ude00\\ud83d"', "\U0001f600\ufffd"), ('"\ud800"', "\ufffd"),
        ('{"\\u0000": ["\\ud800"]}', {"\ufffd": ["\ufffd"]}),
    ],
    ids=ascii,
)  # fmt: skip
def test_a_listed_event_is_not_lost_for_a_letter_that_cannot_be_stored(
    text: str, read: Any
) -> None:
    """What the webhook refuses is read from the list, with U+FFFD in its place and a body that holds the same."""
    sent = with_object(text)

    seen = read_listed_event(sent)

    with pytest.raises(MalformedBody):
        read_event(sent)
    assert (seen.id, seen.object) == ("evt_1", {"x": read})
    assert read_event(seen.body) == seen


@pytest.mark.parametrize("root", [GOOD, THIN], ids=["snapshot", "thin"])
def test_a_listed_event_that_is_well_formed_is_the_one_of_the_webhook(root: dict[str, Any]) -> None:
    """Where nothing is wrong, the very bytes are kept, so that both ways store one event."""
    assert read_listed_event(body(root)) == read_event(body(root))


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"", "empty"), (b"[]", "not_an_event"), (b"{", "not_json"), (b'{"a": "\xff"}', "not_utf8"),
        (body(GOOD | {"id": "evt\x00"}), "nul_in_text"), (body(GOOD | {"id": None}), "bad_id"),
        (with_object(str(2**53 + 1)), "number_out_of_range"), (with_object("NaN"), "not_json"),
        (with_object('["\\u0000", 1e999]'), "number_out_of_range"), (with_object("9" * 5000), "number_out_of_range"),
        (with_object("[" * 20_000 + "]" * 20_000), "too_deep"), (with_object("[" * 65 + "]" * 65), "too_deep"),
    ],
    ids=lambda value: ascii(value)[:24],
)  # fmt: skip
def test_a_listed_event_is_refused_for_everything_else(sent: bytes, reason: str) -> None:
    """Only text is mended; the reason is what was wrong with what Stripe sent, not with what we made of it."""
    with pytest.raises(MalformedBody) as raised:
        read_listed_event(sent)
    assert raised.value.reason == reason


@given(trees)
def test_cleaned_json_is_the_same_but_for_what_cannot_be_stored(value: Any) -> None:
    """Every text is sanitised at any depth, keys included, and nothing else is touched."""
    again = json.loads(cleaned(json.dumps(value).encode()))

    assert json.dumps(again, sort_keys=True) == json.dumps(_sanitised(value), sort_keys=True)


def _sanitised(value: Any) -> Any:
    match value:
        case str():
            return sanitise(value)
        case list():
            return [_sanitised(each) for each in value]
        case dict():
            return {sanitise(key): _sanitised(each) for key, each in value.items()}
    return value


@given(st.binary(max_size=60) | trees.map(lambda value: json.dumps(value).encode()))
def test_cleaning_any_bytes_ends_in_json_or_one_error(sent: bytes) -> None:
    """Whatever comes, there are only two ways out, and cleaning twice changes nothing more."""
    try:
        once = cleaned(sent)
    except MalformedBody:
        return
    assert cleaned(once) == once
