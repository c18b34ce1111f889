"""Is it told in words what two runs say differently, and does the command that made a report end as it should?"""

from dataclasses import replace
from datetime import date

import pytest

from reconciler.cli.history import tell_difference
from reconciler.cli.reconcile import exit_code
from reconciler.core.report import Report, SignedChange
from reconciler.language import Language
from reconciler.reconcile.comparing import RunDiff
from tests.report.samples import quiet, sample

CHANGE = SignedChange(
    run_id=3,
    object_id="pi_1",
    day=date(2026, 3, 29),
    before="succeeded 2360 eur",
    after="succeeded 2360 eur refunded 500",
    cause="refund re_1",
    currency="eur",
    difference_minor=-500,
)
WORDS: list[tuple[Language, str, str]] = [
    ("en", "Only run 4 lists as changed since it was signed:", "-5.00 EUR"),
    ("fr", "Seul le rapport n° 4 liste comme modifié depuis la signature :", "-5,00 EUR"),
]


@pytest.mark.parametrize(("language", "words", "worth"), WORDS)
def test_it_names_what_only_one_run_lists_as_changed_since_signed(
    capsys: pytest.CaptureFixture[str], language: Language, words: str, worth: str
) -> None:
    """Two runs of which one lists a change of signed days do not say the same: it is told which, in which run, by how much."""
    tell_difference((3, 4), RunDiff(changed_second=(CHANGE,)), ([], []), language)

    told = capsys.readouterr().out
    assert words in told
    (row,) = [line for line in told.splitlines() if "pi_1" in line]
    assert " 3 " in row
    assert worth in row.replace("\u202f", " ").replace("\xa0", " ")
    tell_difference((3, 4), RunDiff(), ([], []), language)
    assert words not in capsys.readouterr().out


def _payout_of_another_sum(report: Report) -> Report:
    first, *others = sample().payouts
    return replace(report, payouts=(replace(first, held_minor=1), *others))


ENDS = [
    (quiet(), 0),
    (replace(quiet(), payouts=sample().payouts), 0),
    (_payout_of_another_sum(quiet()), 1),
    (replace(quiet(), ledger=sample().ledger), 0),
    (replace(quiet(), ledger=(replace(sample().ledger[0], ties_out=False),)), 1),
    (replace(quiet(is_dry=True), ledger=(replace(sample().ledger[0], ties_out=False),)), 1),
]


@pytest.mark.parametrize(("report", "code"), ENDS)
def test_it_ends_with_one_where_a_sum_is_not_stripes(report: Report, code: int) -> None:
    """A day that does not tie out is left to do, and so is a payout that holds another sum than its own."""
    assert exit_code(report) == code
