"""Is each list asked for once, side by side, and is what comes back read without trust?"""

import json
import threading
from datetime import datetime, timedelta
from typing import Any

import pytest

from reconciler.core.observation import moment
from reconciler.stripe_api.account import (
    BALANCE,
    ENDPOINTS,
    EVENTS,
    RIGHTS,
    Reply,
    endpoints_of,
    livemode_of,
    skew_ms,
    survey,
    version_of,
)
from reconciler.stripe_api.problems import ProblemKind, StripeProblem
from tests.stripe_api.answering import (
    DATE_MS,
    LOST,
    Answering,
    Asked,
    Bench,
    Said,
    bench,
    listed,
    said_json,
)

WANTED = ["a.b", "c.d"]
PERSON = "jenny@canary.example"


def _now() -> datetime:
    return moment(DATE_MS)


def _survey(answering: Answering, **patience: float) -> tuple[dict[str, Reply], Bench]:
    asking = bench(answering)
    replies = survey(asking.gateway, _now, **patience)
    assert [each.path for each in replies] == list(RIGHTS)
    return {each.path: each for each in replies}, asking


def _except(path: str, said: Said) -> Answering:
    """Answer well, but at one path otherwise."""
    return lambda asked: said if asked.path == path else _good(asked)


def _good(asked: Asked) -> Said:
    """An empty list; of the balance, which is none, an empty balance."""
    return said_json({"object": "balance", "available": []}) if asked.path == BALANCE else listed()


def _endpoint(**changes: Any) -> Any:
    whole = {
        "id": "we_1",
        "url": "https://pay.example.com/api/webhooks/stripe",
        "status": "enabled",
        "enabled_events": WANTED,
        "api_version": None,
    }
    return {**whole, **changes}


def test_it_asks_once_for_each_list() -> None:
    """One small question for each list, and one page of endpoints, which is all of them."""
    replies, asking = _survey(_good)

    assert sorted(each.path for each in asking.asked) == sorted(RIGHTS)
    assert {each.path: each.query.get("limit") for each in asking.asked} == {
        path: {ENDPOINTS: ["100"], BALANCE: None}.get(path, ["1"]) for path in RIGHTS
    }
    assert all(each.answer is not None for each in replies.values())


@pytest.mark.parametrize("path", RIGHTS)
@pytest.mark.parametrize(
    ("said", "kind", "status", "right"),
    [
        (said_json({"error": {"message": f"{PERSON} needs 'rak_charge_read'."}}, 403), "forbidden", 403, "rak_charge_read"),
        (said_json({"error": {"message": f"{PERSON} rak_{'x' * 90}_read"}}, 403), "forbidden", 403, ""),
        (said_json({"error": {"message": f"{PERSON} has no right"}}, 403), "forbidden", 403, ""),
        (said_json({"error": {"message": "'rak_charge_read'"}}, 401), "forbidden", 401, ""),
        (said_json({"error": {"message": "Invalid Stripe API version"}}, 400), "refused", 400, ""),
        (Said(404), "not_found", 404, ""),
        (Said(429), "unavailable", 429, ""),
        (Said(500), "unavailable", 500, ""),
        (Said(200, b"<html>"), "unreadable", None, ""),
        (Said(200, b"{}"), "unreadable", None, ""),
        (Said(200, b"[]"), "unreadable", None, ""),
        (said_json({"object": "list"}), "unreadable", None, ""),
        (said_json({"object": "list", "data": {}}), "unreadable", None, ""),
    ],
)  # fmt: skip
def test_it_takes_nothing_but_a_list_for_an_answer(
    path: str, said: Said, kind: str, status: int | None, right: str
) -> None:
    """Whatever is not a list is a problem with its status, after one try, and hides none of the other answers."""
    replies, asking = _survey(_except(path, said))

    problem = replies[path].problem
    assert problem is not None
    assert (problem.kind, problem.status, problem.right) == (ProblemKind(kind), status, right)
    assert PERSON not in str(problem)
    assert replies[path].answer is None
    assert len(asking.asked) == len(RIGHTS)
    assert [each.path for each in replies.values() if each.answer is None] == [path]


@pytest.mark.parametrize("lost", [LOST, Said(503)])
def test_it_asks_no_second_time(lost: Said | Exception) -> None:
    """A Stripe that is away is asked nine questions, not thirty-six, and no pause is made."""
    asking = bench([lost])

    replies = survey(asking.gateway, _now)

    assert {each.problem.kind for each in replies if each.problem} == {ProblemKind.UNAVAILABLE}
    assert len(asking.asked) == len(RIGHTS)
    assert asking.clock.now_s == pytest.approx(1000.0)


def test_it_waits_for_all_together_and_no_longer() -> None:
    """An answer that does not come in time is a problem; the others are there."""
    over = threading.Event()

    def answer(asked: Asked) -> Said:
        if asked.path == "/v1/refunds":
            over.wait(10)
        return _good(asked)

    replies, _ = _survey(answer, patience_s=0.3)
    over.set()

    problem = replies["/v1/refunds"].problem
    assert problem is not None
    assert problem.kind is ProblemKind.UNAVAILABLE
    assert "none within 0.3 s" in str(problem)
    assert [path for path, each in replies.items() if each.answer is None] == ["/v1/refunds"]


@pytest.mark.parametrize("ahead_s", [0.0, 600.0, -600.0])
def test_it_compares_our_clock_with_stripes(ahead_s: float) -> None:
    """Ours is ahead of Stripe's by what lies between them; a Date is cut by half a second on average."""
    asking = bench(lambda _: listed())

    replies = survey(asking.gateway, lambda: _now() + timedelta(seconds=ahead_s + 0.5))

    assert skew_ms(replies) == ahead_s * 1000


def test_it_looks_at_our_clock_in_the_middle_of_a_request() -> None:
    """Of the time after an answer, half of what the answer took is taken away: it was made somewhere on the way."""
    asking = bench(lambda _: Said(200, listed().body, took_s=2.0))

    replies = survey(asking.gateway, _now)

    taken = [(each.at_ms, each.answer.took_ms) for each in replies if each.answer is not None]
    assert [at_ms for at_ms, _ in taken] == [DATE_MS - took_ms // 2 for _, took_ms in taken]
    assert min(took_ms for _, took_ms in taken) >= 2000


def test_it_trusts_the_quickest_answer_about_the_clock() -> None:
    """The shorter the way, the less is unknown about when the answer was made."""
    slow, quick = (
        Reply(path=path, answer=bench([Said(took_s=took_s)]).gateway.ask(path), at_ms=at_ms)
        for path, took_s, at_ms in ((EVENTS, 9.0, DATE_MS), (ENDPOINTS, 0.1, DATE_MS + 7500))
    )

    assert skew_ms([slow, quick]) == 7000
    assert skew_ms([]) is None


@pytest.mark.parametrize(
    ("said", "expected"),
    [("2026-10-28.endive", "2026-10-28.endive"), ("2019-05-16", "2019-05-16"), ("\x1b[2J", None), ("", None)],
)  # fmt: skip
def test_it_knows_the_version_of_the_answers(said: str, expected: str | None) -> None:
    """It is the header's, if that has the form of a version."""
    replies, _ = _survey(lambda _: Said(200, listed().body, {"Stripe-Version": said}))

    assert version_of(list(replies.values())) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (listed({"livemode": True}), True),
        (listed({"livemode": False, "data": {"x": "\ud800"}}), False),
        (listed(), None),
        (listed({"livemode": "yes"}), None),
        (Said(500), None),
    ],
)
def test_it_knows_the_mode_by_the_newest_event(said: Said, expected: bool | None) -> None:
    """Without an event, or without an answer that can be read, the mode is not known."""
    replies, _ = _survey(_except(EVENTS, said))

    assert livemode_of(replies[EVENTS]) is expected


@pytest.mark.parametrize(
    ("changes", "host", "path", "version"),
    [
        ({}, "pay.example.com", "/api/webhooks/stripe", None),
        ({"url": "https://me:canary@pay.example.com:8443/x?t=canary#canary"}, "pay.example.com:8443", "/x", None),
        ({"url": "https://[::1]/x"}, "[::1]", "/x", None),
        ({"url": "https://[canary"}, "", "", None),
        ({"url": "canary"}, "", "canary", None),
        ({"url": "https://a\x1bb/x"}, "", "/x", None),
        ({"api_version": "2019-05-16"}, "pay.example.com", "/api/webhooks/stripe", "2019-05-16"),
        ({"api_version": "\x1b[2J"}, "pay.example.com", "/api/webhooks/stripe", None),
        ({"description": "\ud800", "metadata": {"x": [1]}}, "pay.example.com", "/api/webhooks/stripe", None),
    ],
)  # fmt: skip
def test_it_keeps_of_an_endpoint_only_what_may_be_shown(
    changes: dict[str, Any], host: str, path: str, version: str | None
) -> None:
    """Host and path, without password and query; a version that has the form of one."""
    replies, _ = _survey(_except(ENDPOINTS, listed(_endpoint(**changes))))

    [found] = endpoints_of(replies[ENDPOINTS])

    assert (found.host, found.path, found.api_version) == (host, path, version)
    assert "canary" not in found.host


@pytest.mark.parametrize(
    ("types", "missing"),
    [(["*"], []), (WANTED, []), ([*WANTED, "e.f"], []), (["c.d"], ["a.b"]), ([], WANTED)],
)
def test_it_knows_which_events_an_endpoint_does_not_get(
    types: list[str], missing: list[str]
) -> None:
    """A star is every type; superfluous ones are no matter."""
    replies, _ = _survey(_except(ENDPOINTS, listed(_endpoint(enabled_events=types))))

    [found] = endpoints_of(replies[ENDPOINTS])

    assert found.missing(WANTED) == missing


@pytest.mark.parametrize(
    "said",
    [
        Said(403),
        listed({"id": "we_1"}),
        listed(_endpoint(url=None)),
        listed(_endpoint(enabled_events="*")),
        listed(_endpoint(), has_more=True),
    ],
)
def test_it_never_takes_endpoints_that_are_not_known_for_none(said: Said) -> None:
    """A list that can't be read, or is not all, is a problem and not an empty list."""
    replies, _ = _survey(_except(ENDPOINTS, said))

    with pytest.raises(StripeProblem):
        endpoints_of(replies[ENDPOINTS])


def test_it_keeps_no_person_in_what_it_shows() -> None:
    """An answer holds names and addresses, and prints none of them."""
    body = json.dumps({"object": "list", "data": [{"receipt_email": PERSON}], "has_more": False})
    replies, _ = _survey(_except("/v1/payment_intents", Said(200, body.encode())))

    assert replies["/v1/payment_intents"].answer is not None
    assert PERSON not in repr(replies)
