"""Whether one object is read whole, by the right path, and nothing else is ever taken for it."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.core.doubts import FetchKind
from reconciler.stripe_api.problems import ProblemKind, Stopped, StripeProblem
from reconciler.stripe_api.reading import read_object
from tests.stripe_api.answering import (
    DATE_MS,
    Asked,
    Bench,
    Said,
    bench,
    listed,
    loopback,
    reach,
    said_json,
    shelf,
)
from tests.stripe_api.shapes import Json, charge, payment_intent, refund

LATER = "Mon, 23 Nov 2026 11:00:07 GMT"


def problem_of(asking: Bench, kind: FetchKind, object_id: str) -> StripeProblem:
    """Read an object, and return the problem that comes of it."""
    with pytest.raises(StripeProblem) as raised:
        read_object(asking.gateway, kind, object_id)
    return raised.value


def with_refunds(shown: list[Json], *, has_more: bool) -> Json:
    """Return a charge that shows some of its refunds."""
    refunds = {"object": "list", "data": shown, "has_more": has_more, "url": "/v1"}
    return charge() | {"refunds": refunds}


@pytest.mark.parametrize(
    ("kind", "path", "query"),
    [
        (FetchKind.PAYMENT_INTENT, "/v1/payment_intents/x_1", {"expand[0]": ["latest_charge"]}),
        (FetchKind.CHARGE, "/v1/charges/x_1", {"expand[0]": ["refunds"]}),
        (FetchKind.REFUND, "/v1/refunds/x_1", {}),
        (FetchKind.DISPUTE, "/v1/disputes/x_1", {}),
        (FetchKind.CHECKOUT_SESSION, "/v1/checkout/sessions/x_1", {}),
    ],
)
def test_it_reads_each_kind_where_stripe_has_it(
    kind: FetchKind, path: str, query: dict[str, list[str]]
) -> None:
    """Each kind has its path, and what a decision needs stands in the answer rather than be named."""
    asking = bench([said_json({"id": "x_1", "object": kind.value})])

    reading = read_object(asking.gateway, kind, "x_1")

    assert [(each.path, each.query) for each in asking.asked] == [(path, query)]
    assert reading.object == {"id": "x_1", "object": kind.value}
    assert (reading.span, reading.request_id) == ((DATE_MS - 5000, DATE_MS + 999), "req_1")


def test_it_knows_a_way_to_every_kind() -> None:
    """A doubt of a kind that can't be read would never be settled."""
    for kind in FetchKind:
        assert read_object(bench([said_json({"id": "x_1"})]).gateway, kind, "x_1").object


@pytest.mark.parametrize("count", [11, 100, 101, 250])
def test_it_reads_a_charge_with_all_its_refunds(count: int) -> None:
    """More than the ten that Stripe shows are taken from the list of refunds of that charge alone."""
    refunds = [refund(f"re_{n}") for n in range(count)]

    def answer(question: Asked) -> Said:
        if question.path == "/v1/charges/ch_1":
            return said_json(with_refunds(refunds[:10], has_more=True))
        return shelf(refunds)(question)

    asking = bench(answer)

    reading = read_object(asking.gateway, FetchKind.CHARGE, "ch_1")

    assert reading.object == with_refunds(refunds, has_more=False)
    assert {(each.path, *each.query["charge"]) for each in asking.asked[1:]} == {
        ("/v1/refunds", "ch_1")
    }


@pytest.mark.parametrize(
    "answer",
    [
        with_refunds([], has_more=False),
        with_refunds([refund()], has_more=False),
        charge(),
        charge() | {"refunds": None},
        charge() | {"refunds": []},
        charge() | {"refunds": "re_1"},
        charge() | {"refunds": {"data": None}},
    ],
)
def test_it_asks_once_when_the_refunds_are_all_there(answer: Json) -> None:
    """A charge that does not speak of more is taken as it is."""
    asking = bench([said_json(answer)])

    reading = read_object(asking.gateway, FetchKind.CHARGE, "ch_1")

    assert (reading.object, len(asking.asked)) == (answer, 1)


def test_it_lists_refunds_of_charges_alone() -> None:
    """An id of another kind is no filter for refunds, whatever stands in the answer."""
    asking = bench([said_json(with_refunds([], has_more=True))])

    read_object(asking.gateway, FetchKind.PAYMENT_INTENT, "pi_1")

    assert len(asking.asked) == 1


def test_it_says_of_a_charge_with_listed_refunds_that_it_was_true_until_the_list_was() -> None:
    """The refunds were read later than the charge: nothing may be ordered within that time."""
    late = listed(refund())
    asking = bench(
        [said_json(with_refunds([], has_more=True)), Said(200, late.body, date=LATER, took_s=1)]
    )

    reading = read_object(asking.gateway, FetchKind.CHARGE, "ch_1")

    assert reading.span == (DATE_MS - 5000, DATE_MS + 7000 + 999)


@pytest.mark.parametrize(
    ("page", "kind"),
    [
        (Said(403), ProblemKind.FORBIDDEN),
        (Said(500), ProblemKind.UNAVAILABLE),
        (said_json({}), ProblemKind.UNREADABLE),
        (listed(has_more=True), ProblemKind.UNREADABLE),
        (listed(refund(), 7), ProblemKind.UNREADABLE),
        (listed(refund(), None), ProblemKind.UNREADABLE),
    ],
)
def test_it_gives_no_charge_with_only_some_of_its_refunds(page: Said, kind: ProblemKind) -> None:
    """How much was given back is not known in part: if the list can't be read, the charge was not."""
    asking = bench([said_json(with_refunds([refund()], has_more=True)), page])

    assert problem_of(asking, FetchKind.CHARGE, "ch_1").kind is kind


@pytest.mark.parametrize(
    ("object_id", "line"),
    [
        ("ch_1/../ch_2", b"GET /v1/refunds/ch_1%2F..%2Fch_2 HTTP/1.1"),
        ("../balance", b"GET /v1/refunds/..%2Fbalance HTTP/1.1"),
        ("re_1?expand=x", b"GET /v1/refunds/re_1%3Fexpand%3Dx HTTP/1.1"),
        ("re_1#x", b"GET /v1/refunds/re_1%23x HTTP/1.1"),
        ("re_1%2Fx", b"GET /v1/refunds/re_1%252Fx HTTP/1.1"),
        ("@evil.example", b"GET /v1/refunds/%40evil.example HTTP/1.1"),
    ],
)
def test_it_lets_no_id_lead_to_another_path(object_id: str, line: bytes) -> None:
    """On the wire, whatever an id holds is one piece of the path."""
    answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}"

    with loopback(answer) as (base, asked):
        with pytest.raises(StripeProblem) as raised:
            read_object(reach(base), FetchKind.REFUND, object_id)

        assert asked[0].splitlines()[0] == line
    assert raised.value.kind is ProblemKind.NOT_FOUND


@pytest.mark.parametrize(
    "object_id", ["", ".", "..", "re\n1", "re\x00", "ré", "re\ud800", "r" * 256], ids=ascii
)
def test_it_does_not_ask_for_what_can_be_no_id(object_id: str) -> None:
    """Nothing at Stripe has such an id, and some of them would be another question."""
    asking = bench([said_json({})])

    assert problem_of(asking, FetchKind.REFUND, object_id).kind is ProblemKind.NOT_FOUND
    assert asking.asked == []


@pytest.mark.parametrize("root", [[], None, 7, "x", True, [{"id": "pi_1"}], "\ud800"], ids=ascii)
def test_it_takes_nothing_else_for_an_object(root: Any) -> None:
    """JSON that is no object is a problem that names the request."""
    problem = problem_of(bench([said_json(root)]), FetchKind.PAYMENT_INTENT, "pi_1")

    assert problem.kind is ProblemKind.UNREADABLE
    assert "req_1" in str(problem)


@pytest.mark.parametrize(
    "body",
    [b'{"a": NaN}', b'{"a": 1e999}', b'{"a": ' + b"[" * 900 + b"]" * 900 + b"}", b"[" * 9999],
    ids=lambda body: ascii(body[:12]),
)
def test_it_ends_in_an_object_or_a_problem_for_json_at_its_edges(body: bytes) -> None:
    """What one decoder takes and the other does not is no third thing."""
    asking = bench([Said(200, body)])

    try:
        reading = read_object(asking.gateway, FetchKind.REFUND, "re_1")
    except StripeProblem as problem:
        assert problem.kind is ProblemKind.UNREADABLE  # noqa: PT017 - either way out is right
    else:
        assert json.dumps(reading.object)


@pytest.mark.parametrize("text", ["\ud800", "\udc00x", "\udc00\ud800"], ids=ascii)
def test_it_reads_an_object_with_a_lone_surrogate_in_it(text: str) -> None:
    """One broken letter is U+FFFD in the object, and in each refund of the list."""
    clean = text.replace("\ud800", "\ufffd").replace("\udc00", "\ufffd")
    broken = with_refunds([], has_more=True) | {"description": text}
    asking = bench([said_json(broken), listed(refund(reason=text))])

    reading = read_object(asking.gateway, FetchKind.CHARGE, "ch_1")

    assert reading.object["description"] == clean
    assert reading.object["refunds"]["data"] == [refund(reason=clean)]


def test_it_tells_what_this_key_does_not_have_from_what_it_may_not_read() -> None:
    """The two ask for different people: one fetch ends, the other calls for a right."""
    kinds = [
        problem_of(bench([Said(status)]), FetchKind.PAYMENT_INTENT, "pi_1").kind
        for status in (404, 403)
    ]

    assert kinds == [ProblemKind.NOT_FOUND, ProblemKind.FORBIDDEN]


def test_it_stops_when_it_must() -> None:
    """No object is read by a program that ends."""
    asking = bench([said_json({})])
    asking.stop.set()

    with pytest.raises(Stopped):
        read_object(asking.gateway, FetchKind.CHARGE, "ch_1")


trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["data", "has_more", "id"]), inner),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(refunds=trees, page=trees)
def test_it_answers_any_refunds_with_a_charge_or_a_problem(refunds: Any, page: Any) -> None:
    """However odd the part that it looks into, there are only two ways out."""
    asking = bench([said_json(payment_intent() | {"refunds": refunds}), said_json(page)])

    try:
        reading = read_object(asking.gateway, FetchKind.CHARGE, "ch_1")
    except StripeProblem:
        return
    assert reading.object["id"] == "pi_1"
