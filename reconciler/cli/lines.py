"""How does a command say how things stand? One line each, coloured by whether somebody must act."""

import shutil
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from reconciler.cli.output import safe, say


class Colour(StrEnum):
    """How a line stands: fine, worth a look, or something that a person must mend."""

    GOOD = "ok"
    LOOK = "look"
    RED = "RED"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was looked at, with its mend where it is red; `facts` are what the words rest on, for programs."""

    colour: Colour
    what: str
    words: str
    facts: Mapping[str, Any] = field(default_factory=dict)


def show(lines: Sequence[Line], *, red: str = Colour.RED) -> None:
    """Print the lines, each broken within the terminal's width and indented under its own words.

    `red` is the word before a red one.
    """
    width = max(len(each.what) for each in lines)
    for each in lines:
        word = red if each.colour is Colour.RED else each.colour
        head = f"{word:<4}  {each.what:<{width}}  "
        shown = textwrap.wrap(
            # Made visible before it is broken: a character that steers would be taken for a space.
            safe(each.words),
            shutil.get_terminal_size().columns,
            initial_indent=head,
            subsequent_indent=" " * len(head),
            break_on_hyphens=False,
        )
        for line in shown:
            say(line)


def as_data(lines: Sequence[Line], *, red: str = Colour.RED) -> list[dict[str, Any]]:
    """The lines for other programs; `red` is the state of a red one."""
    return [
        {
            "state": red if each.colour is Colour.RED else each.colour,
            "what": each.what,
            "words": each.words,
            **({"facts": each.facts} if each.facts else {}),
        }
        for each in lines
    ]


def is_red(lines: Sequence[Line]) -> bool:
    """Whether a person must mend something."""
    return any(each.colour is Colour.RED for each in lines)


def words_of(span: timedelta) -> str:
    """A stretch of time as a person says it: 12 s, 3 min, 5 h, 4 d."""
    seconds = max(0, int(span.total_seconds()))
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
