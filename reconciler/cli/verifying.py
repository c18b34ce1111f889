"""`verify`: do the books agree with what was observed, and what mends it where they do not?"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console

from reconciler.cli.context import AsJson, Config, app, database, now, policy_of, settings_of
from reconciler.cli.output import say, say_json
from reconciler.verify import KEPT, Report, Told
from reconciler.verify import verify as check


@app.command()
def verify(
    config: Config = None,
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Fold all observations again, too.")
    ] = False,
    limit: Annotated[
        int, typer.Option("--limit", min=1, max=KEPT, help="Print at most so many problems.")
    ] = 100,
    as_json: AsJson = False,
) -> None:
    """Check every invariant of the books, writing nothing; exit 1 if anything is wrong, 3 if it could not be checked."""
    settings = settings_of(config)
    with database(settings) as db, _watched() as told:
        policy = policy_of(settings, db)
        report = check(db, policy, now=now(), rebuild=rebuild, inbox=True, kept=limit, told=told)
    if as_json:
        _tell_programs(report)
    else:
        _tell_people(report)
    sys.exit(1 if report.count else 0)


def _tell_programs(report: Report) -> None:
    problems = [
        {"check": p.check, "subject": p.subject, "what": p.what, "mend": p.mend}
        for p in report.problems
    ]
    say_json(
        {
            "payments": report.payments,
            "invoices": report.invoices,
            "awaited": report.awaited,
            "count": report.count,
            "problems": problems,
        }
    )


def _tell_people(report: Report) -> None:
    for problem in report.problems:
        say(f"{problem.subject}: {problem.what}. Mend: {problem.mend}.")
    left_out = report.count - len(report.problems)
    if left_out:
        say(f"... and {left_out} more; --limit prints up to {KEPT}.")
    if report.awaited:
        say(f"{report.awaited} wait for the daemon to settle what the app has just changed.")
    checked = f"{report.payments} payments and {report.invoices} invoices checked"
    say(f"{checked}, {report.count} problems.")


@contextmanager
def _watched() -> Iterator[Told]:
    """Show on a terminal's standard error how far it has come; elsewhere nothing."""
    console = Console(stderr=True)
    if not console.is_terminal:
        yield lambda _part, _checked: None
        return
    with console.status("checking") as shown:
        yield lambda part, checked: shown.update(
            f"checking {part}" + (f": {checked}" if checked else "")
        )
