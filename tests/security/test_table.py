"""Do docs/security.md and docs/reliability.md promise only what a test shows?"""

import re
from pathlib import Path

from tests.torture.suites import SUITES

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


def test_it_names_files_that_are_there() -> None:
    """Each file and directory of tests that a table of docs/reliability.md names exists, and each suite of the torture."""
    text = (ROOT / "docs" / "reliability.md").read_text()
    rows = "\n".join(line for line in text.splitlines() if line.startswith("| "))
    files = set(re.findall(r"`([a-z_/]+(?:\.py|/))`", rows))
    suites = set(re.findall(r"`torture/([a-z]+)`", rows))

    missing = [each for each in sorted(files) if not (ROOT / "tests" / each).exists()]
    assert len(files) > 80
    assert missing == []
    assert suites <= set(SUITES)
