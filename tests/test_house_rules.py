"""Does the house still look as we agreed? Rules about the code itself that no linter knows."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted(
    path
    for folder in ("reconciler", "webhook", "benchmarks")
    for path in ROOT.glob(f"{folder}/**/*.py")
)
TESTS = sorted(ROOT.glob("tests/**/test_*.py"))
CORE = sorted(ROOT.glob("reconciler/core/*.py"))
LINES_A_FILE = 300
LINES_A_FUNCTION = 50
# Tables are declarations, one a row; the migration repeats them as they were.
DECLARATIONS = {"tables.py", "0001_first_tables.py"}
LOOSE_WORDS = re.compile(r"(^|_)(utils?|helpers?|managers?|do|sync|misc)($|_)")


def _id(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=_id)
def test_it_keeps_files_and_functions_short(path: Path) -> None:
    """A file has at most 300 lines and a function at most 50."""
    if path.name in DECLARATIONS:
        return
    text = path.read_text()

    assert len(text.splitlines()) <= LINES_A_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= LINES_A_FUNCTION, f"{node.name} has {length} lines"


@pytest.mark.parametrize("path", SOURCES, ids=_id)
def test_it_names_things_by_what_they_are(path: Path) -> None:
    """No file, class or function has a name that says nothing."""
    names = [path.stem]
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    names += [n.name.lower() for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, kinds)]

    assert [name for name in names if LOOSE_WORDS.search(name)] == []


@pytest.mark.parametrize("path", CORE, ids=_id)
def test_it_lets_the_core_read_no_clock(path: Path) -> None:
    """The core asks for no time, no random number, no file, no environment and no log."""
    text = path.read_text()

    for word in ("datetime.now", "time.time", "utcnow", "random", "open(", "environ", "logging"):
        assert word not in text


@pytest.mark.parametrize("path", TESTS, ids=_id)
def test_it_says_of_each_test_what_truth_it_checks(path: Path) -> None:
    """Every test has a docstring of one sentence."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            assert ast.get_docstring(node), node.name


def test_it_writes_money_in_one_place_only() -> None:
    """No file but those behind the door writes payments, allocations, settlements or invoices."""
    door = {
        "payments.py",
        "ledgers.py",
        "facts.py",
        "invoices.py",
        "embedded.py",
        "rows.py",
        "outcomes.py",
    }
    writes = re.compile(
        r"(insert|update|delete|upsert)\w*\(\s*(tx,\s*)?(tables\.)?"
        r"(payments|allocations|settlements|invoices|embedded)\b"
    )
    guilty = [_id(p) for p in SOURCES if p.name not in door and writes.search(p.read_text())]

    assert guilty == []
