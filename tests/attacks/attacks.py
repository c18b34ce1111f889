"""Which payments lie about themselves, by mistake or on purpose? None of them may make an invoice paid."""

from collections.abc import Sequence

from reconciler.simulator import checkout
from reconciler.simulator.world import World
from tests.attacks.plays import Case, Row, by_link, card, invoice


def _one_cent(world: World) -> Sequence[Row]:
    card(world, 1, invoice_id="INV-1")
    return [invoice("1", 500_000)]


def _many_cents(world: World) -> Sequence[Row]:
    for _ in range(3):
        card(world, 1, invoice_id="INV-1")
    return [invoice("1", 500_000)]


def _in(paid: str, billed: str, amount: int) -> Case:
    """The right number in another currency, in which it is worth something else."""

    def pays(world: World) -> Sequence[Row]:
        card(world, amount, paid, invoice_id="INV-1")
        return [invoice("1", amount, currency=billed)]

    return Case(
        play=pays,
        words={"1": ("open", "review")},
        asks={"wrong_currency": [f"{amount} {paid}"]},
        parts={"1": [amount]},
    )


def _by_link_in_yen(world: World) -> Sequence[Row]:
    by_link(world, 5_000, currency="jpy", client_reference_id="INV-1")
    return [invoice("1", 5_000, currency="usd")]


def _names_two(world: World) -> Sequence[Row]:
    card(world, 5_000, invoice_id="INV-1", order_id="INV-2")
    return [invoice("1", 5_000), invoice("2", 5_000)]


def _names_both_in_one_value(world: World) -> Sequence[Row]:
    card(world, 5_000, invoice_id="INV-1,INV-2")
    return [invoice("1", 5_000), invoice("2", 5_000)]


def _stored_id_of_another(world: World) -> Sequence[Row]:
    paid = card(world, 5_000, invoice_id="INV-2")
    return [invoice("1", 5_000, stripe_payment_intent_id=paid), invoice("2", 5_000)]


def _stored_on_two(world: World) -> Sequence[Row]:
    paid = card(world, 5_000)
    return [invoice(each, 5_000, stripe_payment_intent_id=paid) for each in ("1", "2")]


def _stored_on_two_a_cent_short(world: World) -> Sequence[Row]:
    paid = card(world, 9_999)
    return [invoice(each, 5_000, stripe_payment_intent_id=paid) for each in ("1", "2")]


def _stored_beside_a_credit(world: World) -> Sequence[Row]:
    paid = card(world, 1_000)
    dues = {"1": 5_000, "2": -4_000}
    return [invoice(each, due, stripe_payment_intent_id=paid) for each, due in dues.items()]


def _stored_on_two_of_two_currencies(world: World) -> Sequence[Row]:
    paid = card(world, 5_000)
    kept = {"stripe_payment_intent_id": paid}
    return [invoice("1", 2_000, **kept), invoice("2", 3_000, currency="usd", **kept)]


def _link_paid_twice(world: World) -> Sequence[Row]:
    link = checkout.make_link(world, "eur")
    by_link(world, 5_000, link)
    by_link(world, 5_000, link)
    return [invoice("1", 5_000, stripe_payment_link_id=link)]


def _stranger_pays_less(world: World) -> Sequence[Row]:
    by_link(world, 100, client_reference_id="INV-1")
    return [invoice("1", 5_000)]


def _stranger_pays_more(world: World) -> Sequence[Row]:
    by_link(world, 5_001, client_reference_id="INV-1")
    return [invoice("1", 5_000)]


def _stranger_pays_again(world: World) -> Sequence[Row]:
    card(world, 5_000, invoice_id="INV-1")
    by_link(world, 5_000, client_reference_id="INV-1")
    return [invoice("1", 5_000)]


def _stranger_names_another(world: World) -> Sequence[Row]:
    link = checkout.make_link(world, "eur")
    by_link(world, 5_000, link, client_reference_id="INV-2")
    return [invoice("1", 5_000, stripe_payment_link_id=link), invoice("2", 5_000)]


def _stranger_names_a_paid_one(world: World) -> Sequence[Row]:
    card(world, 5_000, invoice_id="INV-2")
    return _stranger_names_another(world)


def _stranger_names_another_than_we(world: World) -> Sequence[Row]:
    card(world, 5_000, invoice_id="INV-2")
    by_link(world, 5_000, metadata={"invoice_id": "INV-1"}, client_reference_id="INV-2")
    return [invoice("1", 5_000), invoice("2", 5_000)]


def _stranger_pays_nothing(world: World) -> Sequence[Row]:
    session = checkout.open_session(
        world, amount=0, currency="eur", client_reference_id="INV-1", payment_link="plink_free"
    )
    checkout.complete(world, session, "no_payment_required")
    return [invoice("1", 5_000)]


ATTACKS = {
    "a cent for a large invoice": Case(
        play=_one_cent,
        words={"1": ("open", "partially_paid")},
        asks={"underpaid": ["-499999 eur"]},
        parts={"1": [1]},
    ),
    "cents again and again": Case(
        play=_many_cents,
        words={"1": ("open", "partially_paid")},
        asks={"underpaid": ["-499997 eur"]},
        parts={"1": [1, 1, 1]},
    ),
    "yen for dollars": _in("jpy", "usd", 5_000),
    "dollars for yen": _in("usd", "jpy", 5_000),
    "yen for dinars": _in("jpy", "kwd", 5_000),
    "dinars for dollars": _in("kwd", "usd", 5_000),
    "euros for dollars": _in("eur", "usd", 5_000),
    "yen for dollars by a link": Case(
        play=_by_link_in_yen,
        words={"1": ("open", None)},
        asks={"unmatched_payment": ["5000 jpy"]},
        parts={"1": []},
    ),
    "metadata that names two": Case(
        play=_names_two,
        words={"1": ("open", "review"), "2": ("open", "review")},
        asks={"conflicting_references": ["5000 eur"]},
        parts={"1": [], "2": []},
    ),
    "metadata that names two in one value": Case(
        play=_names_both_in_one_value,
        words={"1": ("open", None), "2": ("open", None)},
        asks={"unmatched_payment": ["5000 eur"]},
    ),
    "a stored id against metadata": Case(
        play=_stored_id_of_another,
        words={"1": ("open", "review"), "2": ("open", "review")},
        asks={"conflicting_references": ["5000 eur"]},
        parts={"1": [], "2": []},
    ),
    "one id on two invoices": Case(
        play=_stored_on_two,
        words={"1": ("open", "review"), "2": ("open", "review")},
        asks={"conflicting_references": ["5000 eur"]},
        parts={"1": [], "2": []},
    ),
    "one id on two invoices, a cent short": Case(
        play=_stored_on_two_a_cent_short,
        words={"1": ("open", "review"), "2": ("open", "review")},
        asks={"conflicting_references": ["9999 eur"]},
        parts={"1": [], "2": []},
    ),
    "one id on two invoices of two currencies": Case(
        play=_stored_on_two_of_two_currencies,
        words={"1": ("open", "review"), "2": ("open", "review")},
        asks={"conflicting_references": ["5000 eur"]},
        parts={"1": [], "2": []},
    ),
    "one id on an invoice and a credit that make up for it": Case(
        play=_stored_beside_a_credit,
        words={"1": ("open", "review"), "2": ("open", None)},
        asks={"conflicting_references": ["1000 eur"]},
        parts={"1": [], "2": []},
    ),
    "a Payment Link paid twice": Case(
        play=_link_paid_twice,
        words={"1": ("paid", "overpaid")},
        asks={"second_payment": ["5000 eur"]},
        parts={"1": [5_000, 5_000]},
    ),
    "a stranger pays less": Case(
        play=_stranger_pays_less,
        words={"1": ("open", None)},
        asks={"unmatched_payment": ["100 eur"]},
        parts={"1": []},
    ),
    "a stranger pays more": Case(
        play=_stranger_pays_more,
        words={"1": ("open", None)},
        asks={"unmatched_payment": ["5001 eur"]},
        parts={"1": []},
    ),
    "a stranger pays what is paid": Case(
        play=_stranger_pays_again,
        words={"1": ("paid", "overpaid")},
        asks={"second_payment": ["5000 eur"]},
        parts={"1": [5_000, 5_000]},
    ),
    "a stranger names another's invoice": Case(
        play=_stranger_names_another,
        words={"1": ("open", "unpaid"), "2": ("open", None)},
        asks={"conflicting_references": ["5000 eur"]},
        parts={"1": [], "2": []},
    ),
    "a stranger names an invoice that another has paid": Case(
        play=_stranger_names_a_paid_one,
        words={"1": ("open", "unpaid"), "2": ("paid", "paid")},
        asks={"conflicting_references": ["5000 eur"]},
        parts={"1": [], "2": [5_000]},
    ),
    "a stranger names another's invoice than our metadata": Case(
        play=_stranger_names_another_than_we,
        words={"1": ("open", "review"), "2": ("paid", "paid")},
        asks={"conflicting_references": ["5000 eur"]},
        parts={"1": [], "2": [5_000]},
    ),
    "a stranger's free Session names a bill": Case(
        play=_stranger_pays_nothing, words={"1": ("open", "unpaid")}, parts={"1": []}
    ),
}
