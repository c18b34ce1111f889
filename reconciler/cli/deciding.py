"""Who decides, and why? Nothing that a person decides is stored without both."""

import os
from typing import Annotated, Final, TypeAlias

import typer

from reconciler.assigning import By
from reconciler.cli.context import Refused

ByName: TypeAlias = Annotated[
    str | None, typer.Option("--by", metavar="NAME", help="Who decides; else $SUDO_USER, $USER.")
]
Reason: TypeAlias = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why, for whoever asks later.")
]
NAME_MAX: Final = 100
REASON_MAX: Final = 1000


def decider(by: str | None, reason: str) -> By:
    """Who decides and why, both as one line of text."""
    name = name_of(by)
    if not reason.strip():
        raise Refused('a decision needs its reason: --reason "phoned the customer"')
    return By(name, _line("--reason", reason, REASON_MAX))


def name_of(by: str | None) -> str:
    """Who asks or decides, as one line of text."""
    name = by if by is not None else os.environ.get("SUDO_USER") or os.environ.get("USER") or ""
    if not name.strip():
        raise Refused("who decides is not known: say --by NAME")
    return _line("--by", name, NAME_MAX)


def _line(option: str, text: str, longest: int) -> str:
    line = text.strip()
    if len(line) > longest or not line.isprintable():
        raise Refused(f"{option}: must be one line of plain text, at most {longest} characters")
    return line
