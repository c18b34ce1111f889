"""Text that others wrote is harmless to look at."""

import pytest

from reconciler.core.hostile import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, ünïcode 漢字", "plain, ünïcode 漢字"),
        ("\x1b[2J", "\\x1b[2J"),
        ("a\r\nb\tc\x00", "a\\x0d\\x0ab\\x09c\\x00"),
        ("\u202egnp.exe", "\\x202egnp.exe"),
        ("\ud800", "\\xd800"),
        ("1\u202f234\u00a0USD", "1\u202f234\u00a0USD"),
    ],
)
def test_it_shows_what_steers_as_its_code(text: str, shown: str) -> None:
    """Control characters, reordering marks and halves of characters become visible; spaces of a language stay."""
    assert visible(text) == shown
