"""How are the figures of a benchmark kept, and shown as a table?

A file of JSON holds a sheet for each benchmark and database, the newest of each. `python -m benchmarks.sheets FILE` prints
them all as Markdown.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TypeAlias

Cell: TypeAlias = str | int | float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One bar of a chart; `is_ours` is what the project is about."""

    says: str
    value: float
    is_ours: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """What was measured in one go: `columns` are names and how a number is written, `targets` words, figure and verdict."""

    benchmark: str
    database: str
    told: Sequence[str]
    columns: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[Cell]]
    targets: Sequence[tuple[str, float, str]] = ()
    bars: Sequence[Bar] = ()

    def table(self) -> list[str]:
        """The figures as a table of Markdown."""
        forms = [form for _, form in self.columns]
        rows = [
            [_written(cell, form) for cell, form in zip(row, forms, strict=True)]
            for row in self.rows
        ]
        head = [name for name, _ in self.columns]
        rule = ["---" if not form else "---:" for form in forms]
        return [f"| {' | '.join(row)} |" for row in [head, rule, *rows]]

    def judged(self) -> list[str]:
        """The targets as a table of Markdown."""
        if not self.targets:
            return []
        lines = [
            f"| {words} | {value:,.2f} | {verdict} |" for words, value, verdict in self.targets
        ]
        return ["| target | measured | |", "|---|---:|---|", *lines]


def read(path: Path) -> list[Sheet]:
    """The sheets of a file; none if there is no such file."""
    if not path.exists():
        return []
    found = json.loads(path.read_text())["sheets"]
    return [Sheet(**{**each, "bars": [Bar(**bar) for bar in each["bars"]]}) for each in found]


def keep(path: Path, sheet: Sheet) -> list[Sheet]:
    """Write a sheet in place of the older one of the same benchmark and database; returns all that are there now."""
    name = (sheet.benchmark, sheet.database)
    others = [each for each in read(path) if (each.benchmark, each.database) != name]
    kept = [*others, sheet]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"sheets": [asdict(each) for each in kept]}, indent=1) + "\n")
    return kept


def _written(cell: Cell, form: str) -> str:
    if cell is None:
        return ""
    return cell if isinstance(cell, str) else format(cell, form)


def main() -> None:
    """Print the tables of a file."""
    for sheet in read(Path(sys.argv[1])):
        print(f"\n### {sheet.benchmark}, {sheet.database}\n", *sheet.told, sep="\n")
        print("", *sheet.judged(), "", *sheet.table(), sep="\n")


if __name__ == "__main__":
    main()
