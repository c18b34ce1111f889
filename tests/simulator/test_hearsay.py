"""Does the simulator tell what somebody can't know who heard only some of the events?"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from fnmatch import fnmatchcase

import pytest
from sqlalchemy import select

from reconciler.apply import apply_payment_state
from reconciler.core.drift import compare
from reconciler.core.known import books
from reconciler.core.observation import Source, Span, moment
from reconciler.core.payment import Book
from reconciler.db import facts, tables
from reconciler.db.session import Database
from reconciler.simulator import returns, till
from reconciler.simulator.api import Api, Key, Request
from reconciler.simulator.hearsay import Difference, for_a_person, unheard
from reconciler.simulator.stories import STORIES
from reconciler.simulator.world import AppInvoice, Json, World
from reconciler.stripe_api.translate import Vocabulary, observe_object
from tests.journeys.months import MARCH, Shop, shop
from tests.simulator.app import new_world, told

LISTS = {
    "balance_transactions": ("data.source",),
    "payment_intents": (),
    "checkout/sessions": (),
    # Of a hold that was given up no money tells, only its charge.
    "refunds": ("data.charge",),
    "disputes": (),
}


def known_books(database: Database) -> dict[str, Book]:
    """What is known around every payment."""
    with database.reading() as tx:
        ids = list(tx.scalars(select(tables.payments.c.id)))
        return books(facts.load(tx, [], ids))


def listed(world: World) -> Iterator[Json]:
    """All that Stripe lists, expanded as far as a reader needs it."""
    api, headers = Api(world, [Key("sk_test_1")]), {"Authorization": "Bearer sk_test_1"}
    for path, expanded in LISTS.items():
        query = [("limit", "100"), *(("expand[]", each) for each in expanded)]
        after: list[tuple[str, str]] = []
        while True:
            page = api.answer(Request("GET", f"/v1/{path}", [*query, *after], headers)).json
            yield from page["data"]
            if not page["has_more"]:
                break
            after = [("starting_after", page["data"][-1]["id"])]


def read_everything(shop: Shop) -> None:
    """Read all lists into the books."""
    now_ms = shop.played.world.clock.now_ms()
    seen = [
        observation
        for obj in listed(shop.played.world)
        for observation in observe_object(
            obj,
            span=Span(now_ms, now_ms),
            evidence="read",
            vocabulary=Vocabulary(),
            is_read=True,
        )[0]
    ]
    for start in range(0, len(seen), 200):
        with shop.database.writing() as tx:
            apply_payment_state(
                tx,
                seen[start : start + 200],
                source=Source.MANUAL,
                now=moment(now_ms),
                policy=shop.inbox.policy,
            )


def paid(world: World, amount: int = 1000) -> str:
    """Let a card pay, and its money be settled; returns the PaymentIntent."""
    intent = till.make_intent(world, amount=amount, currency="eur")
    till.succeed(world, intent)
    till.settle(world, intent)
    return intent


def nothing_more(world: World) -> None:
    """A payment by card."""
    paid(world)


def refunded(world: World) -> None:
    """A payment of which a part goes back, which fails later."""
    returns.fail_refund(world, returns.refund(world, paid(world), 300))


def disputed(world: World) -> None:
    """A payment that is disputed, and the dispute lost."""
    returns.lose(world, returns.dispute(world, paid(world)))


def declined(world: World) -> None:
    """An attempt that failed."""
    till.fail(world, till.make_intent(world, amount=1000, currency="eur"))


def given_up(world: World) -> None:
    """A hold of which nothing is taken."""
    intent = till.make_intent(world, amount=900, currency="eur", capture_method="manual")
    till.authorise(world, intent)
    till.cancel(world, intent)


def captured_twice(world: World) -> None:
    """A hold of which two parts are taken, and the last is still to come."""
    intent = till.make_intent(world, amount=900, currency="eur", capture_method="manual")
    till.authorise(world, intent)
    till.capture(world, intent, 300, is_final=False)
    till.capture(world, intent, 300, is_final=False)


@pytest.mark.parametrize(
    ("tell", "lost", "expected"),
    [
        (nothing_more, "", "fee_unknown pi"),
        (nothing_more, "payment_intent.succeeded", "status_behind pi"),
        (nothing_more, "payment_intent.*", "status_behind pi"),
        (nothing_more, "payment_intent.created charge.*", "fee_unknown pi"),
        (nothing_more, "*", "missing_here pi"),
        (refunded, "", "fee_unknown pi"),
        (refunded, "*refund*", "fee_unknown pi, refund_unknown re"),
        (
            refunded,
            "refund.failed refund.updated charge.refund.*",
            "fee_unknown pi, status_behind re",
        ),
        (refunded, "refund.created", "fee_unknown pi"),
        (refunded, "*", "missing_here pi"),
        (disputed, "charge.dispute.closed", "fee_unknown pi, status_behind du"),
        (disputed, "charge.dispute.*", "dispute_unknown du, fee_unknown pi"),
        (declined, "", ""),
        (declined, "payment_intent.payment_failed", ""),
        (declined, "payment_intent.payment_failed charge.failed", "status_behind pi"),
        (declined, "payment_intent.created payment_intent.payment_failed", "status_behind pi"),
        (given_up, "", ""),
        (given_up, "charge.*", ""),
        (captured_twice, "", ""),
        (captured_twice, "last", "amount_differs pi"),
    ],
)
def test_it_tells_what_was_not_heard(
    tell: Callable[[World], None], lost: str, expected: str
) -> None:
    """What differs has a name and an id; what was told by another event as well is no difference."""
    world = new_world()
    tell(world)
    events = [each.event for each in world.happenings]
    if lost == "last":
        events = events[:-1]
    heard = [
        each["id"]
        for each in events
        if not any(fnmatchcase(each["type"], pattern) for pattern in lost.split())
    ]

    found = unheard(world, heard)

    assert ", ".join(sorted(f"{kind} {id_[:2]}" for kind, id_ in found)) == expected


def billed(world: World, amount_due: int, *paying: int) -> None:
    """An invoice that some payments are for."""
    world.put_invoice(AppInvoice(id="1", number="INV-1", currency="eur", amount_due=amount_due))
    for each in paying:
        world.meant[paid(world, each)] = "1"


@pytest.mark.parametrize(
    ("due", "paying", "expected"),
    [
        (1000, (1000,), []),
        (1000, (), []),
        (1000, (400,), ["underpaid"]),
        (1000, (1000, 1000), ["second_payment"]),
        (1000, (1000, 100), ["second_payment"]),
        (1000, (600, 600), ["overpaid"]),
        (1000, (1100,), ["overpaid"]),
    ],
)
def test_it_tells_what_a_person_must_look_at(
    due: int, paying: tuple[int, ...], expected: list[str]
) -> None:
    """Too little and too much are told of the invoice; a payment without which it is covered is a second one."""
    world = new_world()
    billed(world, due, *paying)

    assert for_a_person(world, []) == [Difference(kind, "1") for kind in expected]


def test_it_tells_of_money_that_is_nobodys() -> None:
    """Money that names no invoice is told; what two invoices claim is another matter."""
    world = new_world()
    nameless, claimed = paid(world), paid(world)
    world.claimed[claimed] = []

    assert for_a_person(world, []) == [Difference("unmatched", nameless)]


@pytest.mark.parametrize(
    ("heard", "renamed"),
    [("*", False), ("payment_intent.created", False), ("charge.*", True), ("", True)],
)
def test_it_tells_of_a_name_that_nobody_has_heard(heard: str, renamed: bool) -> None:
    """Whoever heard no event with the name that a payment had when it was paid can't know whose it is."""
    world, scene = told(STORIES["metadata_edited"])
    (intent,) = (each["id"] for each in world.rows("payment_intent"))
    events = [each.event for each in world.happenings]

    found = for_a_person(world, [e["id"] for e in events if fnmatchcase(e["type"], heard)])

    assert scene.invoices
    assert found == ([Difference("unmatched", intent)] if renamed else [])


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_it_tells_the_differences_that_the_core_finds(database: Database) -> None:
    """What a month's lists tell beyond the webhooks that came is, thing by thing, what the simulator says nobody heard."""
    with shop(database, replace(MARCH, payments=25)) as opened:
        before = known_books(database)

        read_everything(opened)

        found = Counter(
            Difference(each.kind.value, each.subject)
            for id_, book in known_books(database).items()
            for each in compare(before.get(id_), book)
        )
        assert set(found) == opened.unheard()
        assert set(found.values()) == {1}
