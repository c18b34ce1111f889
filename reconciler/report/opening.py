"""What must be known before any number of a report is read, and what is left to do?"""

from collections.abc import Iterator
from datetime import UTC, datetime

from reconciler.core.hostile import visible
from reconciler.core.report import Outcome, Report, ReturnLine, RunHead, RunState
from reconciler.language import Phrase
from reconciler.report import sentences
from reconciler.report.tongue import Tongue
from reconciler.report.words import FACTS, LISTS, STATES

_ANSWERED_BY_US = frozenset({"needs_response", "warning_needs_response"})
_LATEST = datetime.max.replace(tzinfo=UTC)


def notices(report: Report, tongue: Tongue) -> tuple[str, ...]:
    """What every form says first, in whole sentences; nothing if the numbers are whole, real and final."""
    return tuple(_notices(report, tongue))


def title(report: Report, tongue: Tongue) -> str:
    """One line that names the report, with the marks of its notices in front."""
    head = report.head
    days = tongue.say(
        sentences.TITLE, first=tongue.day(head.first_day), last=tongue.day(head.last_day)
    )
    run = tongue.say(sentences.RUN, id=head.id)
    return " · ".join((*marks(report, tongue), days, run))


def marks(report: Report, tongue: Tongue) -> tuple[str, ...]:
    """The first words of each notice."""
    return tuple(each.split(":")[0].strip() for each in _notices(report, tongue))


def facts(report: Report, tongue: Tongue) -> Iterator[tuple[str, str]]:
    """Who asked for what, and what came of it: names and values."""
    return facts_of(report.head, tongue, report.made_at)


def facts_of(
    head: RunHead, tongue: Tongue, made_at: datetime | None = None
) -> Iterator[tuple[str, str]]:
    """The same of a run of which no report was made."""
    say = tongue.say
    covered = say(sentences.NOT_COVERED)
    if head.covered_from and head.covered_until:
        first, last = tongue.moment(head.covered_from), tongue.moment(head.covered_until)
        covered = say(sentences.FROM_UNTIL, first=first, last=last)
    signed = say(sentences.NOT_SIGNED)
    if head.signed_by:
        at = tongue.moment(head.signed_at)
        signed = say(sentences.SIGNED_BY, name=visible(head.signed_by), at=at)
    values = {
        "run": str(head.id),
        "range": f"{tongue.day(head.first_day)} - {tongue.day(head.last_day)}",
        "zone": visible(head.zone),
        "state": tongue.name(STATES, head.state),
        "mode": say(sentences.DRY if head.is_dry else sentences.REAL),
        "covered": covered,
        "by": visible(head.by),
        "asked_at": tongue.moment(head.asked_at),
        "ended_at": tongue.moment(head.ended_at),
        "made_at": tongue.moment(made_at) if made_at else "",
        "objects": tongue.count(head.objects),
        "requests": tongue.count(head.requests),
        "error": tongue.note(head.error),
        "signed": signed,
    }
    return ((tongue.name(FACTS, key), value) for key, value in values.items() if value)


def next_steps(report: Report, tongue: Tongue) -> tuple[str, ...]:
    """What a person does next, the most urgent first; never nothing."""
    to_be_whole = tuple(_to_be_whole(report, tongue))
    to_decide = tuple(_to_decide(report, tongue))
    if not to_be_whole and not to_decide:
        return (_at_the_end(report, tongue),)
    if _can_be_signed(report) and report.is_unknown_at_stripe:
        return (*to_be_whole, *to_decide, tongue.say(sentences.ACCEPT_AND_RUN_AGAIN))
    if to_be_whole or not _can_be_signed(report):
        return (*to_be_whole, *to_decide)
    return (*to_decide, tongue.say(sentences.THEN_SIGN, id=report.head.id))


def without_differences(report: Report, tongue: Tongue) -> str:
    """What stands in place of differences where there are none."""
    is_whole = report.head.state is RunState.COMPLETE and not _is_short(report)
    if not is_whole:
        return tongue.say(sentences.NOTHING_YET)
    return tongue.say(sentences.NO_DIFFERENCES if report.ties_out else sentences.ONLY_DAYS)


def _can_be_signed(report: Report) -> bool:
    head = report.head
    return not (head.is_dry or head.signed_by or head.day_not_over)


def _notices(report: Report, tongue: Tongue) -> Iterator[str]:
    head = report.head
    if head.state is RunState.CUT_OFF or _is_short(report):
        why = f" ({tongue.note(head.error)})" if head.error else ""
        yield tongue.say(sentences.CUT_OFF) + why
    elif head.state is not RunState.COMPLETE:
        yield tongue.say(sentences.NOT_ENDED)
    elif not report.is_complete:
        yield tongue.say(sentences.GAP, count=tongue.count(sum(each.gap for each in report.lists)))
    if head.is_dry:
        yield tongue.say(sentences.DRY_RUN)
    elif head.state is RunState.COMPLETE and not report.ties_out:
        loose = sum(not each.ties_out for each in report.ledger)
        yield tongue.say(sentences.DOES_NOT_TIE_OUT, count=tongue.count(loose))
    if head.day_not_over:
        day, until = tongue.day(head.last_day), tongue.moment(head.covered_until)
        yield tongue.say(sentences.DAY_NOT_OVER, day=day, until=until)


def _is_short(report: Report) -> bool:
    """Whether a run says that it is complete, but one of its lists is not."""
    return report.head.state is RunState.COMPLETE and not all(
        each.is_complete for each in report.lists
    )


def _to_be_whole(report: Report, tongue: Tongue) -> Iterator[str]:
    head, say = report.head, tongue.say
    if head.state is RunState.CUT_OFF or _is_short(report):
        yield say(sentences.RESUME, id=head.id)
    elif head.state is not RunState.COMPLETE:
        yield say(sentences.WAIT, id=head.id)
    for each in report.lists:
        if each.gap:
            name = tongue.name(LISTS, each.name)
            yield say(sentences.CLOSE_GAP, list=name, count=tongue.count(each.gap))
    loose = sum(not each.ties_out for each in report.ledger)
    if loose:
        yield say(_loose(report), count=tongue.count(loose))
    for payout in report.payouts:
        if not payout.ties_out:
            both = (payout.held_minor, payout.amount_minor)
            of_it, is_worth = (tongue.amount(each, payout.currency) for each in both)
            yield say(sentences.PAYOUT_DIFFERS, id=visible(payout.id), held=of_it, amount=is_worth)


def _loose(report: Report) -> Phrase:
    if report.head.is_dry:
        return sentences.NOT_TIED_OUT_YET
    is_gone = report.is_unknown_at_stripe
    return sentences.NOT_TIED_OUT_WHILE_GONE if is_gone else sentences.NOT_TIED_OUT


def _to_decide(report: Report, tongue: Tongue) -> Iterator[str]:
    say = tongue.say
    found = dict.fromkeys(Outcome, 0)
    for _, outcome, count in report.differences_by_kind:
        found[outcome] += count
    if found[Outcome.WOULD_REPAIR]:
        yield say(sentences.REPAIR, count=tongue.count(found[Outcome.WOULD_REPAIR]))
    if found[Outcome.NEEDS_A_PERSON]:
        yield say(sentences.DECIDE, count=tongue.count(found[Outcome.NEEDS_A_PERSON]))
    if report.open_questions:
        words = sentences.QUESTIONS_BEFORE if report.head.is_dry else sentences.QUESTIONS
        yield say(words, count=tongue.count(report.open_questions))
    yield from _deadlines(report, tongue)
    if report.changed_since_signed:
        yield say(sentences.BOOK_CHANGES, count=tongue.count(len(report.changed_since_signed)))
    if report.head.day_not_over:
        yield say(sentences.COME_BACK)


def _deadlines(report: Report, tongue: Tongue) -> Iterator[str]:
    first: ReturnLine | None = None
    waiting = 0
    for each in report.disputes():
        if each.status in _ANSWERED_BY_US and each.respond_by:
            waiting += 1
            if first is None or each.respond_by < (first.respond_by or _LATEST):
                first = each
    if first:
        yield tongue.say(
            sentences.ANSWER,
            count=tongue.count(waiting),
            id=visible(first.id),
            until=tongue.moment(first.respond_by),
        )


def _at_the_end(report: Report, tongue: Tongue) -> str:
    if report.head.is_dry:
        return tongue.say(sentences.ALL_WELL)
    if report.head.signed_by:
        return tongue.say(sentences.SIGNED)
    return tongue.say(sentences.SIGN, id=report.head.id)
