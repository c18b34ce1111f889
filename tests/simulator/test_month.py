"""Is a simulated month the same each time, full of everything, and short of some webhooks?"""

import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest

from reconciler.simulator.hearsay import heard_of
from reconciler.simulator.month import Month, Played, play
from reconciler.simulator.stories import STORIES
from reconciler.simulator.world import DAY_MS

PARIS = ZoneInfo("Europe/Paris")
MARCH = Month(first=date(2025, 3, 1), zone=PARIS, payments=300)


def played(month: Month = MARCH) -> tuple[Played, list[bytes]]:
    """Play a month; returns it with the webhooks that came."""
    mail: list[bytes] = []

    def post(body: bytes, _: object) -> int:
        mail.append(body)
        return 200

    return play(month, post, secret="whsec_1"), mail


@pytest.fixture(scope="module")
def march() -> tuple[Played, list[bytes]]:
    """Give a month that nobody goes on with."""
    return played()


def test_it_begins_and_ends_with_the_days_of_its_zone() -> None:
    """March in Paris is an hour short of 31 days, and a February knows whether its year is a leap year."""
    leap = replace(MARCH, first=date(2028, 2, 1))

    begin, end = (datetime.fromtimestamp(ms / 1000, UTC) for ms in (MARCH.begin_ms, MARCH.end_ms))

    assert (begin.isoformat(), end.isoformat()) == (
        "2025-02-28T23:00:00+00:00",
        "2025-03-31T22:00:00+00:00",
    )
    assert (MARCH.last.day, leap.last.day) == (31, 29)


def test_it_is_the_same_for_the_same_seed(march: tuple[Played, list[bytes]]) -> None:
    """Two plays make the same events and lose the same webhooks; another seed makes another month."""

    def tale(one: Played) -> str:
        return json.dumps([each.event for each in one.world.happenings], default=str)

    again, other = played()[0], played(replace(MARCH, seed=2))[0]

    assert tale(again) == tale(march[0])
    assert heard_of(again.deliveries) == heard_of(march[0].deliveries)
    assert tale(other) != tale(march[0])


def test_it_loses_its_share_of_webhooks(march: tuple[Played, list[bytes]]) -> None:
    """About 15 of 100 webhooks never come, and all others come once, by the end of the month."""
    events = len(march[0].world.happenings)

    heard = heard_of(march[0].deliveries)

    assert len(march[1]) == len(heard)
    assert 0.12 < 1 - len(heard) / events < 0.18


def test_it_holds_everything_that_happens_in_a_shop(march: tuple[Played, list[bytes]]) -> None:
    """At least so many payments as were asked for, every kind of object, settled in two currencies and paid in five."""
    world = march[0].world

    kinds = {each: len(world.rows(each)) for each in ("payment_intent", "refund", "dispute")}
    sessions = {each["payment_status"] for each in world.rows("checkout.session")}
    settled = {each["currency"] for each in world.rows("balance_transaction")}

    assert len(STORIES) < 300 <= kinds["payment_intent"]
    assert min(kinds["refund"], kinds["dispute"], len(world.rows("payout"))) > 10
    assert sessions == {"paid", "unpaid", "no_payment_required"}
    assert settled == {"eur", "usd"}
    assert {each["currency"] for each in world.rows("charge")} == {
        *("eur", "usd", "gbp", "jpy", "kwd")
    }


def test_it_spreads_over_all_days_and_hours(march: tuple[Played, list[bytes]]) -> None:
    """Payments are made on each day of the month and at every hour of the day, and none outside of the month."""
    made = [each["created"] for each in march[0].world.rows("payment_intent")]

    moments = [datetime.fromtimestamp(each, PARIS) for each in made]

    assert {each.day for each in moments} == set(range(1, 32))
    assert Counter(each.hour for each in moments).keys() == set(range(24))
    assert min(made) * 1000 >= MARCH.begin_ms
    assert max(made) * 1000 < MARCH.end_ms


def test_it_goes_on_in_the_next_month() -> None:
    """What the month left open goes on: refunds, disputes and payouts of its payments are made in the next one."""
    month, mail = played()
    before = len(mail)

    month.go_on(MARCH.end_ms + 20 * DAY_MS)

    late = [each for each in month.world.rows("refund") if each["created"] * 1000 >= MARCH.end_ms]
    assert late
    assert len(mail) > before
    assert len(mail) == len(heard_of(month.deliveries))
