"""Does docs/security.md promise only what a test shows?"""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_it_names_tests_that_are_there() -> None:
    """Each test that the table of docs/security.md names exists, and each of its rows names one."""
    text = (ROOT / "docs" / "security.md").read_text()
    named = re.findall(r"`(tests/[a-z_/]+\.py)::(test_\w+)`", text)
    rows = [
        line for line in text.splitlines() if line.startswith("| ") and "| what we do |" not in line
    ]

    missing = [name for file, name in named if f"def {name}(" not in (ROOT / file).read_text()]
    bare = [row for row in rows if "::test_" not in row]
    assert len(named) >= len(rows) > 20
    assert missing == []
    assert bare == []
