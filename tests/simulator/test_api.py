"""Whether the simulated Stripe answers as https://docs.stripe.com/api says, without a socket in between."""

import base64
from collections.abc import Mapping, Sequence
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from reconciler.simulator.api import Answer, Api, Key, Request
from reconciler.simulator.clock import Clock
from reconciler.simulator.faults import Faults, Rates
from reconciler.simulator.world import World
from tests.stripe_api import shapes

DAY_MS = 86_400_000
T0_S = shapes.T0_S
FULL = "sk_test_full"
NARROW = "rk_test_narrow"
KEYS = (Key(FULL), Key(NARROW, rights=frozenset({"payment_intent", "event"})))


@pytest.fixture
def world() -> World:
    """Give a world with one paid PaymentIntent, all that hangs on it, and four older charges of others."""
    world = World(seed=1, clock=Clock((T0_S + 100) * 1000))
    for n in range(4):
        world.save(shapes.charge(f"ch_old_{n}", intent="pi_0", created=T0_S - 40 + 10 * n))
    paid = shapes.charge()
    world.save(paid)
    world.save(shapes.payment_intent(charges=[paid]))
    world.save(shapes.refund())
    world.save(shapes.dispute())
    world.save(shapes.checkout_session())
    world.save({"id": "plink_1", "object": "payment_link", "active": True, "created": T0_S})
    world.save(shapes.balance_transaction(payout="po_1", paid_in="po_1"))
    world.save(shapes.balance_transaction("txn_2", source="re_1", type="refund", amount=-400))
    world.save(
        {
            "id": "po_1",
            "object": "payout",
            "arrival_date": T0_S + 50,
            "balance_transaction": "txn_1",
            "created": T0_S,
            "destination": "ba_1",
            "failure_balance_transaction": "txn_2",
            "status": "paid",
        }
    )
    world.save(
        {"id": "we_1", "object": "webhook_endpoint", "created": T0_S, "secret": "whsec_hidden"}
    )
    return world


def ask(
    world: World,
    path: str,
    *query: tuple[str, Any],
    key: str = FULL,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Ask for a path below /v1 with a key."""
    given = {"Authorization": f"Bearer {key}"} | dict(headers or {})
    pairs = [(name, str(value)) for name, value in query]
    return Api(world, KEYS).answer(Request(method, f"/v1/{path}", pairs, given))


def ids(answer: Answer) -> list[str]:
    """Name the objects on a page."""
    return [each["id"] for each in answer.json["data"]]


def emit_many(world: World, count: int) -> list[str]:
    """Make events a second apart; return their ids, newest first."""
    made = []
    for _ in range(count):
        made.append(world.emit("payment_intent.succeeded", world.get("pi_1"))["id"])
        world.clock.advance(1000)
    return made[::-1]


CHARGES = ["ch_1", "ch_old_3", "ch_old_2", "ch_old_1", "ch_old_0"]


@pytest.mark.parametrize(
    ("query", "expected", "has_more"),
    [
        ([], CHARGES, False),
        ([("limit", 2)], CHARGES[:2], True),
        ([("limit", 5)], CHARGES, False),
        ([("limit", 2), ("starting_after", "ch_old_3")], CHARGES[2:4], True),
        ([("limit", 2), ("starting_after", "ch_old_2")], CHARGES[3:], False),
        ([("starting_after", "ch_old_0")], [], False),
        # Next to the cursor, and still newest first.
        ([("limit", 2), ("ending_before", "ch_old_0")], CHARGES[2:4], True),
        ([("limit", 2), ("ending_before", "ch_old_2")], CHARGES[:2], False),
        ([("ending_before", "ch_1")], [], False),
        ([("created[gt]", T0_S - 30)], CHARGES[:3], False),
        ([("created[gte]", T0_S - 30)], CHARGES[:4], False),
        ([("created[lt]", T0_S - 30)], CHARGES[4:], False),
        ([("created[lte]", T0_S - 30)], CHARGES[3:], False),
        ([("created[gte]", T0_S - 30), ("created[lt]", T0_S - 10)], CHARGES[2:4], False),
        ([("created", T0_S - 30)], ["ch_old_1"], False),
        ([("payment_intent", "pi_1")], ["ch_1"], False),
        ([("payment_intent", "pi_0"), ("limit", 1)], ["ch_old_3"], True),
        # The cursor need not be one of those that are asked for.
        (
            [("payment_intent", "pi_0"), ("starting_after", "ch_1"), ("limit", 1)],
            CHARGES[1:2],
            True,
        ),
    ],
)
def test_it_lists_newest_first_page_by_page(
    world: World, query: Sequence[tuple[str, Any]], expected: list[str], has_more: bool
) -> None:
    """Pages, cursors and filters cut the list as Stripe's documentation says."""
    answer = ask(world, "charges", *query)

    assert (ids(answer), answer.json["has_more"]) == (expected, has_more)
    assert (answer.json["object"], answer.json["url"]) == ("list", "/v1/charges")


@pytest.mark.parametrize(
    ("path", "name", "good", "bad"),
    [
        ("payment_intents", "customer", "cus_1", "cus_2"),
        ("refunds", "charge", "ch_1", "ch_2"),
        ("refunds", "payment_intent", "pi_1", "pi_2"),
        ("disputes", "charge", "ch_1", "ch_2"),
        ("disputes", "payment_intent", "pi_1", "pi_2"),
        ("checkout/sessions", "payment_intent", "pi_1", "pi_2"),
        ("checkout/sessions", "payment_link", "plink_1", "plink_2"),
        ("checkout/sessions", "status", "complete", "open"),
        ("payment_links", "active", "true", "false"),
        ("balance_transactions", "type", "charge", "payment"),
        ("balance_transactions", "source", "ch_1", "ch_2"),
        ("balance_transactions", "payout", "po_1", "po_2"),
        ("balance_transactions", "currency", "usd", "eur"),
        ("payouts", "status", "paid", "failed"),
        ("payouts", "destination", "ba_1", "ba_2"),
        ("payouts", "arrival_date", T0_S + 50, T0_S),
        ("payouts", "arrival_date[gte]", T0_S + 50, T0_S + 51),
        ("payouts", "arrival_date[lt]", T0_S + 51, T0_S + 50),
        ("payouts", "created[lte]", T0_S, T0_S - 1),
    ],
)
def test_it_narrows_each_list_by_its_own_filters(
    world: World, path: str, name: str, good: Any, bad: Any
) -> None:
    """A filter lets through what it names and nothing else."""
    assert ids(ask(world, path, (name, good)))
    assert ids(ask(world, path, (name, bad))) == []


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("payment_intents/pi_1", "payment_intent"),
        ("charges/ch_1", "charge"),
        ("refunds/re_1", "refund"),
        ("disputes/dp_1", "dispute"),
        ("checkout/sessions/cs_test_1", "checkout.session"),
        ("payment_links/plink_1", "payment_link"),
        ("balance_transactions/txn_1", "balance_transaction"),
        ("payouts/po_1", "payout"),
        ("webhook_endpoints/we_1", "webhook_endpoint"),
        ("account", "account"),
    ],
)
def test_it_answers_for_each_kind_of_object(world: World, path: str, kind: str) -> None:
    """Every object can be read by its id, and shows nothing that Stripe does not show."""
    answer = ask(world, path)

    assert (answer.status, answer.json["object"]) == (200, kind)
    assert not {"secret", "payout", "paid_in"} & answer.json.keys()


@pytest.mark.parametrize(
    ("path", "query", "status", "code", "param"),
    [
        ("charges/ch_x", [], 404, "resource_missing", "id"),
        ("charges/pi_1", [], 404, "resource_missing", "id"),
        ("charges", [("starting_after", "ch_x")], 400, "resource_missing", "starting_after"),
        ("charges", [("ending_before", "ch_x")], 400, "resource_missing", "ending_before"),
        ("charges", [("status", "paid")], 400, "parameter_unknown", "status"),
        ("charges", [("created[near]", 1)], 400, "parameter_unknown", "created[near]"),
        ("charges", [("expand", "data.refunds")], 400, "parameter_unknown", "expand"),
        ("charges/ch_1", [("limit", 1)], 400, "parameter_unknown", "limit"),
        ("payment_links", [("created", 1)], 400, "parameter_unknown", "created"),
        ("charges", [("arrival_date", 1)], 400, "parameter_unknown", "arrival_date"),
        (
            "payouts",
            [("arrival_date[gt]", "x")],
            400,
            "parameter_invalid_integer",
            "arrival_date[gt]",
        ),
        ("charges", [("limit", "ten")], 400, "parameter_invalid_integer", "limit"),
        ("charges", [("limit", 0)], 400, None, "limit"),
        ("charges", [("limit", 101)], 400, None, "limit"),
        ("charges", [("created[gt]", "x")], 400, "parameter_invalid_integer", "created[gt]"),
        (
            "charges",
            [("starting_after", "ch_1"), ("ending_before", "ch_1")],
            400,
            "parameters_exclusive",
            "ending_before",
        ),
        ("events", [("type", "a"), ("types[]", "b")], 400, "parameters_exclusive", "type"),
        ("events", [("types[]", "charge.*")] * 21, 400, None, "types"),
        ("events", [("expand[]", "data.data")], 400, None, "expand"),
        ("events", [("delivery_success", "yes")], 400, None, "delivery_success"),
        ("charges", [("expand[]", "balance_transaction")], 400, None, "expand"),
        ("charges/ch_1", [("expand[]", "amount")], 400, None, "expand"),
        (
            "charges/ch_1",
            [("expand[]", ".".join(["refunds.data.charge"] * 2))],
            400,
            None,
            "expand",
        ),
        ("customers", [], 404, None, None),
        ("", [], 404, None, None),
        ("charges/ch_1/refunds", [], 404, None, None),
    ],
)
def test_it_refuses_in_stripes_words(
    world: World,
    path: str,
    query: Sequence[tuple[str, Any]],
    status: int,
    code: str | None,
    param: str | None,
) -> None:
    """What Stripe would not understand or find is refused with its error, code and parameter."""
    answer = ask(world, path, *query)

    error = answer.json["error"]
    assert (answer.status, error.get("code"), error.get("param")) == (status, code, param)
    assert (error["type"], bool(error["message"])) == ("invalid_request_error", True)


@pytest.mark.parametrize("method", ["POST", "DELETE", "PUT"])
def test_it_changes_nothing_over_http(world: World, method: str) -> None:
    """It is there to be read."""
    assert ask(world, "charges/ch_1", method=method).status == 404


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": f"Bearer {FULL}"}, 200),
        ({"authorization": f"Basic {base64.b64encode(f'{FULL}:'.encode()).decode()}"}, 200),
        ({"Authorization": "Basic !"}, 401),
        ({"Authorization": "Bearer sk_test_other"}, 401),
        ({"Authorization": "Bearer "}, 401),
        ({}, 401),
    ],
)
def test_it_knows_its_keys(world: World, headers: Mapping[str, str], status: int) -> None:
    """A known key opens, by Bearer or Basic; another one or none does not, and is not repeated."""
    answer = Api(world, KEYS).answer(Request("GET", "/v1/charges/ch_1", (), headers))

    assert answer.status == status
    assert b"other" not in answer.body


@pytest.mark.parametrize(
    ("path", "query", "missing"),
    [
        ("payment_intents/pi_1", [], None),
        ("payment_intents", [], None),
        ("events", [], None),
        ("charges/ch_1", [], "charge"),
        ("checkout/sessions", [], "checkout_session"),
        ("account", [], "account"),
        ("payment_intents/pi_1", [("expand[]", "latest_charge")], "charge"),
    ],
)
def test_it_lets_a_restricted_key_read_only_what_it_may(
    world: World, path: str, query: Sequence[tuple[str, Any]], missing: str | None
) -> None:
    """A missing right is a 403 that names the right, also where an object is expanded, and not the key."""
    answer = ask(world, path, *query, key=NARROW)

    assert answer.status == (200 if missing is None else 403)
    if missing is not None:
        error = answer.json["error"]
        assert error["type"] == "invalid_request_error"
        assert f"'rak_{missing}_read'" in error["message"]
        assert "narrow" not in error["message"]


def test_it_keeps_keys_out_of_its_words() -> None:
    """Neither a key nor a request shows a secret when it is printed."""
    request = Request("GET", "/v1/charges", (), {"Authorization": f"Bearer {FULL}"})

    assert FULL not in repr([KEYS, request])


@pytest.mark.parametrize(
    ("path", "paths", "steps", "expected"),
    [
        ("payment_intents/pi_1", ["latest_charge"], ["latest_charge"], "ch_1"),
        (
            "payment_intents/pi_1",
            ["latest_charge.balance_transaction"],
            ["latest_charge", "balance_transaction"],
            "txn_1",
        ),
        (
            "payment_intents",
            ["data.latest_charge", "data.latest_charge.balance_transaction"],
            ["data", 0, "latest_charge", "balance_transaction"],
            "txn_1",
        ),
        ("charges/ch_1", ["refunds"], ["refunds", "data", 0], "re_1"),
        (
            "charges/ch_1",
            ["refunds.data.balance_transaction"],
            ["refunds", "data", 0, "balance_transaction"],
            "txn_2",
        ),
        ("charges/ch_1", ["payment_intent"], ["payment_intent"], "pi_1"),
        ("refunds/re_1", ["charge"], ["charge"], "ch_1"),
        ("disputes/dp_1", ["payment_intent"], ["payment_intent"], "pi_1"),
        ("checkout/sessions/cs_test_1", ["payment_link"], ["payment_link"], "plink_1"),
        ("balance_transactions/txn_1", ["source"], ["source"], "ch_1"),
        ("payouts/po_1", ["balance_transaction"], ["balance_transaction"], "txn_1"),
        (
            "payouts",
            ["data.failure_balance_transaction.source"],
            ["data", 0, "failure_balance_transaction", "source"],
            "re_1",
        ),
        (
            "balance_transactions",
            ["data.source.payment_intent.latest_charge"],
            ["data", 1, "source", "payment_intent", "latest_charge"],
            "ch_1",
        ),
    ],
)
def test_it_expands_up_to_four_levels(
    world: World, path: str, paths: list[str], steps: list[str | int], expected: str
) -> None:
    """The whole object stands where its id stood, in single objects and in lists."""
    found: Any = ask(world, path, *(("expand[]", each) for each in paths)).json

    for step in steps:
        found = found[step]

    assert found["id"] == expected
    assert world.get("pi_1")["latest_charge"] == "ch_1"


def test_it_serves_the_version_that_is_asked_for(world: World) -> None:
    """The header chooses the shape of objects, expanded ones included, and an unknown version is refused."""
    old = ask(
        world,
        "refunds/re_1",
        ("expand[]", "payment_intent"),
        headers={"Stripe-Version": "2019-05-16"},
    )
    unknown = ask(world, "charges/ch_1", headers={"Stripe-Version": "1999-01-01"})

    assert old.json["payment_intent"]["charges"]["data"][0]["refunds"]["data"][0]["id"] == "re_1"
    assert old.headers["Stripe-Version"] == "2019-05-16"
    assert unknown.status == 400


def test_it_stamps_its_answers(world: World) -> None:
    """The date is the world's, each request has an id of its own, and errors are stamped too."""
    api = Api(world, KEYS)
    request = Request("GET", "/v1/charges", (), {"Authorization": f"Bearer {FULL}"})

    first, second, refused = api.answer(request), api.answer(request), ask(world, "charges/ch_x")

    assert parsedate_to_datetime(first.headers["Date"]).timestamp() == T0_S + 100
    assert first.headers["Request-Id"] != second.headers["Request-Id"]
    assert first.headers["Content-Type"] == "application/json"
    assert refused.headers.keys() == first.headers.keys()


def test_it_never_expands_an_event(world: World) -> None:
    """What stands in an event stays as it was: https://docs.stripe.com/expand"""
    (event_id,) = emit_many(world, 1)

    for path in (f"events/{event_id}", "events"):
        assert ask(world, path, ("expand[]", "data.object.latest_charge")).status == 400


def test_it_lets_its_clients_wait(world: World) -> None:
    """Latency is told to the server, which waits in our time."""
    api = Api(world, KEYS, Faults(1, Rates(latency=1.0, latency_max_s=0.2)))

    answer = api.answer(Request("GET", "/v1/charges", (), {"Authorization": f"Bearer {FULL}"}))

    assert 0 < answer.stall_s <= 0.2


def test_it_keeps_each_event_in_the_version_that_it_was_made_in(world: World) -> None:
    """The header does not change events: https://docs.stripe.com/api/events/list"""
    emit_many(world, 2)
    world.happenings[0].event["api_version"] = "2019-05-16"

    for version in ("2019-05-16", "2026-10-28.endive"):
        events = ask(world, "events", headers={"Stripe-Version": version}).json["data"]

        assert ["charges" in each["data"]["object"] for each in events] == [False, True]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ([], 3),
        ([("type", "charge.failed")], 1),
        ([("type", "charge.*")], 2),
        ([("types[]", "charge.failed"), ("types[]", "refund.created")], 2),
        ([("types[0]", "charge.*"), ("types[1]", "refund.*")], 3),
        ([("delivery_success", "true")], 1),
        ([("delivery_success", "false")], 2),
    ],
)
def test_it_narrows_events_by_type_and_delivery(
    world: World, query: Sequence[tuple[str, Any]], expected: int
) -> None:
    """One type, which may hold a wildcard, or several of them, or whether it was delivered."""
    for type_, id_ in (
        ("charge.failed", "ch_1"),
        ("charge.updated", "ch_1"),
        ("refund.created", "re_1"),
    ):
        event = world.emit(type_, world.get(id_))
    event["pending_webhooks"] = 0

    assert len(ids(ask(world, "events", *query))) == expected


def test_it_forgets_events_after_thirty_days(world: World) -> None:
    """An old event is not listed nor found, and as a cursor it is refused in words of its own."""
    newer, older = emit_many(world, 2)
    world.clock.reach((T0_S + 100) * 1000 + 30 * DAY_MS + 1)

    cursor = ask(world, "events", ("starting_after", older))

    assert ids(ask(world, "events")) == [newer]
    assert ask(world, f"events/{newer}").json["id"] == newer
    assert ask(world, f"events/{older}").status == 404
    assert cursor.status == 400
    assert "aged out of our retention policy" in cursor.json["error"]["message"]


def test_it_hides_an_event_until_it_is_visible(world: World) -> None:
    """An event that comes late is nowhere before, and then stands behind those that are newer."""
    world.hidden_for_ms = lambda _: 60_000
    (hidden,) = emit_many(world, 1)
    world.hidden_for_ms = lambda _: 0
    (newer,) = emit_many(world, 1)

    before = (ids(ask(world, "events")), ask(world, f"events/{hidden}").status)
    world.clock.advance(60_000)
    after = (ids(ask(world, "events")), ask(world, f"events/{hidden}").status)

    assert before == ([newer], 404)
    assert after == ([newer, hidden], 200)


def test_it_answers_from_a_replica_that_is_behind(world: World) -> None:
    """A stale answer shows what was true up to a minute ago, except of an object that it has never heard of."""
    world.clock.advance(DAY_MS)
    world.save(shapes.charge(disputed=True))
    world.save(shapes.charge("ch_new", created=world.now_s))
    api = Api(world, KEYS, Faults(1, Rates(stale_reads=1.0)))

    def read(path: str) -> Any:
        headers = {"Authorization": f"Bearer {FULL}"}
        return api.answer(Request("GET", path, (), headers)).json

    stale = read("/v1/charges/ch_1")
    listed = read("/v1/charges")
    unheard = read("/v1/charges/ch_new")
    world.clock.advance(60_001)

    assert stale["disputed"] is False
    assert [each["id"] for each in listed["data"]] == CHARGES
    assert unheard["id"] == "ch_new"
    assert read("/v1/charges/ch_1")["disputed"] is True
    assert [each["id"] for each in read("/v1/charges")["data"]] == ["ch_new", *CHARGES]
