"""Whether the real Stripe library, over real sockets, takes the simulated Stripe for the real one."""

import http.client
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import stripe

from reconciler.simulator.api import Answer, Api, Key, Request
from reconciler.simulator.clock import Clock
from reconciler.simulator.faults import Fault, FaultKind, Faults
from reconciler.simulator.server import SimulatedStripe
from reconciler.simulator.world import World
from tests.stripe_api import shapes

SECRET = "sk_test_full"
NARROW = "rk_test_narrow"


@dataclass
class Served:
    """A served Stripe that the whole file shares: nothing here changes its objects."""

    faults: Faults
    base_url: str

    def client(self, key: str = SECRET, *, timeout_s: float = 5.0) -> stripe.StripeClient:
        """Build a client as the reconciler would, without any retries of its own."""
        return stripe.StripeClient(
            key,
            base_addresses={"api": self.base_url},
            max_network_retries=0,
            http_client=stripe.RequestsClient(timeout=timeout_s),
        )


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """Serve a world with a paid PaymentIntent and 25 events."""
    world = World(seed=1, clock=Clock(shapes.T0_S * 1000))
    paid = shapes.charge()
    intent = world.save(shapes.payment_intent(charges=[paid]))
    for obj in (paid, shapes.refund(), shapes.balance_transaction(), shapes.checkout_session()):
        world.save(obj)
    for _ in range(25):
        world.emit("payment_intent.succeeded", intent)
        world.clock.advance(1000)
    faults = Faults()
    was_on, stripe.enable_telemetry = stripe.enable_telemetry, False
    with SimulatedStripe(
        Api(world, [Key(SECRET), Key(NARROW, frozenset({"event"}))], faults)
    ) as it:
        yield Served(faults, it.base_url)
    stripe.enable_telemetry = was_on


Read = Callable[[stripe.StripeClient], Any]


@pytest.mark.parametrize(
    ("read", "expected"),
    [
        (lambda c: c.v1.payment_intents.retrieve("pi_1").latest_charge, "ch_1"),
        (
            lambda c: (
                c.v1.payment_intents.retrieve(
                    "pi_1", {"expand": ["latest_charge.balance_transaction"]}
                ).latest_charge.balance_transaction.id
            ),
            "txn_1",
        ),
        (
            lambda c: (
                c.v1.charges.list({"payment_intent": "pi_1", "expand": ["data.refunds"]})
                .data[0]
                .refunds.data[0]
                .id
            ),
            "re_1",
        ),
        (lambda c: c.v1.checkout.sessions.list({"status": "complete"}).data[0].id, "cs_test_1"),
        (lambda c: c.v1.charges.list({"created": {"gt": shapes.T0_S + 5}}).data, []),
        (lambda c: len(c.v1.events.list({"types": ["charge.*", "payment_intent.*"]}).data), 10),
        (lambda c: len(list(c.v1.events.list({"limit": 7}).auto_paging_iter())), 25),
        (lambda c: c.v1.events.list({"limit": 1}).data[0].created, shapes.T0_S + 24),
        (lambda c: c.v1.events.list().data[0].data.object.id, "pi_1"),
        (
            lambda c: c.raw_request(
                "get", "/v1/payment_intents/pi_1", stripe_version="2019-05-16"
            ).data["charges"]["data"][0]["id"],
            "ch_1",
        ),
    ],
)
def test_it_is_read_by_the_real_library(served: Served, read: Read, expected: object) -> None:
    """Objects, lists, filters, expansion, paging and versions work through Stripe's own client."""
    assert read(served.client()) == expected


def test_it_pages_backwards_from_the_oldest(served: Served) -> None:
    """The library's own paging with `ending_before` yields the oldest first."""
    client = served.client()
    newest_first = [each.id for each in client.v1.events.list({"limit": 100}).data]

    pages = client.v1.events.list({"ending_before": newest_first[-1], "limit": 7})

    assert [each.id for each in pages.auto_paging_iter()] == newest_first[-2::-1]


@pytest.mark.parametrize(
    ("key", "read", "error", "status", "code"),
    [
        (
            SECRET,
            lambda c: c.v1.refunds.retrieve("re_x"),
            stripe.InvalidRequestError,
            404,
            "resource_missing",
        ),
        (
            SECRET,
            lambda c: c.v1.events.list({"limit": 500}),
            stripe.InvalidRequestError,
            400,
            None,
        ),
        (
            SECRET,
            lambda c: c.raw_request("get", "/v1/charges?limit="),
            stripe.InvalidRequestError,
            400,
            "parameter_invalid_integer",
        ),
        (
            "sk_test_no",
            lambda c: c.v1.events.list(),
            stripe.AuthenticationError,
            401,
            None,
        ),
        (NARROW, lambda c: c.v1.charges.list(), stripe.PermissionError, 403, None),
        (
            SECRET,
            lambda c: c.v1.refunds.create({"charge": "ch_1"}),
            stripe.InvalidRequestError,
            404,
            None,
        ),
    ],
)
def test_it_refuses_with_errors_that_the_library_knows(
    served: Served,
    key: str,
    read: Read,
    error: type[stripe.StripeError],
    status: int,
    code: str | None,
) -> None:
    """Each refusal becomes the library's own kind of error."""
    with pytest.raises(error) as caught:
        read(served.client(key))

    assert (caught.value.http_status, caught.value.code) == (status, code)
    assert caught.value.request_id is not None


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (FaultKind.ERROR_503, stripe.APIError),
        (FaultKind.RATE_LIMITED, stripe.RateLimitError),
        (FaultKind.HTML, stripe.APIError),
        (FaultKind.CUT_BODY, stripe.APIConnectionError),
        (FaultKind.STALL, stripe.APIConnectionError),
    ],
)
def test_it_fails_as_the_library_sees_failures(
    served: Served, kind: FaultKind, error: type[stripe.StripeError]
) -> None:
    """Errors, nonsense, a body that breaks off and an answer that does not come; the next answer is good."""
    served.faults.script(Fault(kind=kind, path="/v1/charges", stall_s=0.5))
    client = served.client(timeout_s=0.2)

    with pytest.raises(error):
        client.v1.charges.list()

    assert client.v1.charges.list().data[0].id == "ch_1"


def test_it_shows_the_date_of_its_own_world(served: Served) -> None:
    """Its clock is not ours, and there is one date only."""
    answer = served.client().raw_request("get", "/v1/charges/ch_1")

    assert answer.headers["Date"] == "Mon, 21 Sep 2026 14:13:45 GMT"


class Bell:
    """An API that rings when it has been asked."""

    def __init__(self, api: Api) -> None:
        self.rung = threading.Event()
        self._api = api

    def answer(self, request: Request) -> Answer:
        """Answer, and ring."""
        answer = self._api.answer(request)
        self.rung.set()
        return answer


@dataclass
class Drip:
    """An API whose answers dribble."""

    api: Api

    def answer(self, request: Request) -> Answer:
        """Answer byte by byte."""
        return replace(self.api.answer(request), drip_s=0.0001)


def test_it_ends_at_once_even_while_it_stalls() -> None:
    """Who leaves the block does not wait for an answer that is stalled for an hour, and its reader gets it then."""
    faults = Faults()
    faults.script(Fault(kind=FaultKind.STALL, stall_s=3600))
    bell = Bell(Api(World(seed=1, clock=Clock(0)), [Key(SECRET)], faults))
    statuses: list[int] = []

    with SimulatedStripe(bell) as it:  # type: ignore[arg-type]
        address = it.base_url.removeprefix("http://")
        reader = threading.Thread(target=_read_status, args=(address, statuses))
        reader.start()
        assert bell.rung.wait(10)
    reader.join()

    assert statuses == [401]
    with pytest.raises(ConnectionRefusedError):
        _read_status(address, statuses)


def test_it_may_dribble() -> None:
    """An answer that comes byte by byte is whole in the end."""
    api = Api(World(seed=1, clock=Clock(0)), [Key(SECRET)])
    whole = api.answer(Request("GET", "/v1/charges")).body
    drip = Drip(api)

    with SimulatedStripe(drip) as it:  # type: ignore[arg-type]
        connection = http.client.HTTPConnection(it.base_url.removeprefix("http://"), timeout=20)
        connection.request("GET", "/v1/charges")
        came = connection.getresponse().read()
        connection.close()

    assert came == whole


def _read_status(address: str, statuses: list[int]) -> None:
    connection = http.client.HTTPConnection(address, timeout=20)
    try:
        connection.request("GET", "/v1/charges")
        statuses.append(connection.getresponse().status)
    finally:
        connection.close()
