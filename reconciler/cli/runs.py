"""`runs list | show | report | sign | diff`: the history of what finance reconciled, and what somebody signed for."""

import sys

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
from reconciler.cli.output import cell, say_json, say_wrapped
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
from reconciler.db import runs
from reconciler.reconcile.comparing import diff
from reconciler.reconcile.signing import sign
from reconciler.reconcile.statement import NoSuchRun, report_of
from reconciler.report import Form

group = typer.Typer(help="What was reconciled, and signed.", no_args_is_help=True)
app.add_typer(group, name="runs")


@group.command("list")
def list_(config: Config = None, limit: Limit = 50, as_json: AsJson = False) -> None:
    """List the runs, the newest first."""
    from reconciler.cli import history  # noqa: PLC0415 - see `reconciler.report`

    settings = settings_of(config)
    with database(settings) as db, db.reading() as tx:
        found = runs.newest(tx, limit)
    if as_json:
        say_json(found)
        return
    history.tell_runs(found, settings.report.locale)


@group.command("show")
def show(run_id: RunId, config: Config = None, as_json: AsJson = False) -> None:
    """Show who asked for a run, how far it has come, and what it found."""
    from reconciler.cli import history  # noqa: PLC0415 - see `reconciler.report`

    settings = settings_of(config)
    with database(settings) as db:
        head = run_called(db, run_id)
        with db.reading() as tx:
            counts = runs.count_differences(tx, run_id)
    if as_json:
        differences = [
            {"kind": kind, "outcome": outcome, "count": count} for kind, outcome, count in counts
        ]
        say_json({"run": head, "differences": differences})
        return
    history.tell_run(head, counts, settings.report.locale)


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
    from reconciler.cli import history  # noqa: PLC0415 - see `reconciler.report`

    settings = settings_of(config)
    with database(settings) as db:
        try:
            found = diff(db, first, second)
        except NoSuchRun as unknown:
            raise unknown_run(unknown) from None
        gone, new = (history.some(each()) for each in (found.only_first, found.only_second))
    if as_json:
        changed = {"changed_first": found.changed_first, "changed_second": found.changed_second}
        say_json({"totals": found.totals, "only_first": gone, "only_second": new, **changed})
    else:
        history.tell_difference((first, second), found, (gone, new), settings.report.locale)
    is_other = found.totals or gone or new or found.changed_first or found.changed_second
    sys.exit(1 if is_other else 0)
