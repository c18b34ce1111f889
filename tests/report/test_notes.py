"""What a run writes in a sentence is told in French as well."""

from datetime import UTC, datetime

import pytest

from reconciler.core.drift import Difference, Drift
from reconciler.core.report import Outcome
from reconciler.db.runs import KILLED
from reconciler.reconcile.gone import GONE
from reconciler.reconcile.telling import (
    NAMES,
    Matter,
    Witness,
    feeless,
    for_a_person,
    together,
    told,
)
from reconciler.report.notes import translated

AT = datetime(2026, 3, 1, tzinfo=UTC)


def written() -> list[str]:
    """The notes that runs write."""
    found = Difference(
        kind=Drift.MISSING_HERE, subject="pi_1", payment_id="pi_1", here="nothing", there="x"
    )
    nobody = Witness(begun=None, swept=None)
    matters = [Matter(kind=kind, subject="in_1", amount_minor=1, currency="usd") for kind in NAMES]
    fee = {"id": "pi_1", "amount_received": 1, "currency": "usd", "paid_at": AT}
    outcomes = (Outcome.REPAIRED, Outcome.WOULD_REPAIR)
    return [
        *(told(found, (), nobody, outcome).note for outcome in outcomes),
        *(for_a_person(matter, None).note for matter in matters),
        feeless(fee).note,
        together(told(found, (), nobody, Outcome.REPAIRED), (3, 5)).note,
        KILLED,
        GONE,
    ]


@pytest.mark.parametrize("note", written())
def test_it_knows_what_runs_write(note: str) -> None:
    """Every note of a difference is there in French."""
    assert translated(note, "en") == note
    assert translated(note, "fr") != note
    # Of a note of several parts, each.
    assert not set(note.split("; ")) & set(translated(note, "fr").split(" ; "))


@pytest.mark.parametrize(
    ("text", "french"),
    [
        ("refund re_1, whose money moved on 2026-03-02; dispute dp_2", "remboursement re_1, dont l'argent a bougé le 2026-03-02 ; litige dp_2"),
        ("late payment; it belongs to the period that is open", "paiement tardif ; il appartient à la période ouverte"),
        ("accepted by ada b: tests; of May: 3", "accepté par ada b : tests; of May: 3"),
        ("2026-03-02 has not begun at Stripe, where it is 2026-03-01: put this machine's clock right, and ask again", "le 2026-03-02 n'a pas commencé chez Stripe, où c'est le 2026-03-01 : régler l'horloge de cette machine, et redemander"),
        ("an unknown reason", "an unknown reason"),
        ("unknown; and of a person", "unknown; and of a person"),
        ("refund re_1; unknown", "remboursement re_1 ; unknown"),
        ("refund \x1b[2J", "remboursement \\x1b[2J"),
        ("", ""),
    ],
)  # fmt: skip
def test_it_translates_around_ids_and_leaves_what_it_does_not_know(text: str, french: str) -> None:
    """Ids and days stay in their place, several sentences stay several, and nothing hostile gets through."""
    assert translated(text, "fr") == french
