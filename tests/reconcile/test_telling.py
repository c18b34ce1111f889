"""Does whoever signs read who should have seen a difference, both values, and what to do?"""

from datetime import UTC, datetime, timedelta

import pytest

from reconciler.core.drift import Difference, Drift
from reconciler.core.exceptions import ExceptionKind
from reconciler.core.observation import ms
from reconciler.core.report import Outcome
from reconciler.reconcile.telling import NAMES, Matter, Witness, feeless, for_a_person, told

NOON = datetime(2026, 3, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DEAF = Witness(begun=None, swept=None)
HEARS = Witness(begun=NOON - HOUR, swept=None)
LOOKS = Witness(begun=NOON - HOUR, swept=(NOON - HOUR, NOON + HOUR))


@pytest.mark.parametrize(
    ("who", "since", "has_event", "missed_by"),
    [
        (DEAF, NOON, True, ""),
        (HEARS, NOON, True, "webhook"),
        (HEARS, NOON, False, ""),
        (HEARS, NOON - HOUR, True, "webhook"),
        (HEARS, NOON - 2 * HOUR, True, ""),
        (HEARS, None, True, ""),
        (LOOKS, NOON, True, "sweep"),
        (LOOKS, NOON, False, "sweep"),
        (LOOKS, NOON - HOUR, True, "sweep"),
        (LOOKS, NOON + HOUR, True, "webhook"),
        (LOOKS, NOON + HOUR, False, ""),
        (LOOKS, NOON - 2 * HOUR, True, ""),
        (LOOKS, None, True, ""),
    ],
)
def test_it_knows_who_should_have_seen_it(
    who: Witness, since: datetime | None, has_event: bool, missed_by: str
) -> None:
    """A sweep that has covered the moment should have; else a webhook, if we were there and Stripe has an event for it; else nobody."""
    assert who.missed(since, has_event=has_event) == missed_by


@pytest.mark.parametrize(
    ("kind", "outcome", "missed_by", "note"),
    [
        (Drift.STATUS_BEHIND, Outcome.REPAIRED, "webhook", "booked as Stripe says"),
        (Drift.STATUS_BEHIND, Outcome.WOULD_REPAIR, "webhook", "without --dry-run"),
        (Drift.FEE_UNKNOWN, Outcome.REPAIRED, "", "booked as Stripe says"),
    ],
)
def test_it_tells_what_became_of_it(
    kind: Drift, outcome: Outcome, missed_by: str, note: str
) -> None:
    """A difference keeps its ids and both values, and says what was done; for a fee there is no event that could be missed."""
    found = Difference(
        kind=kind, subject="re_1", payment_id="pi_1", here="a", there="b", since_ms=ms(NOON)
    )

    said = told(found, ("inv_1",), HEARS, outcome)

    assert (said.kind, said.subject, said.payment_id, said.invoice_ids) == (kind, "re_1", "pi_1", ("inv_1",))  # fmt: skip
    assert (said.here, said.there, said.since) == ("a", "b", NOON)
    assert (said.outcome, said.missed_by) == (outcome, missed_by)
    assert note in said.note


PERSONS = [
    (ExceptionKind.UNMATCHED_PAYMENT, ("no invoice", "400 eur"), "assign"),
    (ExceptionKind.UNDERPAID, ("due 1000 eur", "received 600 eur"), "ask for the rest"),
    (ExceptionKind.OVERPAID, ("due 1000 eur", "received 600 eur"), "refund the rest"),
    (ExceptionKind.SECOND_PAYMENT, ("due 1000 eur", "received 600 eur"), "at Stripe"),
    (ExceptionKind.PAID_HERE_NOT_AT_STRIPE, ("paid", "nothing"), "who wrote that"),
]


@pytest.mark.parametrize(("kind", "values", "note"), PERSONS)
def test_it_asks_a_person(kind: ExceptionKind, values: tuple[str, str], note: str) -> None:
    """What nobody else can put right says what is wrong in both values, since when, and what to do."""
    matter = Matter(
        kind=kind, subject="x_1", amount_minor=400, currency="eur", moments=(NOON - HOUR, NOON)
    )

    said = for_a_person(matter, (1000, 600, "eur"))

    is_payment = kind is ExceptionKind.UNMATCHED_PAYMENT
    assert (said.payment_id, said.invoice_ids) == (("x_1", ()) if is_payment else ("", ("x_1",)))
    assert (said.here, said.there) == values
    assert (said.since, said.outcome) == (NOON, Outcome.NEEDS_A_PERSON)
    assert note in said.note


def test_it_has_words_for_each_matter_of_a_person() -> None:
    """No kind of the queue that a run lists is without words, and what no invoice stands for is told by its amount."""
    assert {kind for kind, _, _ in PERSONS} == set(NAMES)
    matter = Matter(kind=ExceptionKind.OVERPAID, subject="x_1", amount_minor=None, currency="eur")

    said = for_a_person(matter, None)

    assert (said.here, said.there, said.since) == ("nothing", "0 eur", None)


def test_it_explains_a_fee_that_is_not_known_yet() -> None:
    """A payment without its balance transaction is nobody's fault and nobody's task."""
    row = {"id": "pi_1", "currency": "eur", "amount_received": 1000, "paid_at": NOON}

    said = feeless(row)

    assert (said.here, said.there, said.since) == ("succeeded 1000 eur", "nothing", NOON)
    assert (said.outcome, said.missed_by) == (Outcome.EXPLAINED, "")
