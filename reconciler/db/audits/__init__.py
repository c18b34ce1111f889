"""Which stored rows can't be right, whatever was observed?

Each rule is one condition that no row of a table may fulfil. Tables are read in stretches by an indexed key, so that no
statement is long; what is found is asked for again by its key, in a transaction of its own, before anybody is told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, LargeBinary, exists, select

from reconciler.db.session import Tx

STRETCH: Final = 5_000
# Of so many keys: where every row of a table is wrong, nobody reads them all.
FOUND_MAX: Final = 1_000

RESTORE: Final = "no apply writes this: put the row back from a backup, and find out who else writes to these tables"
BEHIND: Final = "the daemon is behind: `reconciler status` and its log say why"
RETRY: Final = "`reconciler events retry` with its id"
_LONG: Final = frozenset({"facts", "projection", "before"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What no row may be; `subject` and `what` are told with the columns of the row that is so, in braces."""

    check: str
    key: Any
    wrong: ColumnElement[bool]
    subject: str
    what: str
    mend: str = RESTORE


def end_of_stretch(tx: Tx, key: Any, after: Any) -> Any:
    """The last key of the next rows behind a key (None: of the first ones); None where there are no more behind it."""
    asked = select(key).where(_beyond(key, after)).order_by(key)
    return tx.scalar(asked.offset(STRETCH - 1).limit(1))


def suspects(tx: Tx, rule: Rule, after: Any, last: Any) -> Sequence[Any]:
    """The keys of the rows of a stretch that are wrong."""
    asked = select(rule.key).where(_beyond(rule.key, after), rule.wrong).distinct()
    if last is not None:
        asked = asked.where(rule.key <= last)
    return tx.scalars(asked.order_by(rule.key)).all()


def _beyond(key: Any, after: Any) -> Any:
    return key.is_not(None) if after is None else key > after


def still_wrong(tx: Tx, rule: Rule, keys: Sequence[Any]) -> list[Mapping[str, Any]]:
    """The rows with these keys that are wrong at this moment."""
    columns = [
        each
        for each in rule.key.table.columns
        if each.name not in _LONG and not isinstance(each.type, LargeBinary)
    ]
    asked = select(*columns).where(rule.key.in_(keys), rule.wrong).order_by(rule.key)
    return [dict(row) for row in tx.execute(asked.limit(FOUND_MAX)).mappings()]


def missing(name: Any, *there: Any) -> ColumnElement[bool]:
    """Whether a row names something that stands in none of these columns."""
    found = [exists().where(each == name).correlate_except(each.table) for each in there]
    wrong = ~found[0]
    for each in found[1:]:
        wrong &= ~each
    return wrong


def unknown(word: Any, known: type) -> ColumnElement[bool]:
    """Whether a column holds a word that is none of an enum's."""
    words: ColumnElement[bool] = word.not_in(sorted(each.value for each in known))  # type: ignore[attr-defined]
    return words
