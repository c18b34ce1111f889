"""Where does honest money go whose names are few, shared, many, alike or edited?"""

from collections.abc import Callable, Sequence

from reconciler.simulator import checkout, returns, till
from reconciler.simulator.world import World
from tests.attacks.plays import Case, Row, by_link, card, invoice
from tests.core.builders import LOOK_ALIKES


def _by_reference(amount: int, currency: str) -> Callable[[World], Sequence[Row]]:
    def pays(world: World) -> Sequence[Row]:
        by_link(world, amount, currency=currency, client_reference_id="INV-1")
        return [invoice("1", amount, currency=currency)]

    return pays


def _shared_link(world: World) -> Sequence[Row]:
    link = checkout.make_link(world, "eur")
    by_link(world, 5_000, link)
    return [invoice(each, 5_000, stripe_payment_link_id=link) for each in ("1", "2", "3")]


def _shared_link_with_references(world: World) -> Sequence[Row]:
    link = checkout.make_link(world, "eur")
    by_link(world, 5_000, link, client_reference_id="INV-1")
    by_link(world, 5_000, link, client_reference_id="INV-2")
    return [invoice(each, 5_000, stripe_payment_link_id=link) for each in ("1", "2", "3")]


def _one_for_two(world: World) -> Sequence[Row]:
    paid = card(world, 5_000)
    dues = {"1": 2_000, "2": 3_000}
    return [invoice(each, due, stripe_payment_intent_id=paid) for each, due in dues.items()]


def _one_for_two_named_by_intent_and_session(world: World) -> Sequence[Row]:
    session = checkout.open_session(world, amount=5_000, currency="eur")
    paid = checkout.begin_payment(world, session, "ada@example.org")
    world.clock.advance(2_000)
    till.succeed(world, paid)
    checkout.complete(world, session)
    return [
        invoice("1", 2_000, stripe_payment_intent_id=paid),
        invoice("2", 3_000, stripe_checkout_session_id=session),
    ]


def _one_for_two_refunded(world: World) -> Sequence[Row]:
    paid = card(world, 5_000)
    returns.refund(world, paid, 1_000)
    dues = {"1": 2_000, "2": 3_000}
    return [invoice(each, due, stripe_payment_intent_id=paid) for each, due in dues.items()]


def _in_two_parts(world: World) -> Sequence[Row]:
    card(world, 2_000, invoice_id="INV-1")
    card(world, 3_000, invoice_id="1")
    return [invoice("1", 5_000)]


def _a_part_and_the_whole(world: World) -> Sequence[Row]:
    card(world, 2_000, invoice_id="INV-1")
    card(world, 5_000, invoice_id="INV-1")
    return [invoice("1", 5_000)]


def _declined_and_paid_by_another(world: World) -> Sequence[Row]:
    given_up = till.make_intent(
        world, amount=5_000, currency="eur", metadata={"invoice_id": "INV-1"}
    )
    till.fail(world, given_up)
    card(world, 5_000, invoice_id="INV-1")
    till.cancel(world, given_up)
    return [invoice("1", 5_000)]


def _look_alikes(world: World) -> Sequence[Row]:
    for value in LOOK_ALIKES:
        card(world, 5_000, invoice_id=value)
    return [invoice("1", 5_000)]


def _number_of_one_and_id_of_another(world: World) -> Sequence[Row]:
    card(world, 5_000, invoice_id="7")
    return [invoice("7", 5_000), invoice("8", 5_000, number="7")]


def _number_of_two(world: World) -> Sequence[Row]:
    card(world, 5_000, invoice_id="INV-7")
    return [invoice(each, 5_000, number="INV-7") for each in ("1", "2")]


def _metadata_corrected_in_time(world: World) -> Sequence[Row]:
    paid = till.make_intent(world, amount=5_000, currency="eur", metadata={"invoice_id": "INV-2"})
    world.clock.advance(2_000)
    till.edit(world, paid, metadata={"invoice_id": "INV-1"})
    till.succeed(world, paid)
    return [invoice("1", 5_000), invoice("2", 5_000)]


ALIKE = Case(
    play=_look_alikes,
    words={"1": ("open", None)},
    asks={"unmatched_payment": ["5000 eur"] * len(LOOK_ALIKES)},
    parts={"1": []},
)


def _unmatched(play: Callable[[World], Sequence[Row]], *ids: str) -> Case:
    """5,000 that belong to none of these invoices, and of which a person is asked."""
    return Case(
        play=play,
        words=dict.fromkeys(ids, ("open", None)),
        asks={"unmatched_payment": ["5000 eur"]},
        parts={each: [] for each in ids},
    )


def _paid(play: Callable[[World], Sequence[Row]], **parts: list[int]) -> Case:
    """Every invoice is paid by these parts, and nobody is asked."""
    named = {each.removeprefix("of_"): amounts for each, amounts in parts.items()}
    return Case(play=play, words=dict.fromkeys(named, ("paid", "paid")), parts=named)


EDGES = {
    "a payer's reference that the money bears out": _paid(
        _by_reference(5_000, "eur"), of_1=[5_000]
    ),
    "a payer's reference in yen": _paid(_by_reference(5_000, "jpy"), of_1=[5_000]),
    "a payer's reference in dinars": _paid(_by_reference(5_010, "kwd"), of_1=[5_010]),
    "a Payment Link of three invoices": Case(
        play=_shared_link,
        words=dict.fromkeys(("1", "2", "3"), ("open", "unpaid")),
        asks={"unmatched_payment": ["5000 eur"]},
        parts={"1": [], "2": [], "3": []},
    ),
    "a Payment Link of three invoices, and a reference": Case(
        play=_shared_link_with_references,
        words={"1": ("paid", "paid"), "2": ("paid", "paid"), "3": ("open", "unpaid")},
        parts={"1": [5_000], "2": [5_000], "3": []},
    ),
    "one payment for two invoices": _paid(_one_for_two, of_1=[2_000], of_2=[3_000]),
    "one payment for two invoices, by PaymentIntent and Session": _paid(
        _one_for_two_named_by_intent_and_session, of_1=[2_000], of_2=[3_000]
    ),
    "one payment for two invoices, partly given back": Case(
        play=_one_for_two_refunded,
        words=dict.fromkeys(("1", "2"), ("paid", "partially_refunded")),
        parts={"1": [2_000], "2": [3_000]},
    ),
    "two payments for one invoice": _paid(_in_two_parts, of_1=[2_000, 3_000]),
    "a part and then the whole": Case(
        play=_a_part_and_the_whole,
        words={"1": ("paid", "overpaid")},
        asks={"second_payment": ["2000 eur"]},
        parts={"1": [2_000, 5_000]},
    ),
    "one PaymentIntent declined, another paid": _paid(_declined_and_paid_by_another, of_1=[0, 5_000]),
    "an id that is another's number": _unmatched(_number_of_one_and_id_of_another, "7", "8"),
    "a number of two invoices": _unmatched(_number_of_two, "1", "2"),
    "metadata corrected before payment": Case(
        play=_metadata_corrected_in_time,
        words={"1": ("paid", "paid")},
        parts={"1": [5_000], "2": []},
    ),
}  # fmt: skip
