"""How do commands tell of runs, and of what two of them say differently? In the words of their reports, in each language."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any, Final

from reconciler.cli.output import cell, details, say, table
from reconciler.core.drift import Drift
from reconciler.core.report import Discrepancy, Outcome, RunHead, SignedChange
from reconciler.language import Language
from reconciler.reconcile.comparing import RunDiff, TotalDiffers
from reconciler.report import sentences
from reconciler.report.opening import facts_of
from reconciler.report.tongue import Tongue
from reconciler.report.words import FACTS, HEADINGS, KINDS, OUTCOMES, SOUND, STATES

# A person reads them one by one.
SHOWN_MAX: Final = 1000
_UTC: Final = "UTC"
_BOOKS: Final = {"ledger": sentences.LEDGER_IN, "sales": sentences.SALES_IN}


def tell_runs(found: Sequence[RunHead], language: Language) -> None:
    """Say which runs there are."""
    tongue = Tongue(language, _UTC)
    heads = [
        tongue.name(FACTS, key) for key in ("run", "range", "state", "asked_at", "by", "signed")
    ]
    table(
        heads,
        (
            (
                each.id,
                f"{each.first_day} - {each.last_day}",
                _state(each, tongue),
                Tongue(language, each.zone).moment(each.asked_at),
                each.by,
                each.signed_by or None,
            )
            for each in found
        ),
        empty=tongue.say(sentences.NO_RUNS),
        spare=heads[3],
    )


def tell_run(
    head: RunHead, counts: Iterable[tuple[Drift, Outcome, int]], language: Language
) -> None:
    """Say who asked for a run, how far it has come, and what it found."""
    tongue = Tongue(language, head.zone)
    details(dict(facts_of(head, tongue)))
    counted = list(counts)
    if not counted:
        return
    say()
    heads = [tongue.name(HEADINGS, key) for key in ("kind", "outcome", "count")]
    table(
        heads,
        (
            (tongue.name(KINDS, kind), tongue.name(OUTCOMES, outcome), tongue.count(count))
            for kind, outcome, count in counted
        ),
        empty="",
        right=heads[2:],
    )


def tell_difference(
    runs: tuple[int, int],
    differ: RunDiff,
    only: tuple[Sequence[Discrepancy], Sequence[Discrepancy]],
    language: Language,
) -> None:
    """Say what two runs say differently."""
    tongue = Tongue(language, _UTC)
    changed = (differ.changed_first, differ.changed_second)
    if not differ.totals and not any(only) and not any(changed):
        say(tongue.say(sentences.SAME, first=runs[0], second=runs[1]))
        return
    _tell_totals(runs, differ.totals, tongue)
    for run_id, found in zip(runs, only, strict=True):
        _tell_only(run_id, found, tongue)
    for run_id, since in zip(runs, changed, strict=True):
        _tell_changed(run_id, since, tongue)


def some(found: Iterable[Discrepancy]) -> list[Discrepancy]:
    """As many as a person may want to read."""
    return list(islice(found, SHOWN_MAX))


def _tell_totals(runs: tuple[int, int], totals: Iterable[TotalDiffers], tongue: Tongue) -> None:
    heads = [tongue.name(HEADINGS, key) for key in ("book", "day", "item")]
    by_run = [tongue.say(sentences.RUN, id=run_id) for run_id in runs]
    # A run beside itself would have one column only.
    table(
        [*heads, *by_run],
        (
            (
                tongue.say(_BOOKS[each.book], currency=cell(each.currency).upper()),
                tongue.day(each.day),
                tongue.name(HEADINGS, _key(each)),
                *(_worth(value, each, tongue) for value in (each.first, each.second)),
            )
            for each in totals
        ),
        empty=tongue.say(sentences.SAME_SUMS),
        right=by_run,
    )


def _key(differs: TotalDiffers) -> str:
    """Of the sales, refunds are counted."""
    name = differs.name.removesuffix("_minor")
    return "refund_count" if (differs.book, differs.name) == ("sales", "refunds") else name


def _worth(value: int | bool | None, differs: TotalDiffers, tongue: Tongue) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return tongue.name(SOUND, value)
    if differs.name.endswith("_minor"):
        return tongue.number(value, differs.currency)
    return tongue.count(value)


def _tell_only(run_id: int, found: Sequence[Discrepancy], tongue: Tongue) -> None:
    if not found:
        return
    say()
    say(tongue.say(sentences.ONLY_IN, id=run_id))
    kind, subject, here, there = (
        tongue.name(HEADINGS, key) for key in ("kind", "subject", "here", "there")
    )
    rows: Iterable[Sequence[Any]] = (
        (
            tongue.name(KINDS, each.kind),
            each.subject,
            tongue.worth(each.here),
            tongue.worth(each.there),
        )
        for each in found
    )
    table((kind, subject, here, there), rows, empty="", whole=subject)
    if len(found) == SHOWN_MAX:
        say(tongue.say(sentences.PERHAPS_MORE, count=SHOWN_MAX, id=run_id))


def _tell_changed(run_id: int, found: Sequence[SignedChange], tongue: Tongue) -> None:
    if not found:
        return
    say()
    say(tongue.say(sentences.CHANGED_ONLY_IN, id=run_id))
    subject, signed, difference = (
        tongue.name(HEADINGS, key) for key in ("object_id", "run_id", "difference")
    )
    rows: Iterable[Sequence[Any]] = (
        (each.object_id, each.run_id, tongue.amount(each.difference_minor, each.currency))
        for each in found[:SHOWN_MAX]
    )
    table((subject, signed, difference), rows, empty="", whole=subject, right=[signed, difference])
    if len(found) > SHOWN_MAX:
        say(tongue.say(sentences.PERHAPS_MORE, count=SHOWN_MAX, id=run_id))


def _state(head: RunHead, tongue: Tongue) -> str:
    state = tongue.name(STATES, head.state)
    return tongue.say(sentences.DRY_MARK, state=state) if head.is_dry else state
