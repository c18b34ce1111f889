"""How does a report look in a terminal of 80 columns?

Colours appear on a terminal only. Every text from outside is printed as text: it holds no markup and steers nothing.
"""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import IO, Final

from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.text import Text

from reconciler.core.hostile import visible
from reconciler.core.report import Discrepancy, Outcome, PayoutLine, Report, SignedChange
from reconciler.report import sentences
from reconciler.report.columns import (
    Shown,
    cells,
    grid,
    least_width,
    ledger_parts,
    listed,
    pairs,
    sales_parts,
)
from reconciler.report.opening import facts, next_steps, notices, title, without_differences
from reconciler.report.tables import by_kind, lists_for_people
from reconciler.report.tongue import Tongue
from reconciler.report.words import HEADINGS, KINDS, LISTS, OUTCOMES, SOUND, TABLES

DIFFERENCES_SHOWN: Final = 50
LINES_SHOWN: Final = 50
_COLOURS = {
    Outcome.REPAIRED: "green",
    Outcome.WOULD_REPAIR: "yellow",
    Outcome.NEEDS_A_PERSON: "red",
    Outcome.EXPLAINED: "",
}


def print_report(report: Report, stream: IO[str] | None, tongue: Tongue) -> None:
    """Print a report; without a stream to standard output, as wide as that is."""
    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    for part in _parts(report, tongue, console.width):
        console.print(part)


def _parts(report: Report, tongue: Tongue, width: int) -> Iterator[RenderableType]:
    yield from _warnings(report, tongue)
    yield Text(title(report, tongue), style="bold")
    yield pairs(facts(report, tongue))
    yield from _lists(report, tongue)
    yield Text()
    yield Text(tongue.say(sentences.TWO_BOOKS), style="dim")
    yield from ledger_parts(report, tongue, width)
    yield from sales_parts(report, tongue)
    yield from _differences(report, tongue)
    yield from _payouts(report, tongue, width)
    yield from _changes(report, tongue)
    yield from _heading(tongue, "next")
    yield listed(next_steps(report, tongue))
    yield Text()
    # Whoever sees only the last lines must not take them for a whole report.
    yield from _warnings(report, tongue)


def _warnings(report: Report, tongue: Tongue) -> Iterator[Text]:
    for each in notices(report, tongue):
        yield Text(each, style="bold red")


def _heading(tongue: Tongue, key: str) -> Iterator[Text]:
    yield Text()
    yield Text(tongue.name(TABLES, key), style="bold underline")


def _lists(report: Report, tongue: Tongue) -> Iterator[RenderableType]:
    yield from _heading(tongue, "lists")
    heads = [column.head(tongue) for column in lists_for_people(report).columns]
    rows = (
        cells(
            Text(tongue.name(LISTS, each.name)),
            *(tongue.count(n) for n in (each.at_stripe, each.here, each.left_alone)),
            Text(tongue.count(each.gap), style="bold red" if each.gap else ""),
            _yes_no(each.is_complete, tongue),
        )
        for each in report.lists
    )
    yield grid(heads, rows, left=(0, 5), tongue=tongue)


def _differences(report: Report, tongue: Tongue) -> Iterator[RenderableType]:
    yield from _heading(tongue, "differences")
    counted = list(by_kind(report))
    if not counted:
        yield Text(without_differences(report, tongue))
        return
    rows = (
        cells(
            tongue.name(KINDS, each.kind),
            Text(tongue.name(OUTCOMES, each.outcome), style=_colour(each.outcome)),
            tongue.count(each.count),
        )
        for each in counted
    )
    yield grid(_heads(tongue, "kind", "outcome", "count"), rows, left=(0, 1), tongue=tongue)
    for each in islice(report.differences(), DIFFERENCES_SHOWN):
        yield Text()
        yield from _difference(each, tongue)
    yield from _more(sum(each.count for each in counted) - DIFFERENCES_SHOWN, tongue)


def _difference(each: Discrepancy, tongue: Tongue) -> Iterator[RenderableType]:
    head = Text(tongue.name(KINDS, each.kind), style="bold")
    head.append(" · ").append(tongue.name(OUTCOMES, each.outcome), style=_colour(each.outcome))
    yield head
    ids = dict.fromkeys((each.subject, each.payment_id, *each.invoice_ids))
    yield _indented(" · ".join(visible(id_) for id_ in ids if id_))
    here, there = tongue.worth(each.here), tongue.worth(each.there)
    yield _indented(tongue.say(sentences.HERE_AND_THERE, here=here, there=there))
    told = []
    if each.since:
        told.append(tongue.say(sentences.SINCE, at=tongue.moment(each.since)))
    if each.missed_by:
        told.append(tongue.say(sentences.MISSED_BY, who=tongue.status(each.missed_by)))
    yield from (_indented(line) for line in (" · ".join(told), tongue.note(each.note)) if line)


def _payouts(report: Report, tongue: Tongue, width: int) -> Iterator[RenderableType]:
    yield from _heading(tongue, "payouts")
    shown = report.payouts[:LINES_SHOWN]
    keys: Sequence[str] = ("day", "id", "amount", "arrives_on", "status", "payments")
    rows = [_payout(each, tongue) for each in shown]
    if rows and least_width(_heads(tongue, *keys), rows, broken=(4,)) > width:
        # A number that is cut off is another number: rather no day of arrival, which stands in the other forms.
        keys = [key for key in keys if key != "arrives_on"]
        rows = [[*row[:3], *row[4:]] for row in rows]
    left = (0, 1, keys.index("status"))
    yield grid(_heads(tongue, *keys), rows, left=left, tongue=tongue, whole=(1,))
    yield from _more(len(report.payouts) - LINES_SHOWN, tongue)


def _payout(each: PayoutLine, tongue: Tongue) -> Sequence[Shown]:
    return cells(
        tongue.short_day(each.day),
        Text(visible(each.id)),
        tongue.amount(each.amount_minor, each.currency),
        tongue.short_day(each.arrives_on) if each.arrives_on else "-",
        Text(tongue.status(each.status)),
        tongue.count(each.payments) if each.is_complete else "-",
    )


def _changes(report: Report, tongue: Tongue) -> Iterator[RenderableType]:
    if not report.changed_since_signed:
        return
    yield from _heading(tongue, "changed_since_signed")
    for each in report.changed_since_signed[:LINES_SHOWN]:
        yield from _change(each, tongue)
    yield from _more(len(report.changed_since_signed) - LINES_SHOWN, tongue)


def _change(each: SignedChange, tongue: Tongue) -> Iterator[RenderableType]:
    signed = tongue.say(sentences.SIGNED_IN, id=each.run_id)
    yield Text(f"{visible(each.object_id)} · {tongue.day(each.day)} · {signed}", style="bold")
    worths = f"{tongue.worth(each.before)} → {tongue.worth(each.after)}"
    booked = f" ({tongue.amount(each.difference_minor, each.currency)})" if each.currency else ""
    yield _indented(worths + booked)
    yield _indented(tongue.note(each.cause))


def _more(count: int, tongue: Tongue) -> Iterator[Text]:
    if count > 0:
        yield Text()
        yield Text(tongue.say(sentences.MORE, count=tongue.count(count)), style="bold")


def _heads(tongue: Tongue, *keys: str) -> Sequence[str]:
    return [tongue.name(HEADINGS, key) for key in keys]


def _yes_no(value: bool, tongue: Tongue) -> Text:  # noqa: FBT001 - it is what is shown
    return Text(tongue.name(SOUND, value), style="" if value else "bold red")


def _colour(outcome: Outcome | str) -> str:
    return _COLOURS.get(Outcome(outcome), "")


def _indented(line: str) -> Padding:
    return Padding(Text(line), (0, 0, 0, 2), expand=False)
