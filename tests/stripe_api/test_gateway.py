"""Whether Stripe is asked patiently, politely and in silence, and every answer has its time or its problem."""

import logging
import time
import traceback
from collections.abc import Iterator

import pytest
import structlog
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.stripe_api.gateway import Access
from reconciler.stripe_api.problems import ProblemKind, StripeProblem
from tests.stripe_api.answering import (
    DATE_MS,
    KEY,
    LOST,
    VERSION,
    Said,
    bench,
    problem_of,
    said_json,
)

PERSON = "jenny@canary.example"
ERROR = {"error": {"type": "api_error", "message": f"No such thing: {PERSON} {KEY}", "code": "x"}}
UNREADABLE = ProblemKind.UNREADABLE
UNAVAILABLE = ProblemKind.UNAVAILABLE
HTML = b"<html><body>sign in, jenny@canary.example</body></html>"
GOOD = Said()


@pytest.mark.parametrize(
    "body",
    [said_json(ERROR).body, HTML, b"", b"[]", b'{"error": []}', b"\xff"],
    ids=lambda body: ascii(body[:12]),
)
@pytest.mark.parametrize(
    ("status", "kind", "tries"),
    [
        (400, ProblemKind.REFUSED, 1), (401, ProblemKind.FORBIDDEN, 1), (402, ProblemKind.REFUSED, 1),
        (403, ProblemKind.FORBIDDEN, 1), (404, ProblemKind.NOT_FOUND, 1), (409, UNAVAILABLE, 4),
        (422, ProblemKind.REFUSED, 1), (429, UNAVAILABLE, 4), (500, UNAVAILABLE, 4),
        (502, UNAVAILABLE, 4), (503, UNAVAILABLE, 4), (599, UNAVAILABLE, 4), (304, UNREADABLE, 1),
    ],
)  # fmt: skip
def test_it_knows_by_the_status_what_is_wrong_and_whether_to_ask_again(
    status: int, kind: ProblemKind, tries: int, body: bytes
) -> None:
    """The status alone decides, whatever stands in the body, and nothing is asked more than four times."""
    asking = bench([Said(status, body)])

    problem = problem_of(asking)

    assert (problem.kind, len(asking.asked)) == (kind, tries)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "/v1/events: the key is wrong, or was revoked or rolled (status 401, req_1)"),
        (403, "/v1/events: the key may not read this (status 403, req_1)"),
    ],
)
def test_it_tells_a_key_that_is_wrong_from_a_right_that_is_missing(status: int, words: str) -> None:
    """A new key and a new right are mended in different places."""
    assert str(problem_of(bench([Said(status)]))) == words


@pytest.mark.parametrize("lost", [LOST, Said(409), Said(429), Said(500, HTML), Said(503)])
@pytest.mark.parametrize("times", [1, 3])
def test_it_gives_the_answer_that_comes_after_all(lost: Said | Exception, times: int) -> None:
    """What passes is no problem: whoever asked never learns of it."""
    asking = bench([*[lost] * times, said_json({"id": "x"})])

    answer = asking.gateway.ask("/v1/events")

    assert (answer.body, answer.request_id) == (b'{"id": "x"}', f"req_{times + 1}")


def test_it_gives_up_when_it_never_gets_through() -> None:
    """Without a connection there are four tries, and the problem says nothing of the address or the key."""
    asking = bench([LOST])

    problem = problem_of(asking)

    assert (problem.kind, len(asking.asked)) == (UNAVAILABLE, 4)
    assert str(problem) == "/v1/events: Stripe gives no answer (no connection)"


@pytest.mark.parametrize(
    "body",
    [HTML, b"", b"\xff\xfe", b"{", b"[" * 100_000, b"[" * 100_000 + b"]" * 100_000, b"9" * 5000],
    ids=lambda body: ascii(body[:12]),
)
def test_it_takes_no_page_of_somebody_else_for_an_answer(body: bytes) -> None:
    """A good status on what is no JSON is unreadable, and asking again at once would not help."""
    asking = bench([Said(200, body)])

    problem = problem_of(asking)

    assert (problem.kind, len(asking.asked)) == (UNREADABLE, 1)


@pytest.mark.parametrize("body", [b"{}", b"[]", b"null", b'{"a": "\\ud800"}', b'{"a": "\\u0000"}'])
def test_it_leaves_the_reading_of_json_to_whoever_asked(body: bytes) -> None:
    """Any JSON is handed on as the bytes that came, after one question."""
    asking = bench([Said(200, body)])

    answer = asking.gateway.ask("/v1/events")

    assert (answer.body, len(asking.asked)) == (body, 1)


def test_it_looks_before_each_request() -> None:
    """What must be true before Stripe is asked is asked for before every single try."""
    looked: list[int] = []
    asking = bench([Said(503), Said(503), GOOD], before_asking=lambda: looked.append(len(looked)))

    asking.gateway.ask("/v1/events")

    assert (len(looked), len(asking.asked)) == (3, 3)


def test_it_asks_nothing_when_that_look_fails() -> None:
    """A mistake of ours is no problem of Stripe's: it comes out as it is."""

    def refuse() -> None:
        raise RuntimeError("a transaction is open")

    asking = bench([GOOD], before_asking=refuse)

    with pytest.raises(RuntimeError, match="a transaction is open"):
        asking.gateway.ask("/v1/events")
    assert asking.asked == []


def test_it_asks_in_the_configured_version_with_the_key() -> None:
    """The question is a GET with its filters, our version and our key, and says nothing of this machine."""
    asking = bench([GOOD])

    asking.gateway.ask("/v1/events", {"created": {"gte": 1, "lt": 2}, "types": ["a", "b"]})

    [asked] = asking.asked
    assert (asked.method, asked.path) == ("get", "/v1/events")
    assert asked.query == {
        "created[gte]": ["1"],
        "created[lt]": ["2"],
        "types[0]": ["a"],
        "types[1]": ["b"],
    }
    assert asked.headers["Stripe-Version"] == VERSION
    assert asked.headers["Authorization"] == f"Bearer {KEY}"
    assert "X-Stripe-Client-Telemetry" not in asked.headers


@pytest.mark.parametrize("took_s", [0.0, 0.25, 7.5])
def test_it_says_when_an_answer_was_true(took_s: float) -> None:
    """From the Date less the way and five seconds of a replica's lag, to the last millisecond of that second."""
    asking = bench([Said(took_s=took_s)])

    answer = asking.gateway.ask("/v1/events")

    assert answer.date_ms == DATE_MS
    assert answer.span == (DATE_MS - took_s * 1000 - 5000, DATE_MS + 999)


def test_it_counts_only_the_way_of_the_answer_that_came() -> None:
    """What failed before, and the pauses between, make the span no longer."""
    asking = bench([Said(503, headers={"Retry-After": "9"}, took_s=8), Said(took_s=1)])

    assert asking.gateway.ask("/v1/events").span.lo_ms == DATE_MS - 1000 - 5000


@pytest.mark.parametrize("date", [None, "", "soon", "1795431600", "Mon, 23 Nov 2026 99:00:00 GMT"])
def test_it_takes_no_answer_without_a_time(date: str | None) -> None:
    """When the answer was true can't be guessed from a clock of ours."""
    asking = bench([Said(date=date)])

    problem = problem_of(asking)

    assert (problem.kind, len(asking.asked)) == (UNREADABLE, 1)


@pytest.fixture
def _far_away(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Asia/Tokyo")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("_far_away")
@pytest.mark.parametrize(
    "date",
    ["Mon, 23 Nov 2026 11:00:00 GMT", "Mon, 23 Nov 2026 11:00:00 -0000", "Mon Nov 23 11:00:00 2026"],
)  # fmt: skip
def test_it_reads_every_date_of_http_as_utc(date: str) -> None:
    """A date without its zone is Greenwich's, not this machine's."""
    asking = bench([Said(date=date)])

    assert asking.gateway.date_ms("/v1/events") == DATE_MS


def test_it_names_the_question_where_stripe_gives_no_id() -> None:
    """The evidence of a read is never empty."""
    asking = bench([Said(headers={"Request-Id": ""})])

    assert asking.gateway.ask("/v1/events").request_id == "read of /v1/events"


@pytest.mark.parametrize(
    "said",
    [
        *[said_json(ERROR, status) for status in (400, 401, 403, 404, 409, 429, 500)],
        Said(500, HTML), Said(200, HTML), Said(200, HTML, date=None), LOST,
    ],
)  # fmt: skip
def test_it_tells_nobody_the_key_or_what_stripe_wrote(
    said: Said | Exception, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the problem with its traceback nor any log, ours or the library's at its most talkative, has them."""
    asking = bench([said])

    with caplog.at_level(logging.DEBUG), structlog.testing.capture_logs() as ours:
        problem = problem_of(asking)

    told = "".join(traceback.format_exception(problem)) + repr(problem) + caplog.text + repr(ours)
    assert "canary" not in told


def test_it_tells_nobody_what_a_good_answer_holds(caplog: pytest.LogCaptureFixture) -> None:
    """Names and addresses stay in the body, which nobody sees by looking at the answer or the log."""
    asking = bench([Said(200, f'{{"email": "{PERSON}"}}'.encode())])

    with caplog.at_level(logging.DEBUG), structlog.testing.capture_logs() as ours:
        answer = asking.gateway.ask("/v1/events")

    assert PERSON in answer.body.decode()
    assert "canary" not in repr(answer) + caplog.text + repr(ours)
    assert "canary" not in repr(Access(api_key=KEY, api_version="x"))


def test_it_logs_each_time_that_it_asked_in_vain() -> None:
    """One line for each try tells where and why, so that nobody must guess at a slow sweep."""
    asking = bench([Said(429), Said(503), LOST, GOOD])

    with structlog.testing.capture_logs() as logged:
        asking.gateway.ask("/v1/charges/ch_1")

    assert [(line["event"], line["path"], line["what"]) for line in logged] == [
        ("stripe.asked_in_vain", "/v1/charges/ch_1", what)
        for what in ("status 429", "status 503", "no connection")
    ]


@settings(max_examples=60, deadline=None)
@given(
    status=st.sampled_from([200, 200, 200, 204, 302, 404, 429, 500]), body=st.binary(max_size=60)
)
def test_it_answers_any_bytes_with_an_answer_or_a_problem(status: int, body: bytes) -> None:
    """Whatever comes back, there are only two ways out."""
    asking = bench([Said(status, body)])

    try:
        answer = asking.gateway.ask("/v1/events")
    except StripeProblem:
        return
    assert answer.body == body
