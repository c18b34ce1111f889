"""Whether the state of a payment follows from what was seen of it, row by row of the table."""

import pytest
from hypothesis import given

from reconciler.core.facts import PaidAt
from reconciler.core.observation import Observation, Reference, ReferenceKind
from reconciler.core.payment import (
    active_references,
    failed_attempts,
    payment_status,
    summarise,
)
from tests.core import builders as b
from tests.core.strategies import Life, lives

NEEDS_METHOD = "requires_payment_method"


@pytest.mark.parametrize(
    ("told", "status"),
    [
        pytest.param([b.event(b.intent("succeeded"))], "succeeded", id="succeeded seen"),
        pytest.param(
            [b.event(b.intent("succeeded"), 1), b.event(b.intent("processing"), 9)],
            "succeeded",
            id="succeeded seen, a newer word notwithstanding",
        ),
        pytest.param(
            [b.event(b.intent("canceled"), 9), b.event(b.intent("succeeded"))],
            "succeeded",
            id="succeeded and canceled, money received",
        ),
        pytest.param(
            [b.event(b.intent("canceled"), 9), b.event(b.intent("succeeded", received_minor=0))],
            "conflict",
            id="succeeded and canceled, no money",
        ),
        pytest.param(
            [b.event(b.intent("canceled")), b.event(b.intent("requires_capture"), 9)],
            "canceled",
            id="canceled seen",
        ),
        pytest.param(
            [b.event(b.intent(NEEDS_METHOD, failures=b.DECLINED)), b.event(b.intent("canceled"))],
            "canceled",
            id="canceled after a failed attempt",
        ),
        pytest.param(
            [b.event(b.intent("requires_capture"))], "requires_capture", id="requires_capture"
        ),
        pytest.param([b.event(b.intent("processing"))], "processing", id="processing"),
        pytest.param(
            [b.event(b.intent("requires_action"))], "requires_action", id="requires_action"
        ),
        pytest.param(
            [b.event(b.intent(NEEDS_METHOD, failures=b.DECLINED))],
            "failed",
            id="requires_payment_method and a failed attempt is known",
        ),
        pytest.param(
            [b.event(b.intent(NEEDS_METHOD)), b.event(b.charge("failed", id="ch_bad"))],
            "failed",
            id="requires_payment_method and a failed charge is known",
        ),
        pytest.param(
            [b.event(b.intent(NEEDS_METHOD))], "pending", id="requires_payment_method, no failure"
        ),
        pytest.param(
            [
                b.event(b.intent(NEEDS_METHOD, failures=b.DECLINED)),
                b.event(b.intent("requires_confirmation"), 5),
            ],
            "pending",
            id="requires_confirmation after a failure",
        ),
        pytest.param([b.event(b.intent("settled_on_mars"))], "pending", id="a word we do not know"),
        pytest.param([b.event(b.charge())], "pending", id="a charge alone, before its intent"),
        pytest.param([], "pending", id="nothing seen"),
        pytest.param(
            [b.event(b.intent("processing"), 1), b.event(b.intent("requires_capture"), 1)],
            "requires_capture",
            id="contested within one second: the first row",
        ),
        pytest.param(
            [b.event(b.intent("requires_action"), 1), b.event(b.intent("processing"), 1)],
            "processing",
            id="contested again: the first row",
        ),
        pytest.param(
            [b.event(b.intent("requires_action"), 5), b.read(b.intent("processing"), 4)],
            "requires_action",
            id="a stale read does not beat a newer event",
        ),
        pytest.param([b.event(b.session("paid"))], "pending", id="a paid Session moves no money"),
    ],
)
def test_it_shows_the_first_row_that_matches(told: list[Observation], status: str) -> None:
    """The status is the first matching row, whether the observations come forwards or backwards."""
    assert payment_status(b.book(*told)) == status
    assert payment_status(b.book(*reversed(told))) == status


@pytest.mark.parametrize(
    ("status", "captured_minor", "expected"),
    [
        ("succeeded", 1000, "succeeded"),
        ("succeeded", 0, "requires_capture"),
        ("failed", 0, "failed"),
        ("pending", 0, "processing"),
        ("word_of_next_year", 0, "pending"),
    ],
)
def test_it_reads_a_charge_without_an_intent_by_its_own_words(
    status: str, captured_minor: int, expected: str
) -> None:
    """A charge that has no PaymentIntent is a payment of its own, worth what was captured."""
    lone = b.charge(status, intent=None, captured_minor=captured_minor)

    seen = summarise(b.book(b.read(lone), payment="ch_1"))

    assert (seen.status, seen.received_minor, seen.currency) == (expected, captured_minor, "eur")
    assert seen.is_final == (expected in {"succeeded", "failed"})


def test_it_names_an_attempt_once_though_intent_and_charge_tell_of_it() -> None:
    """The charge's id is the attempt's id; a 3-D Secure failure has none and keeps its own."""
    by_method = (("pm_1:authentication_failure", b.DECLINED[0][1]),)
    known = b.book(
        b.event(b.intent(NEEDS_METHOD, failures=b.DECLINED)),
        b.event(b.charge("failed", id="ch_bad", failure_code="card_declined")),
        b.event(b.intent(NEEDS_METHOD, failures=by_method), 9),
    )

    assert set(failed_attempts(known)) == {"ch_bad", "pm_1:authentication_failure"}


SUCCEEDED_EVENT = b.event(b.intent(succeeded_ms=b.at_ms(50)), 50)
MONEY = b.event(b.transaction(created_ms=b.at_ms(5)), 5)
CARD = b.event(b.charge(created_ms=b.at_ms(1)), 1)
BANK_DEBIT = b.event(b.charge(created_ms=b.at_ms(1), is_card=False), 1)
PAID_READ = b.read(b.intent(), 90)


@pytest.mark.parametrize(
    ("told", "rank", "second"),
    [
        pytest.param([PAID_READ, CARD, MONEY, SUCCEEDED_EVENT], 0, 50, id="0 the succeeded event"),
        pytest.param([PAID_READ, CARD, MONEY], 1, 5, id="1 the first positive transaction"),
        pytest.param([PAID_READ, CARD], 2, 1, id="2 the charge of a card"),
        pytest.param([PAID_READ, BANK_DEBIT], 3, 85, id="3 the read; a bank debit's is too early"),
        pytest.param(
            [PAID_READ, CARD, b.event(b.reinstated(created_ms=b.at_ms(0)))],
            2,
            1,
            id="money that a dispute gave back is no payment",
        ),
    ],
)
def test_it_dates_a_payment_by_the_best_evidence(
    told: list[Observation], rank: int, second: int
) -> None:
    """The rank decides before the time does, and the order of arrival not at all."""
    for order in (told, told[::-1]):
        assert summarise(b.book(*order)).paid == PaidAt(rank, b.at_ms(second))


def test_it_dates_no_payment_that_has_received_nothing() -> None:
    """A charge that is authorised but not captured is no moment of payment."""
    known = b.book(
        b.event(b.intent("requires_capture")), b.event(b.charge(captured_minor=0)), MONEY
    )

    assert summarise(known).paid is None


@given(life=lives())
def test_it_never_calls_final_what_has_not_ended(life: Life) -> None:
    """Only a payment that succeeded or was canceled can be final."""
    seen = summarise(b.book(*life.told))

    assert not seen.is_final or seen.status in {"succeeded", "canceled"}


def test_it_silences_edited_metadata_once_the_succeeded_event_is_known() -> None:
    """Metadata can be edited after payment; that of the succeeded event cannot, and then it alone speaks."""
    edited = Reference(ReferenceKind.METADATA, "INV-2")
    frozen = Reference(ReferenceKind.FROZEN_METADATA, "INV-1")
    by_read = b.read(b.intent(references=frozenset({edited})), 90)
    by_event = b.event(b.intent(succeeded_ms=b.at_ms(3), references=frozenset({frozen})), 3)

    assert active_references(b.book(by_read)) == {edited}
    assert active_references(b.book(by_read, by_event)) == {frozen}


def test_it_silences_edited_metadata_of_a_session_once_its_completion_is_known() -> None:
    """The event of a Session's completion speaks alone, also where it named nothing; each Session speaks for itself."""
    edited = Reference(ReferenceKind.SESSION_METADATA, "INV-2")
    frozen = Reference(ReferenceKind.FROZEN_SESSION_METADATA, "INV-1")
    by_read = b.read(b.session(references=frozenset({edited})), 90)
    by_event = b.event(b.session(frozen=True, references=frozenset({frozen})), 3)
    without = b.event(b.session(frozen=True), 3)
    another = b.event(b.session(id="cs_2", frozen=True), 3)

    def spoken(*told: Observation) -> set[str]:
        return {each.value for each in active_references(b.book(*told))} - {"cs_1", "cs_2"}

    assert spoken(by_read) == {"INV-2"}
    assert spoken(by_read, by_event) == spoken(by_event, by_read) == {"INV-1"}
    assert spoken(by_read, without) == set()
    assert spoken(by_read, another) == {"INV-2"}
