"""Whether faults strike whom they are meant for, as often as they should, and the same way for the same seed."""

from typing import Any

import pytest

from reconciler.simulator.api import Answer, Api, Key, Request
from reconciler.simulator.clock import Clock
from reconciler.simulator.faults import Fault, FaultKind, Faults, Mishap, Plan, Rates
from reconciler.simulator.world import World
from tests.stripe_api import shapes

SECRET = "sk_test_full"


def stripe_with(faults: Faults) -> tuple[Api, list[str]]:
    """Build an API with five events; return it and their ids, newest first."""
    world = World(seed=1, clock=Clock(shapes.T0_S * 1000))
    made = []
    for n in range(5):
        made.append(world.emit("charge.succeeded", world.save(shapes.charge(f"ch_{n}")))["id"])
        world.clock.advance(1000)
    return Api(world, [Key(SECRET)], faults), made[::-1]


def ask(api: Api, path: str, *query: tuple[str, Any]) -> Answer:
    """Ask for a path below /v1."""
    pairs = [(name, str(value)) for name, value in query]
    return api.answer(Request("GET", f"/v1/{path}", pairs, {"Authorization": f"Bearer {SECRET}"}))


@pytest.mark.parametrize(
    ("fault", "status", "code", "headers"),
    [
        (Fault(kind=FaultKind.ERROR_500), 500, None, {}),
        (Fault(kind=FaultKind.ERROR_502), 502, None, {}),
        (Fault(kind=FaultKind.ERROR_503), 503, None, {}),
        (Fault(kind=FaultKind.RATE_LIMITED), 429, "rate_limit", {}),
        (
            Fault(kind=FaultKind.RATE_LIMITED, retry_after_s=7, reason="global-rate"),
            429,
            "rate_limit",
            {"Retry-After": "7", "Stripe-Rate-Limited-Reason": "global-rate"},
        ),
        (Fault(kind=FaultKind.LOCK_TIMEOUT), 409, "lock_timeout", {}),
        (Fault(kind=FaultKind.NO_RETRY), 500, None, {"Stripe-Should-Retry": "false"}),
    ],
)
def test_it_fails_in_stripes_words(
    fault: Fault, status: int, code: str | None, headers: dict[str, str]
) -> None:
    """An error has the status, code and headers by which Stripe's clients tell what to do; the next answer is good."""
    faults = Faults()
    api, _ = stripe_with(faults)
    faults.script(fault)

    failed, good = ask(api, "events"), ask(api, "events")

    more = failed.headers.keys() - good.headers.keys()
    assert (failed.status, failed.json["error"].get("code")) == (status, code)
    assert {name: failed.headers[name] for name in more} == headers
    assert good.status == 200


@pytest.mark.parametrize(
    ("kind", "status", "start", "is_cut", "stall_s"),
    [
        (FaultKind.HTML, 200, b"<!DOCTYPE", False, 0.0),
        (FaultKind.HTML_502, 502, b"<!DOCTYPE", False, 0.0),
        (FaultKind.EMPTY_OBJECT, 200, b"{}", False, 0.0),
        (FaultKind.CUT_BODY, 200, b"{\n", True, 0.0),
        (FaultKind.STALL, 200, b"{\n", False, 3.0),
    ],
)
def test_it_spoils_bodies_and_their_way(
    kind: FaultKind, status: int, start: bytes, is_cut: bool, stall_s: float
) -> None:
    """Not every fault is told in Stripe's words: what is wrong is the body, or its way."""
    faults = Faults()
    api, _ = stripe_with(faults)
    faults.script(Fault(kind=kind, stall_s=3.0))

    answer = ask(api, "events")

    assert (answer.status, answer.is_cut, answer.stall_s) == (status, is_cut, stall_s)
    assert answer.body.startswith(start)


def test_it_heals_at_once() -> None:
    """Whatever was scripted strikes nobody any more."""
    faults = Faults()
    api, _ = stripe_with(faults)
    faults.script(Fault(kind=FaultKind.ERROR_500, times=100))
    broken = ask(api, "events").status

    faults.heal()

    assert (broken, ask(api, "events").status) == (500, 200)


def test_it_breaks_the_pages_of_a_list() -> None:
    """Pages that do not lead on: none on it but more to come, the same again, the cursor itself, a cursor too old."""
    faults = Faults()
    api, ids = stripe_with(faults)
    for kind in (FaultKind.EMPTY_PAGE, FaultKind.SAME_PAGE, FaultKind.NO_PROGRESS):
        faults.script(Fault(kind=kind, path="/v1/events"))
    faults.script(Fault(kind=FaultKind.AGED_OUT_CURSOR))

    def page(*query: tuple[str, Any]) -> tuple[list[str], bool]:
        body = ask(api, "events", ("limit", 2), *query).json
        return [each["id"] for each in body["data"]], body["has_more"]

    after = ("starting_after", ids[1])

    assert page() == ([], True)
    assert page() == (ids[:2], True)  # The others wait for a cursor.
    assert page(after) == (ids[:2], True)
    assert page(after) == ([ids[1]], True)
    assert "aged out" in ask(api, "events", after).json["error"]["message"]
    assert page(after) == (ids[2:4], True)


def test_it_strikes_only_the_paths_that_are_meant_and_so_many_times() -> None:
    """A fault waits for its requests and is then used up; faults for the same path strike in their order."""
    faults = Faults()
    api, ids = stripe_with(faults)
    faults.script(Fault(kind=FaultKind.ERROR_503, path="/v1/events", times=2))
    faults.script(Fault(kind=FaultKind.ERROR_500, path="/v1/events"))
    faults.script(Fault(kind=FaultKind.ERROR_502, path="/v1/events/*"))

    assert ask(api, "charges").status == 200
    assert [ask(api, "events").status for _ in range(4)] == [503, 503, 500, 200]
    assert [ask(api, f"events/{ids[0]}").status for _ in range(2)] == [502, 200]


def answers(seed: int) -> list[object]:
    """Draw what befalls fifty requests."""
    rates = Rates(errors=0.2, rate_limits=0.2, stale_reads=0.3, latency=0.5)
    faults = Faults(seed, rates)
    return [(faults.next_for("/"), faults.stale_ms(), faults.latency_s()) for _ in range(50)]


def plans(seed: int, rates: Rates, count: int = 400) -> list[tuple[Plan, int]]:
    """Draw what befalls some events."""
    faults = Faults(seed, rates)
    events = [f"evt_{n}" for n in range(count)]
    return [(faults.plan(each), faults.hidden_for_ms({"id": each})) for each in events]


MANY = Rates(lost=0.2, late=0.2, duplicated=0.2, reordered=0.2, twins=0.2, hidden=0.2)


def test_it_draws_the_same_from_the_same_seed() -> None:
    """A seed tells what goes wrong, and another seed tells something else."""
    assert answers(7) == answers(7) != answers(8)
    assert plans(7, MANY) == plans(7, MANY) != plans(8, MANY)


def test_it_strikes_each_event_by_itself() -> None:
    """What befalls an event does not depend on how many others there were before."""
    faults = Faults(7, MANY)

    backwards = [faults.plan(f"evt_{n}") for n in reversed(range(50))]

    assert backwards[::-1] == [plan for plan, _ in plans(7, MANY, 50)]


def test_it_strikes_nothing_at_the_rate_zero_and_all_at_one() -> None:
    """Without rates everything goes well; at 1 each event has every mishap."""
    calm, storm = Faults(1), Faults(1, Rates(lost=1, late=1, duplicated=1, reordered=1, twins=1))

    plan = calm.plan("evt_1")
    assert plan == Plan(delays_ms=(0,))
    assert (calm.next_for("/"), calm.stale_ms(), calm.latency_s()) == (None, 0, 0.0)
    assert calm.hidden_for_ms({"id": "evt_1"}) == 0
    assert storm.plan("evt_1").mishaps == set(Mishap)
    assert storm.plan("evt_1").delays_ms == ()


@pytest.mark.parametrize(
    ("rates", "low_ms", "high_ms", "sendings"),
    [
        (Rates(reordered=1), 1, 30_000, {1}),
        (Rates(late=1), 120_000, 1_800_000, {1}),
        (Rates(duplicated=1), 0, 300_000, {2, 3}),
    ],
)
def test_it_delays_and_repeats_within_bounds(
    rates: Rates, low_ms: int, high_ms: int, sendings: set[int]
) -> None:
    """Seconds out of order, minutes late, two or three times."""
    faults = Faults(1, rates)

    drawn = [faults.plan(f"evt_{n}").delays_ms for n in range(200)]

    assert {len(each) for each in drawn} == sendings
    assert all(low_ms <= delay_ms <= high_ms for each in drawn for delay_ms in each)


@pytest.mark.parametrize(
    ("rates", "low_ms", "high_ms"),
    [(Rates(hidden=1), 1, 90_000), (Rates(long_hidden=1), 1, 540_000)],
)
def test_it_hides_events_from_the_list_for_a_while(rates: Rates, low_ms: int, high_ms: int) -> None:
    """Up to a minute and a half, or up to nine."""
    faults = Faults(1, rates)

    drawn = [faults.hidden_for_ms({"id": f"evt_{n}"}) for n in range(200)]

    assert low_ms <= min(drawn) < max(drawn) <= high_ms
    assert max(drawn) > high_ms / 2


def test_it_strikes_about_as_often_as_it_should() -> None:
    """A rate is a share."""
    faults = Faults(1, Rates(errors=0.1, rate_limits=0.2, lost=0.3))

    drawn = [faults.next_for("/") for _ in range(2000)]
    limited = [each for each in drawn if each and each.kind is FaultKind.RATE_LIMITED]
    failed = [each for each in drawn if each and each not in limited]
    lost = [n for n in range(2000) if Mishap.LOST in faults.plan(f"evt_{n}").mishaps]

    assert 150 < len(failed) < 250
    assert 330 < len(limited) < 470
    assert 530 < len(lost) < 670
