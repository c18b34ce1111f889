"""What came of a part of the torture: figures that add up, and what was not as it must be."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass
class Outcome:
    """How often what happened, by words, and one line for each problem."""

    figures: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def add(self, figures: Mapping[str, int]) -> None:
        """Add figures to those that are there."""
        for name, number in figures.items():
            self.figures[name] += number

    def found(self, where: str, problems: list[str]) -> None:
        """Add problems, with the place where they were found."""
        self.problems += [f"{where}: {each}" for each in problems]


class Skipped(Exception):  # noqa: N818 - it names a state of the machine
    """It can't be tried here; the message says why."""
