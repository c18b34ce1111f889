"""Whether what is known of a payment is the same whatever the order, the repetitions and the losses."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.facts import Facts, PaidAt, SessionTotal, lift
from reconciler.core.lattice import merge
from reconciler.core.observation import Failure, Observation, Reference, ReferenceKind, Span
from reconciler.core.payment import Book, received_minor, summarise
from tests.core import builders as b
from tests.core.strategies import KINDS, Life, gathered, histories, lives

kinds = pytest.mark.parametrize("kind", KINDS)


def draw_three(data: st.DataObject, kind: str) -> tuple[Facts, Facts, Facts]:
    """Draw three records of facts of one kind."""
    facts = gathered(KINDS[kind])
    return data.draw(facts), data.draw(facts), data.draw(facts)


@kinds
@given(data=st.data())
def test_it_joins_facts_in_any_order_and_grouping(data: st.DataObject, kind: str) -> None:
    """Merging is commutative and associative for every kind of object."""
    one, two, three = draw_three(data, kind)

    assert merge(one, two) == merge(two, one)
    assert merge(merge(one, two), three) == merge(one, merge(two, three))


@kinds
@given(data=st.data())
def test_it_only_grows(data: st.DataObject, kind: str) -> None:
    """Merging is idempotent, and what was joined absorbs each of its parts."""
    one, two, three = draw_three(data, kind)
    all_three = b.fold((one, two, three))

    assert merge(one, one) == one
    assert all(merge(all_three, each) == all_three for each in (one, two, three))
    assert all(merge(each, all_three) == all_three for each in (one, two, three))


@given(data=st.data(), told=histories)
def test_it_ends_in_the_same_book_whatever_the_order(
    data: st.DataObject, told: list[Observation]
) -> None:
    """Any permutation with any duplicates gives the same facts, hence the same status and the same sums."""
    repeated = data.draw(st.lists(st.sampled_from(told), max_size=4))
    shuffled = data.draw(st.permutations([*told, *repeated]))

    assert b.book(*shuffled) == b.book(*told)
    assert summarise(b.book(*shuffled)) == summarise(b.book(*told))


@given(told=histories)
def test_it_never_receives_less_nor_loses_a_final_word(told: list[Observation]) -> None:
    """With every further observation, received never falls and terminal words never leave."""
    books = [b.book(*told[:length]) for length in range(len(told) + 1)]

    for before, after in pairwise(books):
        assert received_minor(after) >= received_minor(before)
        assert after.facts.intent.terminals >= before.facts.intent.terminals


def state(book: Book) -> tuple[object, ...]:
    """Return what one fresh read must restore; the moment and the code of a lost event are lost with it."""
    seen = summarise(book)
    return (
        seen.status,
        seen.received_minor,
        seen.refunded_minor,
        seen.refund_pending_minor,
        seen.disputed_minor,
        seen.dispute_open,
        seen.is_final,
    )


@given(data=st.data(), life=lives())
def test_it_recovers_from_any_loss_with_one_fresh_read(data: st.DataObject, life: Life) -> None:
    """Whatever subset of a life was heard, in whatever order, a fresh read of each object tells the same end."""
    heard = data.draw(st.lists(st.sampled_from(life.told), unique_by=id))
    shuffled = data.draw(st.permutations([*heard, *life.reads]))

    assert state(b.book(*shuffled)) == state(b.book(*life.told, *life.reads))
    assert state(b.book(*shuffled)) == state(b.book(*life.reads))


@given(data=st.data(), life=lives())
def test_it_is_not_moved_by_what_arrives_after_a_fresh_read(
    data: st.DataObject, life: Life
) -> None:
    """Once every object was read, no event of the past and no stale read changes anything that is shown."""
    late = data.draw(st.lists(st.sampled_from(life.told), max_size=5))

    assert state(b.book(*life.reads, *late)) == state(b.book(*life.reads))


@given(life=lives(), again_s=st.integers(100, 10**6))
def test_it_learns_nothing_from_reading_an_ended_payment_again(life: Life, again_s: int) -> None:
    """A terminal PaymentIntent writes no register, so a later read of it is a no-op."""
    end = life.reads[0].projection
    known = b.book(*life.reads)

    again = b.book(*life.reads, b.read(end, again_s))

    assert (again == known) == (end.status in {"succeeded", "canceled"})


@pytest.mark.parametrize(
    ("seen", "paid"),
    [
        pytest.param(b.event(b.intent("processing")), None, id="no money, no moment"),
        pytest.param(
            b.event(b.intent(succeeded_ms=b.at_ms(7)), 9), PaidAt(0, b.at_ms(7)), id="the event"
        ),
        pytest.param(b.event(b.intent(), 9), PaidAt(3, b.at_ms(9)), id="another event"),
        pytest.param(b.read(b.intent(), 9), PaidAt(3, b.at_ms(4)), id="a read, by its lower bound"),
    ],
)
def test_it_ranks_the_evidence_of_payment(seen: Observation, paid: PaidAt | None) -> None:
    """Only the succeeded event itself is evidence of the best rank; a time of ours never is."""
    assert lift(seen).intent.paid == paid


def test_it_keeps_every_failed_attempt_although_stripe_clears_the_field() -> None:
    """Two attempts are two facts, and the same attempt told twice is one, with its earliest time."""
    first, second = Failure(b.at_ms(1), "declined"), Failure(b.at_ms(3), "expired")

    known = b.book(
        b.event(b.intent("requires_payment_method", failures=(("ch_1", first),)), 1),
        b.event(b.intent("requires_payment_method", failures=(("ch_2", second),)), 3),
        b.event(
            b.intent("requires_payment_method", failures=(("ch_1", Failure(b.at_ms(8), "x")),)), 8
        ),
        b.event(b.intent("processing"), 9),
    )

    assert known.facts.intent.failures == {"ch_1": first, "ch_2": second}


def test_it_keeps_the_total_of_the_completed_session() -> None:
    """A total shown while the customer still chooses never replaces the one that was completed."""
    open_late = b.event(b.session("unpaid", complete=False, amount_minor=99), 50)
    complete = b.event(b.session("paid", amount_minor=1000), 5)

    for told in ((open_late, complete), (complete, open_late)):
        assert b.book(*told).sessions["cs_1"].total == SessionTotal(True, 0, 1000, "eur")


def test_it_names_a_session_by_its_own_id() -> None:
    """An invoice that stores the Session's id is found without any metadata."""
    known = b.book(b.event(b.session(references=frozenset())))

    own = Reference(ReferenceKind.CHECKOUT_SESSION, "cs_1")
    assert known.sessions["cs_1"].references == {own}


@pytest.mark.parametrize(
    ("seen", "until_ms"),
    [
        pytest.param(b.event(b.intent("requires_payment_method")), None, id="an event"),
        pytest.param(
            b.event(b.intent("requires_payment_method", newborn=True), 2),
            b.at_ms(2) + 999,
            id="the event of its birth",
        ),
        pytest.param(b.read(b.intent("requires_action"), 2), b.at_ms(2) + 999, id="a read"),
        pytest.param(b.read(b.intent("succeeded"), 2), None, id="a read of an ended one"),
    ],
)
def test_it_trusts_a_missing_error_only_of_the_newborn_and_the_read(
    seen: Observation, until_ms: int | None
) -> None:
    """A requires_payment_method without an error is innocent until then; an event alone may have lost it."""
    assert lift(seen).intent.innocent_until_ms == until_ms


def test_it_counts_a_charge_as_captured_only_when_it_succeeded() -> None:
    """A failed or pending charge brought no money, whatever its amounts say."""
    failed = b.charge("failed", captured_minor=1000, failure_code="declined")

    facts = lift(b.event(failed)).charges["ch_1"]

    assert facts.captured_minor == 0
    assert facts.failure == Failure(b.NOON_MS, "declined")


def test_it_remembers_which_refund_totals_came_with_the_whole_list() -> None:
    """A total is a register, for it falls when a refund fails; a listed one needs no further question."""
    facts = b.book(
        b.event(b.charge(refunded_minor=400), 1),
        b.read(b.charge(refunded_minor=0, refunds_listed=True), 20),
    ).facts.charges["ch_1"]

    assert facts.refund_totals == {
        400: Span(b.at_ms(1), b.at_ms(1) + 999),
        0: Span(b.at_ms(15), b.at_ms(20) + 999),
    }
    assert facts.listed_totals == {0}


def test_it_shows_the_same_transaction_of_two_that_contradict() -> None:
    """A balance transaction cannot change; should one, all orders still show the same value."""
    one, two = b.event(b.transaction(1000)), b.event(b.transaction(900))

    values = [b.book(*told).transactions["txn_1"].value for told in ((one, two), (two, one))]

    assert values[0] == values[1]
