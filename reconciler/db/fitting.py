"""Does a description fit the table that is there? Every reason why not, each with its mend."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from types import MappingProxyType
from typing import Final

from reconciler.core.invoice import PAID_WORD, InvoiceStatus
from reconciler.core.money import is_currency
from reconciler.db.foreign import Kind
from reconciler.db.invoice_table import NAMES, REQUIRED, WRITTEN
from reconciler.db.live_table import MOMENTS, LiveColumn, LiveTable

CONSTANT: Final = "="
"""What a column setting begins with that is no column but one text for all rows: `currency = "=eur"`."""
MOMENT_NAMES: Final = ("paid_at", "created_at", "updated_at")

_WORDS: Final = frozenset({"draft", "open", PAID_WORD, "void", "uncollectible"})
_TEXTS: Final = frozenset({Kind.TEXT, Kind.WORD, Kind.INTEGER, Kind.UUID})
_FITTING: Final = MappingProxyType(
    {
        "id": _TEXTS - {Kind.WORD},
        "amount_due": frozenset({Kind.INTEGER, Kind.NUMBER}),
        **dict.fromkeys(MOMENT_NAMES, MOMENTS),
    }
)
_LONGEST: Final = max(len(each) for each in InvoiceStatus)
_SHOWN_MAX: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What the settings say of the app's table.

    `columns` is our name to the app's column: "" where there is none, "=eur" where all rows have one value. `zone` is that of
    days, where `paid_at` holds no more.
    """

    table: str
    columns: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, str] = field(default_factory=dict)
    payable: tuple[str, ...] = ("open",)
    in_decimals: bool = False
    only: str = ""
    zone: tzinfo = UTC

    def chosen(self, live: LiveTable) -> dict[str, str]:
        """What stands for each of our names: a column, a constant, or nothing."""
        return {
            ours: self.columns.get(ours, ours if ours in live.columns else "") for ours in NAMES
        }


def problems(described: Description, live: LiveTable, *, dialect: str) -> Iterator[str]:
    """Every reason why the table can't be used as it is described; none if it can."""
    chosen = described.chosen(live)
    for ours in described.columns:
        if ours not in NAMES:
            yield f"[invoices.columns] {ours}: is no column of ours; {close(ours, NAMES)}"
    for ours, theirs in chosen.items():
        if not theirs and ours in REQUIRED:
            yield f"[invoices.columns] {ours}: must name a column; {close(ours, live.columns)}"
        elif theirs.startswith(CONSTANT):
            yield from _of_constant(ours, theirs.removeprefix(CONSTANT))
        elif theirs and theirs not in live.columns:
            yield f"[invoices.columns] {ours}: there is no column {theirs}; {close(theirs, live.columns)}"
        elif theirs:
            yield from _of_column(described, ours, live.columns[theirs], dialect)
    yield from _of_words(described)
    yield from _of_what_is_written(described, live, chosen)


def close(name: str, names: Iterable[str]) -> str:
    """What may have been meant."""
    found = sorted(map(str, names))
    meant = difflib.get_close_matches(name, found, n=1)
    if meant:
        return f"did you mean {meant[0]}?"
    return f"there are {', '.join(found[:_SHOWN_MAX])}" if found else "there are none"


def _of_constant(ours: str, value: str) -> Iterator[str]:
    if ours != "currency":
        yield f'[invoices.columns] {ours}: only currency may be the same for all ("=eur")'
    elif not is_currency(value):
        yield f'[invoices.columns] currency: write "=" and three lower-case letters, like "=eur", not "={value}"'


def _of_column(described: Description, ours: str, live: LiveColumn, dialect: str) -> Iterator[str]:
    fitting = _FITTING.get(ours, _TEXTS)
    # SQLite keeps moments as text or as numbers, whatever the column is called.
    is_moment = ours in MOMENT_NAMES and dialect == "sqlite"
    if live.kind not in fitting and not (is_moment and live.kind in {Kind.TEXT, Kind.INTEGER}):
        wanted = ", ".join(sorted(each.value for each in fitting))
        yield f"[invoices.columns] {ours}: {live.name} is {live.said}; it must be one of: {wanted}"
        return
    if ours == "amount_due":
        yield from _of_amounts(described, live)
    if ours in WRITTEN:
        yield from _of_labels(described, ours, live)
        yield from _of_length(described, ours, live)


def _of_amounts(described: Description, live: LiveColumn) -> Iterator[str]:
    if described.in_decimals and live.kind is Kind.INTEGER:
        yield (
            f'[invoices] amounts: is "decimal", but {live.name} holds whole numbers;'
            ' say "minor" if it holds cents'
        )
    if not described.in_decimals and (live.scale or live.is_binary_fraction):
        yield (
            f'[invoices] amounts: is "minor", but {live.name} is {live.said};'
            ' say "decimal" if it holds 12.50 and not 1250'
        )


def _of_labels(described: Description, ours: str, live: LiveColumn) -> Iterator[str]:
    if not live.labels:
        return
    if ours == "status":
        words = {described.words.get(each, each) for each in (PAID_WORD, *described.payable)}
        for word in sorted(words - set(live.labels)):
            yield (
                f"[invoices.words] {live.name} allows no {word!r}: say which of its words means that; it has"
                f" {', '.join(live.labels)}"
            )
    if ours == "payment_status":
        missing = sorted({each.value for each in InvoiceStatus} - set(live.labels))
        if missing:
            yield (
                f"[invoices.columns] payment_status: {live.name} does not allow {', '.join(missing)}; make it text, or leave"
                ' it out with payment_status = ""'
            )


def _of_length(described: Description, ours: str, live: LiveColumn) -> Iterator[str]:
    needed = {
        "status": len(described.words.get(PAID_WORD, PAID_WORD)),
        "payment_status": _LONGEST,
    }
    if live.length is not None and live.length < needed.get(ours, 0):
        yield (
            f"[invoices.columns] {ours}: {live.name} holds {live.length} letters, and our words need {needed[ours]};"
            f' make it longer, or leave it out with {ours} = ""'
        )


def _of_words(described: Description) -> Iterator[str]:
    known = {*_WORDS, *described.payable}
    for ours in sorted(described.words.keys() - known):
        yield f"[invoices.words] {ours}: is no word of ours; {close(ours, known)}"
    meant: dict[str, str] = {}
    for ours, theirs in sorted(described.words.items()):
        if theirs in meant:
            yield f"[invoices.words] {theirs!r} can't mean both {meant[theirs]} and {ours}"
        meant[theirs] = ours


def _of_what_is_written(
    described: Description, live: LiveTable, chosen: Mapping[str, str]
) -> Iterator[str]:
    written = {ours: chosen[ours] for ours in WRITTEN if chosen[ours] in live.columns}
    if len(set(written.values())) < len(written):
        yield "[invoices.columns] status, payment_status and paid_at must be columns of their own"
    for ours, theirs in written.items():
        if not live.columns[theirs].can_be_written:
            what = "view" if live.is_view else "column"
            yield (
                f"[invoices.columns] {ours}: the {what} does not let {theirs} be written; name the table itself,"
                f' or leave it out with {ours} = ""'
            )
        if re.search(rf"\b{re.escape(theirs)}\b", described.only, re.IGNORECASE):
            yield (
                f"[invoices] filter: must not ask for {theirs}, which is written: an invoice would drop out when it is paid;"
                " list what is not to be touched in other columns, or leave its words out of payable"
            )
