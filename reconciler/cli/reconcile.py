"""`reconcile`: is a range of days right? The run that a person asks for, and its report."""

import gc
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Annotated, Final, TypeAlias

import typer

from reconciler import signals
from reconciler.cli.context import (
    Config,
    Refused,
    app,
    database,
    gateway_of,
    inbox_of,
    now,
    settings_of,
)
from reconciler.cli.deciding import ByName, name_of
from reconciler.cli.output import complain, say
from reconciler.cli.watching import watched
from reconciler.config import Settings, require
from reconciler.core.calendar import BadRange, read_range
from reconciler.core.observation import ms
from reconciler.core.report import Outcome, Report, RunHead, RunState
from reconciler.db import queued
from reconciler.db.session import Database, StatementFailed, StorageUnavailable
from reconciler.poll import Poller
from reconciler.reconcile.asking import Asked, ask
from reconciler.reconcile.holding import RunTaken, going_on
from reconciler.reconcile.running import run
from reconciler.reconcile.statement import NoSuchRun, head_of, report_of
from reconciler.report import Form, OutputRefused

AsForm: TypeAlias = Annotated[Form, typer.Option("--format", help="How the report is written.")]
Output: TypeAlias = Annotated[
    Path | None,
    typer.Option("--output", metavar="PATH", help="Where to; for csv a folder. - is stdout."),
]
RUN_MAX: Final = 2**63 - 1
RunId: TypeAlias = Annotated[int, typer.Argument(metavar="RUN", min=1, max=RUN_MAX)]


@app.command()
def reconcile(  # noqa: PLR0913, PLR0917 - the options of the command
    first: Annotated[
        str | None, typer.Option("--from", metavar="DAY", help="The first day, like 2026-03-01.")
    ] = None,
    last: Annotated[
        str | None, typer.Option("--to", metavar="DAY", help="The last day, included.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only tell what a run would put right.")
    ] = False,
    form: Annotated[
        Form | None,
        typer.Option("--format", help="How the report is written; a table if not said."),
    ] = None,
    output: Output = None,
    resume: Annotated[
        int | None,
        typer.Option(
            "--resume", metavar="RUN", min=1, max=RUN_MAX, help="Go on with a run that was cut off."
        ),
    ] = None,
    queue: Annotated[bool, typer.Option("--queue", help="Leave the run to the daemon.")] = False,
    by: ByName = None,
    config: Config = None,
) -> None:
    """Compare a range of days with all that Stripe lists of it, put right what differs, and report."""
    settings = settings_of(config)
    require(settings, "mode", *(() if queue else ("api_key",)))
    _allow_report(queue, form, output)
    written = form or Form.TABLE
    place = place_of(written, output)
    name = name_of(by)
    with database(settings) as db:
        if resume is None:
            asked = _asked(settings, first, last, is_dry=dry_run, by=name, by_daemon=queue)
            run_id = ask(db, asked, now())
        elif first is not None or last is not None or dry_run:
            raise Refused("--resume RUN goes on with the days of that run: leave the others out")
        else:
            run_id = _resumable(db, resume)
        if queue:
            _leave_to_daemon(db, run_id)
            return
        head, signalled = _run(settings, db, run_id)
        if signalled is not None:
            _say_cut_off(head)
            sys.exit(130 if signalled == signal.SIGINT else 3)
        report = report_of(db, run_id, now=now())
        write_to(report, written, place, settings)
    sys.exit(exit_code(report))


def place_of(form: Form, output: Path | None) -> Path | None:
    """Where a report goes, None for standard output; refused before an hour's work is done for nothing."""
    from reconciler.report.writing import check_place  # noqa: PLC0415 - see `reconciler.report`

    place = None if output is None or str(output) == "-" else output
    try:
        check_place(form, place)
    except OutputRefused as refused:
        raise Refused(str(refused)) from None
    return place


def write_to(report: Report, form: Form, place: Path | None, settings: Settings) -> None:
    """Write a report, and say where it is."""
    from reconciler.report.writing import write  # noqa: PLC0415 - see `reconciler.report`

    try:
        write(report, form, place, locale=settings.report.locale)
    except OutputRefused as refused:
        again = f"`reconciler runs report {report.head.id}` writes it again"
        raise Refused(f"{refused}; {again}", 3) from None
    if place is not None:
        say(f"The report on run {report.head.id} is in {place}.")
    if report.head.state is RunState.CUT_OFF:
        _say_cut_off(report.head)


def run_called(db: Database, run_id: int, code: int = 1) -> RunHead:
    """The run with this number, or a plain answer."""
    try:
        return head_of(db, run_id)
    except NoSuchRun as unknown:
        raise unknown_run(unknown, code) from None


def unknown_run(what: NoSuchRun, code: int = 1) -> Refused:
    """Where to look for the runs that there are."""
    return Refused(f"{what}: `reconciler runs list` shows them", code)


def exit_code(report: Report) -> int:
    """0: nothing differs, or nothing any more; 1: something does, also from what was signed or as a sum; 3: not all was looked at."""
    if report.head.state is not RunState.COMPLETE:
        return 3
    outcomes = {outcome for _, outcome, count in report.differences_by_kind if count}
    settled = set() if report.head.is_dry else {Outcome.REPAIRED, Outcome.EXPLAINED}
    is_open = (
        outcomes - settled
        or not report.is_complete
        or not report.ties_out
        or not all(each.ties_out for each in report.payouts)
        or report.changed_since_signed
        or report.open_questions
    )
    return 1 if is_open else 0


def _allow_report(queue: bool, form: Form | None, output: Path | None) -> None:
    if queue and (output is not None or form is not None):
        raise Refused(
            "--queue writes no report: leave --output and --format out, and ask `runs report` for it"
        )


def _asked(  # noqa: PLR0913 - what the command was asked
    settings: Settings,
    first: str | None,
    last: str | None,
    *,
    is_dry: bool,
    by: str,
    by_daemon: bool,
) -> Asked:
    if first is None or last is None:
        raise Refused("which days? Say --from 2026-03-01 --to 2026-03-31")
    zone = settings.report.timezone
    try:
        days = read_range(first, last, zone=zone, now_ms=ms(now()))
    except BadRange as refused:
        raise Refused(str(refused)) from None
    return Asked(days=days, zone=str(zone), is_dry=is_dry, by=by, by_daemon=by_daemon)


def _resumable(db: Database, run_id: int) -> int:
    head = run_called(db, run_id, 2)
    if head.state is RunState.COMPLETE:
        raise Refused(
            f"run {run_id} has come to its end: `reconciler runs report {run_id}` shows it"
        )
    if head.state is RunState.RUNNING:
        raise Refused(going_on(run_id))
    return run_id


def _leave_to_daemon(db: Database, run_id: int) -> None:
    with db.writing() as tx:
        is_left = queued.leave_to_daemon(tx, run_id)
    if not is_left:
        # It has come to its end since it was looked at, or somebody is at work on it.
        _resumable(db, run_id)
        raise Refused(going_on(run_id))
    say(f"Run {run_id} waits for the daemon: `reconciler runs show {run_id}` tells how it goes.")


def _run(settings: Settings, db: Database, run_id: int) -> tuple[RunHead, int | None]:
    """Run it here, until a signal stops it; returns how it ended, and the signal."""
    stop, signalled = threading.Event(), list[int]()

    def end(number: int, _frame: FrameType | None) -> None:
        signalled.append(number)
        stop.set()

    for number in signals.ending():
        signal.signal(number, end)
    # What is there by now stays: a long run need not look through all of it again and again for what is garbage.
    gc.freeze()
    poller = Poller(
        db=db, gateway=gateway_of(settings, stop), inbox=inbox_of(settings, db), now=now
    )
    try:
        with watched() as told:
            head = run(poller, run_id, told=told)
    except (StorageUnavailable, StatementFailed) as error:
        again = f"`reconciler reconcile --resume {run_id}` goes on"
        raise Refused(f"run {run_id} was cut off, the database: {error}; {again}", 3) from None
    except RunTaken as taken:
        raise Refused(str(taken)) from None
    return head, signalled[0] if signalled and head.state is not RunState.COMPLETE else None


def _say_cut_off(head: RunHead) -> None:
    complain(
        f"run {head.id} was cut off, not all was looked at ({head.error or 'it failed'}):"
        f" `reconciler reconcile --resume {head.id}` goes on"
    )
