"""Whether webhooks go out as Stripe sends them: signed, repeated until accepted, and struck by the seeded faults.

The receiver is the reconciler's own: the check of signatures and the reader of events.
"""

import socket
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from reconciler.simulator.clock import Clock
from reconciler.simulator.delivery import RETRY_FIRST_MS, Deliveries, post_to
from reconciler.simulator.faults import Faults, Mishap, Rates
from reconciler.simulator.world import World
from reconciler.stripe_api.envelope import StripeEvent, read_event
from reconciler.stripe_api.signature import BadSignature, verify
from reconciler.stripe_api.translate import Outcome, Vocabulary, translate
from tests.stripe_api import shapes

NEW, OLD, OTHER = "whsec_new", "whsec_old", "whsec_other"
OURS_S = 1_795_000_000.5
T0_MS = shapes.T0_S * 1000


@dataclass
class Receiver:
    """An endpoint that checks and reads what it gets; it answers with the next of some statuses, then with 200."""

    secret: str = NEW
    answers: list[int] = field(default_factory=list)
    events: list[StripeEvent] = field(default_factory=list)

    def receive(self, body: bytes, headers: Mapping[str, str]) -> int:
        """Take one delivery; a status of 0 stands for a connection that fails."""
        now = datetime.fromtimestamp(OURS_S, UTC)
        verify(body, headers["Stripe-Signature"], [self.secret], now=now, tolerance_s=1)
        status = self.answers.pop(0) if self.answers else 200
        if status == 0:
            raise ConnectionRefusedError
        self.events.append(read_event(body))
        return status


def new_world() -> World:
    """Build an empty world that stands still."""
    return World(seed=1, clock=Clock(T0_MS))


def deliveries(
    world: World,
    receiver: Receiver,
    rates: Rates | None = None,
    *,
    seed: int = 1,
    **options: object,
) -> Deliveries:
    """Build deliveries to a receiver, signed at our real time."""
    settings = {"secret": NEW, "our_now_s": lambda: OURS_S} | options
    return Deliveries(world, Faults(seed, rates), receiver.receive, **settings)  # type: ignore[arg-type]


def pay(world: World, count: int = 1) -> list[str]:
    """Let some payments succeed, a second apart; return the ids of the events that the story made."""
    made = []
    for n in range(count):
        intent = world.save(shapes.payment_intent(f"pi_{n}"))
        made.append(world.emit("payment_intent.succeeded", intent)["id"])
        world.clock.advance(1000)
    return made


def deliver_all(world: World, sent: Deliveries) -> None:
    """Leap from sending to sending until nothing is due any more."""
    while (due_ms := sent.due_ms()) is not None:
        sent.deliver(world.clock.reach(due_ms))


def test_it_sends_each_event_once_and_in_order_when_all_is_well() -> None:
    """What arrives is what the world made, signed and readable, and no longer pending."""
    world, receiver = new_world(), Receiver()
    sent = deliveries(world, receiver)
    made = pay(world, 3)

    count = sent.deliver(world.clock.now_ms())

    assert (count, sent.due_ms()) == (3, None)
    assert [each.id for each in receiver.events] == made
    assert [each.type for each in receiver.events] == ["payment_intent.succeeded"] * 3
    assert [each.event["pending_webhooks"] for each in world.happenings] == [0, 0, 0]
    assert [sent.fate[each].delivered_ms for each in made] == [(T0_MS + 3000,)] * 3


def test_it_waits_until_an_event_is_due() -> None:
    """Nothing goes out before its time."""
    world, receiver = new_world(), Receiver()
    sent = deliveries(world, receiver, Rates(late=1))
    pay(world)
    due_ms = sent.due_ms()
    assert due_ms is not None

    assert sent.deliver(due_ms - 1) == 0
    assert sent.deliver(due_ms) == 1


@pytest.mark.parametrize(
    ("secrets", "knows", "is_accepted"),
    [
        (NEW, NEW, True),
        ((NEW, OLD), NEW, True),
        ((NEW, OLD), OLD, True),
        ((NEW, OLD), OTHER, False),
    ],
)
def test_it_signs_with_every_secret(
    secrets: str | tuple[str, ...], knows: str, is_accepted: bool
) -> None:
    """While a secret is rolled, whoever knows one of the two accepts."""
    world, receiver = new_world(), Receiver(secret=knows)
    sent = deliveries(world, receiver, secret=secrets)
    pay(world)

    if is_accepted:
        sent.deliver(world.clock.now_ms())
        assert len(receiver.events) == 1
    else:
        with pytest.raises(BadSignature, match="mismatch"):
            sent.deliver(world.clock.now_ms())


@pytest.mark.parametrize("failures", [[500], [0], [302, 0, 404]])
def test_it_tries_again_until_somebody_accepts(failures: list[int]) -> None:
    """Every answer but 2xx, and none at all, leads to another try after a pause twice as long."""
    world, receiver = new_world(), Receiver(answers=list(failures))
    sent = deliveries(world, receiver)
    (event_id,) = pay(world)
    pauses_s = []

    sent.deliver(world.clock.now_ms())
    while (due_ms := sent.due_ms()) is not None:
        pauses_s.append((due_ms - world.clock.now_ms()) / RETRY_FIRST_MS)
        sent.deliver(world.clock.reach(due_ms))

    assert pauses_s == [2**n for n in range(len(failures))]
    assert sent.fate[event_id].tries == len(failures) + 1
    assert sent.fate[event_id].delivered_ms == (world.clock.now_ms(),)
    assert not sent.fate[event_id].is_lost


def test_it_gives_up_after_so_many_tries() -> None:
    """An endpoint that never accepts loses the event, which stays pending."""
    world, receiver = new_world(), Receiver(answers=[500] * 99)
    sent = deliveries(world, receiver, retries=3)
    (event_id,) = pay(world)

    deliver_all(world, sent)

    fate = sent.fate[event_id]
    assert (fate.tries, fate.delivered_ms, fate.is_given_up, fate.is_lost) == (4, (), True, True)
    assert world.happenings[0].event["pending_webhooks"] == 1


def test_it_is_not_lost_if_one_of_its_duplicates_arrived() -> None:
    """Giving up on a duplicate does not undo what was accepted."""
    world, receiver = new_world(), Receiver(answers=[200, *[500] * 9])
    sent = deliveries(world, receiver, Rates(duplicated=1), retries=1)
    (event_id,) = pay(world)

    deliver_all(world, sent)

    assert sent.fate[event_id].tries > 2
    assert not sent.fate[event_id].is_lost


def test_it_keeps_the_order_of_events_of_one_moment() -> None:
    """What was made first goes out first, also within a millisecond."""
    world, receiver = new_world(), Receiver()
    sent = deliveries(world, receiver)
    charge = world.save(shapes.charge())
    made = [world.emit("charge.updated", charge)["id"] for _ in range(20)]

    sent.deliver(world.clock.now_ms())

    assert [each.id for each in receiver.events] == made


def test_it_never_sends_what_is_lost() -> None:
    """A lost webhook is not even tried, and its fate says so."""
    world, receiver = new_world(), Receiver()
    sent = deliveries(world, receiver, Rates(lost=1))
    (event_id,) = pay(world)

    assert sent.due_ms() is None
    assert sent.fate[event_id].is_lost
    assert sent.fate[event_id].mishaps == {Mishap.LOST}


def test_it_sends_duplicates_of_the_same_event() -> None:
    """The same id arrives two or three times."""
    world, receiver = new_world(), Receiver()
    sent = deliveries(world, receiver, Rates(duplicated=1))
    made = pay(world, 20)

    deliver_all(world, sent)

    arrived = [each.id for each in receiver.events]
    assert {arrived.count(each) for each in made} == {2, 3}
    assert all(len(sent.fate[each].delivered_ms) == arrived.count(each) for each in made)


def test_it_lets_events_overtake_each_other() -> None:
    """All arrive, in another order than they were made in."""
    world, receiver = new_world(), Receiver()
    sent = deliveries(world, receiver, Rates(reordered=0.5))
    made = pay(world, 20)

    deliver_all(world, sent)

    arrived = [each.id for each in receiver.events]
    assert arrived != made
    assert sorted(arrived) == sorted(made)


def test_it_gives_an_event_one_twin() -> None:
    """A second Event about the same change is on the list and is sent as well; it has no twin of its own."""
    world, receiver = new_world(), Receiver()
    sent = deliveries(world, receiver, Rates(twins=1))
    (event_id,) = pay(world)

    deliver_all(world, sent)

    first, twin = (each.event for each in world.happenings)
    assert first | {"id": twin["id"]} == twin
    assert first["id"] == event_id != twin["id"]
    assert {each.id for each in receiver.events} == {first["id"], twin["id"]}
    assert sent.fate[twin["id"]].twin_of == event_id


def test_it_sends_the_shape_of_the_endpoints_version() -> None:
    """An endpoint of an older API version gets older events; the list still has today's."""
    world, receiver = new_world(), Receiver()
    sent = deliveries(world, receiver, api_version="2019-05-16")
    pay(world)

    sent.deliver(world.clock.now_ms())

    assert receiver.events[0].api_version == "2019-05-16"
    assert "charges" in receiver.events[0].object
    assert "charges" not in world.happenings[0].event["data"]["object"]


@pytest.mark.parametrize(
    "obj",
    [
        shapes.payment_intent(),
        shapes.charge(),
        shapes.refund(),
        shapes.dispute(),
        shapes.checkout_session(),
    ],
    ids=lambda obj: obj["object"],
)
def test_it_sends_thin_events_that_name_their_object(obj: shapes.Json) -> None:
    """A thin event of each kind is read, and leads to a read of the object."""
    world, receiver = new_world(), Receiver()
    sent = deliveries(world, receiver, thin_rate=1.0)
    snapshot = world.emit("some.change", world.save(obj))

    sent.deliver(world.clock.now_ms())

    (event,) = receiver.events
    assert (event.thin, event.type, event.created_ms) == (True, "v1.some.change", T0_MS)
    assert event.related == (obj["object"], obj["id"])
    assert event.id != snapshot["id"]
    assert translate(event, Vocabulary()).outcome is Outcome.DEFERRED
    assert sent.fate[snapshot["id"]].delivered_ms == (T0_MS,)


def journal(seed: int) -> list[tuple[str, int]]:
    """Play one story with all faults at once; return what arrived and when."""
    world, arrived = new_world(), []
    rates = Rates(lost=0.2, late=0.2, duplicated=0.3, reordered=0.3, twins=0.2)

    def send(body: bytes, _headers: Mapping[str, str]) -> int:
        arrived.append((read_event(body).id, world.clock.now_ms()))
        return 500 if len(arrived) % 3 == 0 else 200

    sent = Deliveries(world, Faults(seed, rates), send, secret=NEW, thin_rate=0.2)
    pay(world, 30)
    deliver_all(world, sent)
    return arrived


def test_it_delivers_the_same_from_the_same_seeds() -> None:
    """Two runs are one, down to the ids of twins and the moments; another seed is another run."""
    assert journal(5) == journal(5) != journal(6)


def test_it_leaves_the_story_as_it_is() -> None:
    """Other faults do not change what the world draws: its ids are the same with twins and without."""
    calm, struck = new_world(), new_world()
    deliveries(calm, Receiver())
    deliveries(struck, Receiver(), Rates(twins=0.5, lost=0.5))

    assert pay(calm, 20) == pay(struck, 20)


class Door(BaseHTTPRequestHandler):
    """A web server that moves everybody on."""

    def do_POST(self) -> None:
        """Answer with a redirect."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(302)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_it_posts_over_a_real_socket() -> None:
    """The status is that of the first answer: a redirect is not followed."""
    with HTTPServer(("127.0.0.1", 0), Door) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        status = post_to(f"http://127.0.0.1:{server.server_port}/hook", timeout_s=5)(
            b"{}", {"A": "b"}
        )
        thread.join()

    assert status == 302


def test_it_says_plainly_that_nobody_answered() -> None:
    """A refused connection, silence and nonsense are all an OSError."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with pytest.raises(OSError, match="timed out"):
            post_to(f"http://127.0.0.1:{silent.getsockname()[1]}/", timeout_s=0.05)(b"{}", {})
        port = silent.getsockname()[1]

    with pytest.raises(ConnectionRefusedError):
        post_to(f"http://127.0.0.1:{port}/", timeout_s=5)(b"{}", {})

    with socket.create_server(("127.0.0.1", 0)) as odd:
        thread = threading.Thread(target=_answer_nonsense, args=(odd,))
        thread.start()
        with pytest.raises(ConnectionError):
            post_to(f"http://127.0.0.1:{odd.getsockname()[1]}/", timeout_s=5)(b"{}", {})
        thread.join()


def _answer_nonsense(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(b"nonsense\r\n\r\n")
