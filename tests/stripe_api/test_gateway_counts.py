"""Is every request to Stripe counted once, by what came of it, and none by what stands in it?"""

import time
from email.utils import formatdate

import pytest

from reconciler.metrics import OF_DAEMON
from reconciler.stripe_api.gateway import Gateway
from reconciler.stripe_api.problems import StripeProblem
from tests.metrics.scraping import counted, growth
from tests.stripe_api.answering import KEY, LOST, Said, bench

REQUESTS = "reconciler_stripe_requests_total"
RETRIES = "reconciler_stripe_retries_total"
CHARGE = "/v1/charges/{id}"


def _ask(gateway: Gateway) -> None:
    try:
        gateway.ask("/v1/charges/ch_canary", {"expand": ["canary"]})
    except StripeProblem:
        return


@pytest.mark.parametrize(
    ("answers", "statuses", "retries"),
    [
        ([Said()], {"200": 1}, 0),
        ([Said(429), Said(500), LOST, Said()], {"429": 1, "500": 1, "none": 1, "200": 1}, 3),
        ([Said(429)], {"429": 4}, 3),
        ([Said(403, b"canary")], {"403": 1}, 0),
        ([Said(200, b"<html>canary")], {"unreadable": 1}, 0),
        ([Said(200, b"{}", date=None)], {"unreadable": 1}, 0),
    ],
    ids=["good", "tried again", "given up", "forbidden", "no JSON", "no date"],
)
def test_it_counts_each_request_by_what_came_of_it(
    answers: list[Said | Exception], statuses: dict[str, int], retries: int
) -> None:
    """Every try counts, under the path without its id; whatever else was asked or answered stands nowhere."""
    before = counted(OF_DAEMON)

    _ask(bench(answers).gateway)

    after = counted(OF_DAEMON)
    grown = growth(before, after, REQUESTS)
    assert grown == {
        frozenset({("path", CHARGE), ("status", status)}): n for status, n in statuses.items()
    }
    again = growth(before, after, RETRIES)
    assert again == ({frozenset({("path", CHARGE)}): retries} if retries else {})
    assert "canary" not in after.text
    assert KEY not in after.text


@pytest.mark.parametrize("ahead_s", [-600, 0, 600])
def test_it_tells_how_far_our_clock_is_ahead(ahead_s: int) -> None:
    """Each answer tells by its Date what time it is at Stripe."""
    told_at = formatdate(time.time() - ahead_s, usegmt=True)

    bench([Said(date=told_at)]).gateway.ask("/v1/events")

    ahead = counted(OF_DAEMON).value("reconciler_clock_ahead_seconds")
    assert ahead == pytest.approx(ahead_s, abs=5)


def test_it_counts_no_request_that_is_never_made() -> None:
    """What is wrong on our side before Stripe is asked is no request."""

    def refuse() -> None:
        raise RuntimeError("a transaction is open")

    before = counted(OF_DAEMON)
    asking = bench([Said()], before_asking=refuse)
    with pytest.raises(RuntimeError):
        asking.gateway.ask("/v1/charges/ch_1")

    assert growth(before, counted(OF_DAEMON), REQUESTS) == {}
