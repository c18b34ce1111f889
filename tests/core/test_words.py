"""Whether of several words the one that counts is the same in every order, and an unknown word is never the good one."""

from itertools import combinations

import pytest

from reconciler.core.words import (
    DISPUTE_RANK,
    REFUND_RANK,
    DisputeClass,
    dispute_class,
    dispute_word,
    refund_word,
)
from tests.core import builders as b

# From the least to the highest, written down here a second time on purpose.
DISPUTES = (
    ("warning_needs_response", "inquiry"),
    ("warning_under_review", "inquiry"),
    ("warning_closed", "inquiry_closed"),
    ("needs_response", "open"),
    ("under_review", "open"),
    ("lost", "lost"),
    ("prevented", "lost"),
    ("charge_refunded", "lost"),
    ("won", "won"),
)
REFUNDS = ("pending", "requires_action", "succeeded", "canceled", "failed")


@pytest.mark.parametrize(("low", "high"), list(combinations(DISPUTES, 2)))
def test_it_shows_the_higher_of_two_dispute_words(
    low: tuple[str, str], high: tuple[str, str]
) -> None:
    """Inquiry < closed inquiry < open < lost < won, whichever of two words was seen first or is dated later."""
    for words in ((low[0], high[0]), (high[0], low[0])):
        told = [b.event(b.dispute(word), second) for second, word in enumerate(words)]
        seen = b.book(*told).disputes["dp_1"]

        assert (dispute_word(seen), dispute_class(seen)) == high


@pytest.mark.parametrize(("low", "high"), list(combinations(REFUNDS, 2)))
def test_it_shows_the_higher_of_two_refund_words(low: str, high: str) -> None:
    """In flight < succeeded < dead: a refund that failed never returns."""
    for words in ((low, high), (high, low)):
        seen = b.book(*(b.event(b.refund(word)) for word in words)).refunds["re_1"]

        assert refund_word(seen) == high


def test_it_takes_an_unknown_word_for_unfinished() -> None:
    """A word of next year is never ranked: a dispute then counts as open and a refund as pending."""
    known = b.book(b.event(b.dispute("word_of_next_year")), b.event(b.refund("word_of_next_year")))

    assert dispute_class(known.disputes["dp_1"]) is DisputeClass.OPEN
    assert refund_word(known.refunds["re_1"]) == "pending"


def test_it_lists_every_word_that_it_ranks() -> None:
    """No word is ranked without standing in the tables above."""
    assert set(DISPUTE_RANK) == {word for word, _ in DISPUTES}
    assert set(REFUND_RANK) == set(REFUNDS)
