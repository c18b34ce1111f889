"""Is the truth told by the rules, and by nothing that the core has written?"""

import ast
import copy
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.simulator import checkout, returns, till, truth
from reconciler.simulator.truth import InvoiceTruth, truth_of
from reconciler.simulator.world import AppInvoice, Happening, World
from tests.simulator.app import START_MS, new_world

DUE = 1000


def put(world: World, **fields: str | int) -> str:
    """Put an invoice over ten euro; returns its id."""
    given = {"id": "1", "number": "INV-1", "currency": "eur", "amount_due": DUE}
    return world.put_invoice(AppInvoice(**(given | fields))).id  # type: ignore[arg-type]


def intent(world: World, amount: int = DUE, **fields: str) -> str:
    """Make a PaymentIntent that is meant for the invoice, a minute after what was before."""
    world.clock.advance(60_000)
    id_ = till.make_intent(world, amount=amount, currency=fields.pop("currency", "eur"), **fields)
    world.meant[id_] = "1"
    return id_


def paid(world: World, amount: int = DUE, **fields: str) -> str:
    """Make a PaymentIntent, and pay it five seconds later."""
    id_ = intent(world, amount, **fields)
    world.clock.advance(5_000)
    till.succeed(world, id_)
    till.settle(world, id_)
    return id_


def end(world: World) -> InvoiceTruth:
    """The truth about the invoice."""
    return truth_of(world).invoices["1"]


def partly_refunded(world: World) -> None:
    """Two refunds, of which one fails."""
    id_ = paid(world)
    returns.refund(world, id_, 300)
    returns.fail_refund(world, returns.refund(world, id_, 200))


def refund_called_off(world: World) -> None:
    """A refund that is called off."""
    returns.cancel_refund(world, returns.refund(world, paid(world), 200, "pending"))


def lost_by_dispute(world: World) -> None:
    """A dispute that is lost."""
    returns.lose(world, returns.dispute(world, paid(world)))


def won_back(world: World) -> None:
    """A dispute that is won, in another settlement currency."""
    world.settles_in = "usd"
    dispute = returns.dispute(world, paid(world))
    returns.win(world, dispute)
    returns.reinstate(world, dispute)


def held_by_dispute(world: World) -> None:
    """A dispute that is open, in another settlement currency."""
    world.settles_in = "usd"
    returns.dispute(world, paid(world))


def hold_given_up(world: World) -> None:
    """A part of what was authorised is taken."""
    id_ = intent(world, capture_method="manual")
    till.authorise(world, id_)
    till.capture(world, id_, 400)


def paid_in_two(world: World) -> None:
    """Two payments make the sum."""
    paid(world, 400)
    paid(world, 600)


def paid_too_often(world: World) -> None:
    """Two payments of the whole."""
    paid(world)
    paid(world)


def failed_beside_paid(world: World) -> None:
    """A payment, and an attempt that fails later."""
    paid(world)
    till.fail(world, intent(world))


def strange_money(world: World) -> None:
    """Dollars for a euro invoice."""
    paid(world, currency="usd")


def strange_money_returned(world: World) -> None:
    """Dollars for a euro invoice, all given back."""
    returns.refund(world, paid(world, currency="usd"), DUE)


def nothing_asked(world: World) -> None:
    """A Session that needs no payment, for an invoice that asks for some."""
    session = checkout.open_session(world, amount=0, currency="eur")
    world.meant[session] = "1"
    checkout.complete(world, session, "no_payment_required")


@pytest.mark.parametrize(
    ("tell", "expected"),
    [
        (paid, ("paid", "paid", 1000, 0, 0, 1000)),
        (partly_refunded, ("paid", "partially_refunded", 1000, 300, 0, 700)),
        (refund_called_off, ("paid", "paid", 1000, 0, 0, 1000)),
        (lost_by_dispute, ("paid", "charged_back", 1000, 0, 1000, 0)),
        (won_back, ("paid", "paid", 1000, 0, 0, 1000)),
        (held_by_dispute, ("paid", "disputed", 1000, 0, 1000, 0)),
        (hold_given_up, ("open", "partially_paid", 400, 0, 0, 400)),
        (paid_in_two, ("paid", "paid", 1000, 0, 0, 1000)),
        (paid_too_often, ("paid", "overpaid", 2000, 0, 0, 2000)),
        (failed_beside_paid, ("paid", "paid", 1000, 0, 0, 1000)),
        (strange_money, ("open", "review", 0, 0, 0, 0)),
        (strange_money_returned, ("open", "unpaid", 0, 0, 0, 0)),
        (intent, ("open", "unpaid", 0, 0, 0, 0)),
        (lambda _: None, ("open", None, 0, 0, 0, 0)),
        (nothing_asked, ("open", None, 0, 0, 0, 0)),
    ],
)
def test_it_follows_the_money(
    tell: Callable[[World], object], expected: tuple[str, str | None, int, int, int, int]
) -> None:
    """The words and the amounts of an invoice follow from what came and went."""
    world = new_world()
    put(world)

    tell(world)

    found = end(world)
    amounts = (found.received, found.refunded, found.disputed, found.net)
    assert (found.status, found.payment_status, *amounts) == expected


@pytest.mark.parametrize(
    ("amount_due", "status", "expected"),
    [
        (0, "open", ("paid", "paid")),
        (0, "draft", ("draft", "paid")),
        (-500, "open", ("paid", "paid")),
    ],
)
def test_it_takes_a_waiver_for_payment_where_nothing_is_due(
    amount_due: int, status: str, expected: tuple[str, str]
) -> None:
    """A Session that needs no payment pays an invoice over nothing, and moves a payable word only."""
    world = new_world()
    put(world, amount_due=amount_due, status=status)

    nothing_asked(world)

    assert (end(world).status, end(world).payment_status) == expected


@pytest.mark.parametrize("status", ["draft", "void", "uncollectible", "paid", "parked"])
def test_it_leaves_the_app_its_other_words(status: str) -> None:
    """Only `open` becomes `paid`; the payment is told in `payment_status` all the same."""
    world = new_world()
    put(world, status=status)

    paid(world)

    assert (end(world).status, end(world).payment_status) == (status, "paid")


@pytest.mark.parametrize(
    ("amounts", "which"),
    [((1000,), 0), ((400, 600), 1), ((400, 700, 300), 1), ((1000, 1000), 0), ((400, 500), None)],
)
def test_it_dates_the_payment_that_covers_the_sum(
    amounts: tuple[int, ...], which: int | None
) -> None:
    """An invoice is paid at the second of the payment by which enough had come."""
    world = new_world()
    put(world)

    ids = [paid(world, amount) for amount in amounts]

    payments_s = [START_MS // 1000 + 65 * (index + 1) for index in range(len(ids))]
    assert end(world).paid_at_ms == (None if which is None else payments_s[which] * 1000)


def test_it_dates_by_the_first_of_twin_events() -> None:
    """Of two events about one success, the earlier one tells the moment."""
    world = new_world()
    put(world)
    paid(world)
    before = end(world)

    for happening in list(world.happenings):
        twin = copy.deepcopy(happening.event) | {"id": world.new_id("evt_")}
        twin["created"] += 30
        world.happenings.append(Happening(event=twin, at_ms=0, visible_ms=0))

    assert end(world) == before


def test_it_calls_unmatched_what_no_story_declares() -> None:
    """A paid PaymentIntent meant for no invoice is unmatched; one without money, or of a Session that is meant, is not."""
    world = new_world()
    put(world)
    session = checkout.open_session(world, amount=DUE, currency="eur")
    known = checkout.begin_payment(world, session, "customer@shop.example")
    till.make_intent(world, amount=DUE, currency="eur")
    stray = till.make_intent(world, amount=DUE, currency="eur")
    till.succeed(world, stray)

    world.meant[session] = "1"

    assert truth_of(world).unmatched == {stray}
    assert known != stray


def test_it_shares_nothing_with_the_core() -> None:
    """The simulator imports nothing of the reconciler but itself, the settings and the log."""
    sources = sorted(Path(truth.__file__).parent.glob("**/*.py"))
    nodes = [node for path in sources for node in ast.walk(ast.parse(path.read_text()))]

    imported = {each.module or "" for each in nodes if isinstance(each, ast.ImportFrom)}
    imported |= {name.name for each in nodes if isinstance(each, ast.Import) for name in each.names}

    ours = {tuple(name.split(".")[:2]) for name in imported if name.split(".")[0] == "reconciler"}
    assert ours <= {("reconciler", part) for part in ("simulator", "config", "logs")}


def test_it_deals_a_refund_to_the_cent() -> None:
    """What is given back of one payment for three invoices is taken from each in proportion, to the last cent."""
    world = new_world()
    ids = [put(world, id=each, number=f"INV-{each}") for each in ("1", "2", "3")]
    id_ = till.make_intent(world, amount=3 * DUE, currency="eur")
    world.parts[id_] = dict.fromkeys(ids, DUE)
    till.succeed(world, id_)

    returns.refund(world, id_, 302)

    invoices = truth_of(world).invoices
    assert [invoices[each].refunded for each in ids] == [101, 101, 100]
    assert [invoices[each].received for each in ids] == [DUE, DUE, DUE]
    assert [invoices[each].payment_status for each in ids] == ["partially_refunded"] * 3


def test_it_leaves_a_claimed_payment_to_a_person() -> None:
    """Money that two invoices claim belongs to neither, and both must be looked at."""
    world = new_world()
    ids = [put(world, id=each, number=f"INV-{each}") for each in ("1", "2")]
    id_ = till.make_intent(world, amount=DUE, currency="eur")
    world.claimed[id_] = ids
    before = truth_of(world)

    till.succeed(world, id_)

    after = truth_of(world)
    assert [before.invoices[each].payment_status for each in ids] == [None, None]
    assert [after.invoices[each].payment_status for each in ids] == ["review", "review"]
    assert (before.unmatched, after.unmatched) == (frozenset(), {id_})
