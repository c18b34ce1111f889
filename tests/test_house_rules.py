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


MONEY = frozenset({"payments", "allocations", "settlements", "invoices", "embedded"})
# Behind the door; and where a benchmark fills books of its own, or an app's.
WRITES_MONEY = {
    "reconciler/db/payments.py",
    "reconciler/db/invoices.py",
    "reconciler/db/embedded.py",
    "reconciler/db/outcomes.py",
    "benchmarks/pages.py",
    "benchmarks/shops.py",
}
WRITING = re.compile(r"(^|_)(insert|update|delete|upsert|write|put)(_|$)")
IN_SQL = re.compile(
    rf"(insert into|update|delete from)\s+[\w.{{}}\"]*\b({'|'.join(sorted(MONEY))})\b",
    re.IGNORECASE,
)


def _last_name(node: ast.AST) -> str:
    """What a name, or the end of a dotted one, says."""
    match node:
        case ast.Name(id=name) | ast.Attribute(value=ast.Name(), attr=name):
            return name
    return ""


def _money_names(tree: ast.AST) -> set[str]:
    """The tables of money, and every other name that a file gives to one of them."""
    names = set(MONEY)
    for node in ast.walk(tree):
        match node:
            case ast.alias(name=name, asname=str(other)) if name in MONEY:
                names.add(other)
            case ast.Assign(targets=[ast.Tuple(elts=left)], value=ast.Tuple(elts=right)):
                names |= {
                    _last_name(a)
                    for a, b in zip(left, right, strict=False)
                    if _last_name(b) in MONEY
                }
            case ast.Assign(targets=[target], value=value) if _last_name(value) in MONEY:
                names.add(_last_name(target))
    return names


def _writes_money(text: str) -> bool:
    """Whether a file gives a table of money to what writes.

    A statement that is made once and kept, for `prepared.write`, is made of its table by `update(...)` and the like; rows go by
    a function that takes the table, as `rows.upsert` does. Both name it in a call.
    """
    tree = ast.parse(text)
    money = _money_names(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=str(said)) if IN_SQL.search(said):
                return True
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name) as called):
                given = [*node.args, *(each.value for each in node.keywords)]
                if isinstance(called, ast.Attribute) and name in {"insert", "update", "delete"}:
                    given.append(called.value)
                if WRITING.search(name) and any(_last_name(each) in money for each in given):
                    return True
    return False


def test_it_writes_money_in_one_place_only() -> None:
    """No file but those behind the door writes payments, allocations, settlements or invoices."""
    writing = {_id(path) for path in SOURCES if _writes_money(path.read_text())}

    assert writing == WRITES_MONEY


@pytest.mark.parametrize(
    "text",
    [
        "upsert(tx, payments, rows)",
        "tx.execute(tables.invoices.insert(), rows)",
        "_GONE: Final = delete(tables.allocations).where(x)\nwrite(tx, _GONE, ids=ids)",
        "write_all(tx, sqlite.insert(settlements), rows)",
        "paid, column = tables.payments, tables.payments.c\ntx.execute(update(paid))",
        "from reconciler.db.tables import settlements as sums\nupsert(tx, table=sums)",
        "tx.exec_driver_sql('DELETE FROM reconciler.payments')",
    ],
)
def test_it_sees_each_way_to_write_money(text: str) -> None:
    """A table of money is seen in whatever writes it, by its own name or by another one; in what only reads, it is let be."""
    assert _writes_money(text)
    assert not _writes_money("rows = tx.execute(select(payments).where(payments.c.id == one))")
