"""`runs list | show | report | sign | diff`: the history of what finance reconciled, and what somebody signed for."""

import sys
from collections.abc import Iterable
from itertools import islice
from typing import Any, Final

import typer

from reconciler.cli.context import (
    AsJson,
    Config,
    Limit,
    Refused,
    app,
    database,
    now,
    settings_of,
)
from reconciler.cli.deciding import ByName, name_of
from reconciler.cli.output import cell, details, money, say, say_json, say_wrapped, table
from reconciler.cli.reconcile import (
    AsForm,
    Output,
    RunId,
    exit_code,
    place_of,
    run_called,
    unknown_run,
    write_to,
)
from reconciler.core.report import Discrepancy, RunHead
from reconciler.db import runs
from reconciler.reconcile.comparing import TotalDiffers, diff
from reconciler.reconcile.signing import sign
from reconciler.reconcile.statement import NoSuchRun, report_of
from reconciler.report import Form
from reconciler.report.tongue import plain_worth

group = typer.Typer(help="What was reconciled, and signed.", no_args_is_help=True)
app.add_typer(group, name="runs")

# A person reads them one by one.
SHOWN_MAX: Final = 1000


@group.command("list")
def list_(config: Config = None, limit: Limit = 50, as_json: AsJson = False) -> None:
    """List the runs, the newest first."""
    with database(settings_of(config)) as db, db.reading() as tx:
        found = runs.newest(tx, limit)
    if as_json:
        say_json(found)
        return
    table(
        ("run", "days", "state", "asked at", "by", "signed by"),
        (
            (
                each.id,
                f"{each.first_day} to {each.last_day}",
                _state(each),
                each.asked_at,
                each.by,
                each.signed_by or None,
            )
            for each in found
        ),
        empty="Nothing was reconciled yet: `reconciler reconcile --from DAY --to DAY`.",
        spare="asked at",
    )


@group.command("show")
def show(run_id: RunId, config: Config = None, as_json: AsJson = False) -> None:
    """Show who asked for a run, how far it has come, and what it found."""
    with database(settings_of(config)) as db:
        head = run_called(db, run_id)
        with db.reading() as tx:
            counts = runs.count_differences(tx, run_id)
    if as_json:
        differences = [
            {"kind": kind, "outcome": outcome, "count": count} for kind, outcome, count in counts
        ]
        say_json({"run": head, "differences": differences})
        return
    details(_shown(head))
    if counts:
        say()
        table(
            ("difference", "what became of it", "how many"),
            ((_words(kind), _words(outcome), count) for kind, outcome, count in counts),
            empty="",
        )


@group.command("report")
def report(
    run_id: RunId, form: AsForm = Form.TABLE, output: Output = None, config: Config = None
) -> None:
    """Write the report on a run again; one that was signed says what it said then."""
    settings = settings_of(config)
    place = place_of(form, output)
    with database(settings) as db:
        run_called(db, run_id)
        told = report_of(db, run_id, now=now())
        write_to(told, form, place, settings)
    sys.exit(exit_code(told))


@group.command("sign")
def sign_(run_id: RunId, by: ByName = None, config: Config = None) -> None:
    """Sign for the totals of a run: they, and every id in them, stay as they are."""
    name = name_of(by)
    with database(settings_of(config)) as db:
        obstacle = sign(db, run_id, name, now())
        if obstacle is not None:
            raise Refused(f"run {run_id} can't be signed: {obstacle}", 1)
        head = run_called(db, run_id)
    say_wrapped(
        f"Run {run_id} is signed by {cell(name)}: {head.first_day} to {head.last_day} stay as they are, and a later run"
        " over these days lists what has changed."
    )


@group.command("diff")
def diff_(first: RunId, second: RunId, config: Config = None, as_json: AsJson = False) -> None:
    """Tell what two runs say differently; exit 1 if they do."""
    with database(settings_of(config)) as db:
        try:
            found = diff(db, first, second)
        except NoSuchRun as unknown:
            raise unknown_run(unknown) from None
        gone, new = (_some(each()) for each in (found.only_first, found.only_second))
    if as_json:
        say_json({"totals": found.totals, "only_first": gone, "only_second": new})
    elif found.totals or gone or new:
        _tell_totals(first, second, found.totals)
        _tell_only(first, gone)
        _tell_only(second, new)
    else:
        say(f"Runs {first} and {second} say the same.")
    sys.exit(1 if found.totals or gone or new else 0)


def _tell_totals(first: int, second: int, totals: Iterable[TotalDiffers]) -> None:
    table(
        ("book", "currency", "day", "what", f"run {first}", f"run {second}"),
        ((each.book, each.currency, each.day, _words(each.name), *_both(each)) for each in totals),
        empty="Both say the same sums.",
    )


def _both(differs: TotalDiffers) -> list[str]:
    is_money = differs.name.endswith("_minor")
    return [
        money(value, differs.currency) if is_money and value is not None else cell(value)
        for value in (differs.first, differs.second)
    ]


def _tell_only(run_id: int, found: list[Discrepancy]) -> None:
    if not found:
        return
    say()
    say(f"Only run {run_id} lists:")
    table(
        ("difference", "subject", "here", "at Stripe"),
        (
            (_words(each.kind), each.subject, plain_worth(each.here), plain_worth(each.there))
            for each in found
        ),
        empty="",
        whole="subject",
    )
    if len(found) == SHOWN_MAX:
        say(f"There may be more than these {SHOWN_MAX}: `reconciler runs report {run_id}` has all.")


def _some(found: Iterable[Discrepancy]) -> list[Discrepancy]:
    return list(islice(found, SHOWN_MAX))


def _state(head: RunHead) -> str:
    return f"{_words(head.state)}{', dry' if head.is_dry else ''}"


def _shown(head: RunHead) -> dict[str, Any]:
    covered = None
    if head.covered_from is not None and head.covered_until is not None:
        covered = f"{cell(head.covered_from)} until before {cell(head.covered_until)} UTC"
        covered += ", the last day is not over" if head.day_not_over else ""
    return {
        "run": head.id,
        "days": f"{head.first_day} to {head.last_day}, {head.zone}",
        "state": _state(head) + (f": {head.error}" if head.error else ""),
        "covered": covered,
        "asked": f"{cell(head.asked_at)} by {head.by}",
        "started": head.started_at,
        "ended": head.ended_at,
        "objects": head.objects,
        "requests": head.requests,
        "signed": f"{cell(head.signed_at)} by {head.signed_by}" if head.signed_by else None,
    }


def _words(name: str) -> str:
    return str(name).removesuffix("_minor").replace("_", " ")
