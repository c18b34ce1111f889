"""How do invoices come from a CSV file into the embedded table?

One transaction: either every row is in, or none. A row is known by its `id`, else by its `number`. Every imported invoice
then goes through `apply_payment_state`, so that a payment that came first finds it at once.
"""

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TextIO

from reconciler.apply import Policy, apply_payment_state
from reconciler.core.money import is_currency, to_minor
from reconciler.core.observation import InvoiceSeen, Source
from reconciler.db import embedded
from reconciler.db.session import Database

ROWS_MAX = 100_000
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
KNOWN = frozenset({"id", "currency", "amount", "amount_due", "status", *TEXTS})


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that can't be imported: its line in the file, and why."""

    line: int
    reason: str


class UnreadableFile(ValueError):  # noqa: N818 - it names what the file is
    """The file as a whole is no CSV of invoices."""


def read(file: TextIO) -> tuple[list[Mapping[str, object]], list[BadRow]]:
    """Read invoices: `amount_due` in minor units, or `amount` in major ones. Bad rows are told, never guessed."""
    head = file.readline()
    file.seek(0)
    # Only the separator is guessed: a guess at the quoting would mangle every name with a quote in it.
    delimiter = max(DELIMITERS, key=head.count)
    reader = csv.DictReader(file, delimiter=delimiter)
    good: list[Mapping[str, object]] = []
    bad: list[BadRow] = []
    seen: set[str] = set()
    try:
        _require_columns(reader.fieldnames or ())
        for row in reader:
            if len(good) >= ROWS_MAX:
                raise UnreadableFile(f"more than {ROWS_MAX} rows; split the file")
            try:
                good.append(_row(row, seen))
            except ValueError as error:
                bad.append(BadRow(reader.line_num, str(error)))
    except csv.Error as error:
        raise UnreadableFile(f"line {reader.reader.line_num}: {error}") from None
    return good, bad


def _require_columns(names: Iterable[str]) -> None:
    have = {name.strip() for name in names if name}
    if not have & {"id", "number"} or "currency" not in have:
        raise UnreadableFile("the first line must name the columns: id or number, currency, amount")
    if not have & {"amount", "amount_due"}:
        raise UnreadableFile("needs a column amount_due (minor units) or amount (12.50)")
    if {"amount", "amount_due"} <= have:
        raise UnreadableFile("give amount or amount_due, not both")
    unknown = sorted(have - KNOWN)
    if unknown:
        raise UnreadableFile(f"unknown columns: {', '.join(unknown)}")


def _row(row: Mapping[str | None, object], seen: set[str]) -> dict[str, object]:
    if None in row:
        raise ValueError("has more cells than the first line has columns")
    text = {str(k).strip(): str(v or "").strip() for k, v in row.items()}
    if any("\x00" in value for value in text.values()):
        raise ValueError("holds a NUL character")
    key = text.get("id") or text.get("number") or ""
    if not key:
        raise ValueError("has neither an id nor a number")
    if key in seen:
        raise ValueError(f"{key!r} stands twice in the file")
    seen.add(key)
    currency = text.get("currency", "").lower()
    if not is_currency(currency):
        raise ValueError(f"currency {currency!r} is no three-letter code")
    status = text.get("status") or "open"
    if status not in WORDS:
        raise ValueError(f"status {status!r} is none of {', '.join(sorted(WORDS))}")
    return {
        "id": key,
        **{name: text[name] or None for name in TEXTS if name in text},
        "currency": currency,
        "amount_due": _amount(text, currency),
        "status": status,
    }


def _amount(text: Mapping[str, str], currency: str) -> int:
    if "amount" in text:
        return to_minor(text["amount"], currency)
    raw = text.get("amount_due", "")
    digits = raw.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()) or len(digits) > DIGITS_MAX:
        raise ValueError(f"amount_due {raw!r} is no whole number of minor units")
    return int(raw)


def store(
    db: Database, rows: list[Mapping[str, object]], *, now: datetime, policy: Policy, batch: int
) -> None:
    """Write the invoices and settle each, in one transaction."""
    with db.writing() as tx:
        ids = embedded.upsert_invoices(tx, rows, now)
        for start in range(0, len(ids), batch):
            seen = [InvoiceSeen(id_) for id_ in ids[start : start + batch]]
            apply_payment_state(tx, seen, source=Source.MANUAL, now=now, policy=policy)
