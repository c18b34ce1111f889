"""How is a whole table checked beside those who write it, without a long transaction and without a false alarm?

A page is read in one transaction, which sees one moment. If anything of it looks wrong, its halves are looked at again, each in
a transaction of its own, down to the single subject: only what is wrong about that one, alone and now, is a problem. So a row
that nobody can even read is named too, and its neighbours are checked all the same.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from reconciler.db import audits
from reconciler.db.audits import Rule
from reconciler.db.session import Database, StatementFailed, StorageUnavailable, Tx
from reconciler.verify.findings import AWAITED, Problem, Tally
from reconciler.verify.scope import Scope

# Whoever decides about a page compares each payment with each invoice of it: a larger one takes longer.
PAGE: Final = 50

Check: TypeAlias = Callable[[Tx, Sequence[str], Scope], Iterator[Problem]]


@dataclass(frozen=True, slots=True)
class Walk:
    """A table in pages of ids, and what is checked of each page."""

    name: str
    page: Callable[..., list[str]]
    check: Check


def walk(db: Database, over: Walk, scope: Scope, tally: Tally) -> int:
    """Check a table from its first id to its last; returns how many there were."""
    checked, after = 0, ""
    while True:
        with db.reading() as tx:
            ids = over.page(tx, after=after, limit=PAGE)
        if not ids:
            return checked
        if _look(db, over.check, ids, scope):
            for each in _narrow(db, over.check, ids, scope, tally):
                tally.add(each)
        checked, after = checked + len(ids), ids[-1]
        tally.told(over.name, checked)


def _narrow(
    db: Database, check: Check, ids: Sequence[str], scope: Scope, tally: Tally
) -> Iterator[Problem]:
    """Look again at the halves of what looked wrong, and at last at the single one, which tells what is."""
    if len(ids) == 1:
        found = _look(db, check, ids, scope)
        tally.awaited += sum(each is AWAITED for each in found)
        yield from (each for each in found if each is not AWAITED)
        return
    middle = len(ids) // 2
    for half in (ids[:middle], ids[middle:]):
        if _look(db, check, half, scope):
            yield from _narrow(db, check, half, scope, tally)


def _look(db: Database, check: Check, ids: Sequence[str], scope: Scope) -> list[Problem]:
    with db.reading() as tx:
        try:
            return list(check(tx, ids, scope))
        except (StorageUnavailable, StatementFailed):
            raise
        except Exception as error:  # noqa: BLE001 - rows that no apply could have written may do anything to us
            # Whatever stands in the row stays there: an error may repeat what a payer wrote.
            words = str(error) if isinstance(error, ValueError) else type(error).__name__
            return [Problem(ids[0], f"can't be decided again: {words}"[:300], check="unreadable")]


def walk_rules(db: Database, rules: Iterable[Rule], tally: Tally) -> None:
    """Check rules about single rows; those about one table go through it together."""
    tables: dict[Any, list[Rule]] = {}
    for rule in rules:
        tables.setdefault(rule.key, []).append(rule)
    for key, own in tables.items():
        after: Any = None
        while True:
            with db.reading() as tx:
                last = audits.end_of_stretch(tx, key, after)
                found = [(rule, audits.suspects(tx, rule, after, last)) for rule in own]
            for rule, keys in found:
                _tell(db, rule, keys, tally)
            if last is None:
                break
            after = last
            tally.told(key.table.name, 0)


def _tell(db: Database, rule: Rule, keys: Sequence[Any], tally: Tally) -> None:
    for start in range(0, len(keys), PAGE):
        with db.reading() as tx:
            rows = audits.still_wrong(tx, rule, keys[start : start + PAGE])
        for row in rows:
            subject, what = rule.subject.format_map(row), rule.what.format_map(row)
            tally.add(Problem(subject, what, rule.mend.format_map(row), rule.check))
