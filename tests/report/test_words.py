"""Each thing in a report has a name in each language."""

import re
from collections.abc import Iterator, Mapping

import pytest

from reconciler.core.drift import Drift
from reconciler.core.report import Outcome, RunState
from reconciler.language import Phrase
from reconciler.report import notes, sentences, words
from reconciler.report.tables import BY_KIND, TABLES

PLACES = re.compile(r"\{(\w+)\}")


def phrases() -> Iterator[Phrase]:
    """Every phrase that a report may use."""
    for held in (*vars(words).values(), *vars(sentences).values(), notes.NOTES):
        if isinstance(held, Phrase):
            yield held
        elif isinstance(held, Mapping):
            yield from (each for each in held.values() if isinstance(each, Phrase))
        elif isinstance(held, tuple):
            yield from held


@pytest.mark.parametrize("phrase", list(phrases()), ids=lambda phrase: phrase.en[:40])
def test_it_has_both_languages_with_the_same_values(phrase: Phrase) -> None:
    """No language is missing, and each says the same values."""
    assert phrase.en.strip()
    assert phrase.fr.strip()
    assert set(PLACES.findall(phrase.en)) == set(PLACES.findall(phrase.fr))


def test_it_names_every_kind_outcome_and_state() -> None:
    """Whatever a run may say has a name."""
    assert set(words.KINDS) == set(Drift)
    assert set(words.OUTCOMES) == set(Outcome)
    assert set(words.STATES) == set(RunState)


def test_it_names_every_table_and_column() -> None:
    """No table and no column is shown by its key."""
    assert {table.key for table in (*TABLES, BY_KIND)} <= set(words.TABLES)
    assert {column.key for table in TABLES for column in table.columns} <= set(words.HEADINGS)


def test_it_keeps_sheet_names_short_enough() -> None:
    """A spreadsheet takes names of at most 31 characters, a number behind them included."""
    for phrase in words.TABLES.values():
        assert max(len(phrase.en), len(phrase.fr)) <= 28
