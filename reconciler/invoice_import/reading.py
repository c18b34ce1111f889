"""What does a CSV file of invoices say? Its dialect is found out; its money and its names are never guessed."""

import codecs
import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from reconciler.core.invoice import PAID_WORD
from reconciler.core.money import is_currency, to_minor

ROWS_MAX = 100_000
HEAD_MAX_CHARS = 10_000
DIGITS_MAX = 15
DELIMITERS = (",", ";", "\t", "|")
WORDS = frozenset({"draft", "open", "paid", "void", "uncollectible"})
TEXTS = (
    "number",
    "customer_name",
    "customer_email",
    "user_id",
    "stripe_payment_intent_id",
    "stripe_checkout_session_id",
    "stripe_payment_link_id",
)
DATES = ("created_at", "paid_at")
# Before it, a date is what a program writes for none.
YEAR_MIN = 1970
KNOWN = frozenset({"id", "currency", "amount", "amount_due", "status", *TEXTS, *DATES})


@dataclass(frozen=True, slots=True)
class Row:
    """One invoice of the file, in our columns; a cell that is empty or not there says nothing, and has no value here."""

    line: int
    values: dict[str, object]

    @property
    def names(self) -> frozenset[str]:
        """The values by which a payment could name it."""
        return frozenset(str(self.values[k]) for k in ("id", "number") if self.values.get(k))


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that can't be imported: its line in the file, and why."""

    line: int
    reason: str


class UnreadableFile(ValueError):  # noqa: N818 - it names what the file is
    """The file as a whole is no CSV of invoices."""


def read(path: Path) -> tuple[list[Row], list[BadRow]]:
    """Read invoices: `amount_due` in minor units, or `amount` in major ones. Bad rows are told, never guessed.

    The text is UTF-8, or UTF-16 with its mark, as spreadsheets write both. Raises OSError and UnreadableFile.
    """
    with path.open("rb") as opened:
        mark = opened.read(2)
    is_wide = mark in {codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE}
    try:
        with path.open(encoding="utf-16" if is_wide else "utf-8-sig", newline="") as file:
            return _read(file)
    except UnicodeError:
        raise UnreadableFile("is not UTF-8 text; save it as CSV UTF-8") from None


def _read(file: TextIO) -> tuple[list[Row], list[BadRow]]:
    head = file.readline(HEAD_MAX_CHARS)
    file.seek(0)
    if "\x00" in head:
        raise UnreadableFile("holds NUL characters; save it as CSV UTF-8")
    # Only the separator is guessed: a guess at the quoting would mangle every name with a quote in it.
    delimiter = max(DELIMITERS, key=head.count)
    reader = csv.DictReader(file, delimiter=delimiter)
    good: list[Row] = []
    bad: list[BadRow] = []
    lines: dict[str, int] = {}
    try:
        reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
        _require_columns(reader.fieldnames)
        for cells in reader:
            if len(good) + len(bad) >= ROWS_MAX:
                raise UnreadableFile(f"more than {ROWS_MAX} rows; split the file")
            try:
                row = Row(reader.line_num, _values(cells))
                _require_own_names(row, lines)
                good.append(row)
            except ValueError as error:
                bad.append(BadRow(reader.line_num, str(error)))
    except csv.Error as error:
        raise UnreadableFile(f"line {reader.reader.line_num}: {error}") from None
    return good, bad


def _require_columns(names: Sequence[str]) -> None:
    have = {name for name in names if name}
    if not have & {"id", "number"} or "currency" not in have:
        raise UnreadableFile("the first line must name the columns: id or number, currency, amount")
    if not have & {"amount", "amount_due"}:
        raise UnreadableFile("needs a column amount_due (minor units) or amount (12.50)")
    if {"amount", "amount_due"} <= have:
        raise UnreadableFile("give amount or amount_due, not both")
    unknown = sorted(have - KNOWN)
    if unknown:
        raise UnreadableFile(f"unknown columns: {', '.join(unknown)}")
    twice = sorted(name for name in have if names.count(name) > 1)
    if twice:
        raise UnreadableFile(f"columns that stand twice: {', '.join(twice)}")


def _require_own_names(row: Row, lines: dict[str, int]) -> None:
    """Refuse a row that shares a name with an earlier one of the file: neither could be told from the other by it."""
    for name in sorted(row.names):
        if name in lines:
            raise ValueError(f"{name!r} names the invoice of line {lines[name]} too")
    lines.update(dict.fromkeys(row.names, row.line))


def _values(cells: Mapping[str | None, object]) -> dict[str, object]:
    if None in cells:
        raise ValueError("has more cells than the first line has columns")
    text = {str(name): str(cell or "").strip() for name, cell in cells.items()}
    if any("\x00" in value for value in text.values()):
        raise ValueError("holds a NUL character")
    if not (text.get("id") or text.get("number")):
        raise ValueError("has neither an id nor a number")
    currency = text.get("currency", "").lower()
    if not is_currency(currency):
        raise ValueError(f"currency {currency!r} is no three-letter code")
    status = text.get("status")
    if status and status not in WORDS:
        raise ValueError(f"status {status!r} is none of {', '.join(sorted(WORDS))}")
    if text.get("paid_at") and status != PAID_WORD:
        raise ValueError("has a paid_at, and its status does not say `paid`")
    return {
        **{name: text[name] for name in ("id", "status", *TEXTS) if text.get(name)},
        **{name: _moment(name, text[name]) for name in DATES if text.get(name)},
        "currency": currency,
        "amount_due": _amount(text, currency),
    }


def _moment(name: str, text: str) -> datetime:
    """A day or a moment in ISO 8601; without a zone it is UTC."""
    try:
        found = datetime.fromisoformat(text)
        found = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        found = None
    if found is None or found.year < YEAR_MIN:
        raise ValueError(f"{name} {text!r} is no date: write 2026-03-01 or 2026-03-01T09:30:00Z")
    return found


def _amount(text: Mapping[str, str], currency: str) -> int:
    if "amount" in text:
        return to_minor(text["amount"], currency)
    raw = text.get("amount_due", "")
    digits = raw.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > DIGITS_MAX:
        raise ValueError(f"amount_due {raw!r} is no whole number of minor units")
    return int(raw)
