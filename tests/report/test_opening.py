"""A report says first what its numbers are worth, and last what is to be done."""

from dataclasses import replace

import pytest

from reconciler.core.drift import Drift
from reconciler.core.report import LedgerDay, ListCount, Outcome, Report, RunState
from reconciler.report.opening import (
    marks,
    next_steps,
    notices,
    title,
    without_differences,
)
from reconciler.report.tongue import Tongue
from tests.report.samples import cut_off, quiet, sample

ENGLISH, FRENCH = Tongue("en", "UTC"), Tongue("fr", "UTC")


def _loose() -> tuple[LedgerDay, ...]:
    """Days of which one is not as Stripe's list tells it."""
    first, *others = sample().ledger
    return (replace(first, ties_out=False), *others)


@pytest.mark.parametrize(
    ("report", "english", "french"),
    [
        (quiet(), (), ()),
        (cut_off(), ("CUT OFF",), ("INTERROMPU",)),
        (quiet(state=RunState.RUNNING), ("NOT ENDED",), ("NON TERMINÉ",)),
        (quiet(state=RunState.QUEUED), ("NOT ENDED",), ("NON TERMINÉ",)),
        (quiet(is_dry=True), ("DRY RUN",), ("SIMULATION",)),
        (quiet(day_not_over=True), ("DAY NOT OVER",), ("JOURNÉE EN COURS",)),
        (
            quiet(state=RunState.CUT_OFF, is_dry=True, day_not_over=True),
            ("CUT OFF", "DRY RUN", "DAY NOT OVER"),
            ("INTERROMPU", "SIMULATION", "JOURNÉE EN COURS"),
        ),
        (
            replace(quiet(), lists=(ListCount(name="refunds", at_stripe=2, here=1, gap=1),)),
            ("NOT COMPLETE",),
            ("INCOMPLET",),
        ),
        (replace(quiet(), ledger=_loose()), ("DOES NOT TIE OUT",), ("NE CONCORDE PAS",)),
        (replace(quiet(is_dry=True), ledger=_loose()), ("DRY RUN",), ("SIMULATION",)),
        (
            replace(quiet(), lists=(ListCount(name="x", at_stripe=2, here=2, is_complete=False),)),
            ("CUT OFF",),
            ("INTERROMPU",),
        ),
    ],
)
def test_it_marks_what_is_not_whole_real_and_final(
    report: Report, english: tuple[str, ...], french: tuple[str, ...]
) -> None:
    """Each reason not to trust the numbers has its mark, in front of the title as well."""
    assert marks(report, ENGLISH) == english
    assert marks(report, FRENCH) == french
    assert title(report, ENGLISH).split(" · ")[: len(english)] == list(english)


def test_it_says_why_it_was_cut_off_and_steers_nothing() -> None:
    """The reason stands in the notice, its control characters made visible."""
    (notice,) = notices(cut_off(), ENGLISH)

    assert "Stripe did not answer \\x1b[2J" in notice
    assert "\x1b" not in notice


def test_it_offers_a_signature_only_where_one_may_be_given() -> None:
    """A whole, real run of days that are over can be signed; others are finished first."""
    can = "reconciler runs sign 7"
    decide = ((Drift.UNMATCHED, Outcome.NEEDS_A_PERSON, 2),)

    assert can in next_steps(quiet(), ENGLISH)[-1]
    assert can in next_steps(replace(quiet(), differences_by_kind=decide), ENGLISH)[-1]
    for report in (
        cut_off(),
        quiet(is_dry=True),
        quiet(day_not_over=True),
        quiet(signed_by="marie"),
        quiet(state=RunState.RUNNING),
    ):
        assert can not in " ".join(next_steps(report, ENGLISH))


@pytest.mark.parametrize("is_loose", [False, True])
def test_it_sends_to_a_new_run_where_this_one_can_never_be_signed(*, is_loose: bool) -> None:
    """What is missing at Stripe is accepted first, then the days are run again: a signature of this run is not offered."""
    gone = ((Drift.MISSING_AT_STRIPE, Outcome.NEEDS_A_PERSON, 1),)
    ledger = _loose() if is_loose else ()
    report = replace(quiet(), differences_by_kind=gone, ledger=ledger)

    english, french = next_steps(report, ENGLISH), next_steps(report, FRENCH)

    assert "reconciler runs sign" not in " ".join((*english, *french))
    assert english[-1].endswith(
        "run these days again, and sign that run; this one can't be signed."
    )
    assert "relancer ces jours" in french[-1]
    assert "engineer" not in " ".join(english)
    accepted = ((Drift.MISSING_AT_STRIPE, Outcome.EXPLAINED, 1),)
    can = next_steps(replace(quiet(), differences_by_kind=accepted), ENGLISH)
    assert "reconciler runs sign 7" in can[-1]


def test_it_counts_open_questions_of_a_dry_run_as_those_of_now() -> None:
    """A dry run asks nobody: what a run asks comes on top, and that is said."""
    dry = next_steps(replace(quiet(is_dry=True), open_questions=13), ENGLISH)
    real = next_steps(replace(quiet(), open_questions=13), ENGLISH)

    assert "in the queue already: 13; a run may find more." in " ".join(dry)
    assert "in the queue: 13. See" in " ".join(real)


def test_it_says_what_to_do_about_each_thing() -> None:
    """Gaps, days and payouts that do not tie out, deadlines and changes of signed days each have their line."""
    whole = sample()
    report = replace(
        whole,
        open_questions=1_002,
        lists=(ListCount(name="refunds", at_stripe=2, here=1, gap=1),),
        ledger=(replace(whole.ledger[0], ties_out=False), *whole.ledger[1:]),
        payouts=(replace(whole.payouts[0], held_minor=1), *whole.payouts[1:]),
        differences_by_kind=((Drift.MISSING_HERE, Outcome.WOULD_REPAIR, 1_234),),
    )

    steps = " ".join(next_steps(report, ENGLISH))

    assert "List of refunds: objects on one side only: 1." in steps
    assert "differ from Stripe's list (marked NO): 1." in steps
    assert "adds up to 0.01 USD, but it is 9,000.00 USD" in steps
    assert "would be repaired: 1,234." in steps
    assert "payments of these days that are in the queue: 1,002." in steps
    assert "the first (dp_1NxSample0) by Apr 20, 2026 21:59:59" in steps
    assert "signed days that have changed: 1." in steps
    assert len(next_steps(report, FRENCH)) == len(next_steps(report, ENGLISH))


@pytest.mark.parametrize(
    ("report", "is_sure"),
    [
        (quiet(), True),
        (quiet(state=RunState.CUT_OFF), False),
        (quiet(state=RunState.QUEUED), False),
        (replace(quiet(), ledger=_loose()), False),
        (replace(quiet(is_dry=True), ledger=_loose()), False),
    ],
)
def test_it_claims_that_nothing_differs_only_where_all_was_looked_at(
    report: Report, *, is_sure: bool
) -> None:
    """A run that was cut off says that it has found nothing so far, and not that nothing differs."""
    assert (without_differences(report, ENGLISH) == "Nothing differs.") is is_sure
    assert (without_differences(report, FRENCH) == "Aucun écart.") is is_sure


def test_it_sends_nobody_to_an_engineer_for_what_a_dry_run_has_not_taken_in() -> None:
    """Days that do not tie out in a dry run are what the run itself takes in."""
    whole = sample()
    days = (replace(whole.ledger[0], ties_out=False), *whole.ledger[1:])
    dry = replace(whole, ledger=days, head=replace(whole.head, is_dry=True))

    steps = " ".join(next_steps(dry, ENGLISH))

    assert "missing here (marked NO): 1. A run without --dry-run takes it in." in steps
    assert "engineer" not in steps
