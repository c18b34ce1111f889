"""What does a bent CSV of invoices lead to? To rows and reasons, never to half a file or to an error of ours."""

import contextlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy import func, select

from reconciler.apply import Policy
from reconciler.db import tables
from reconciler.db.session import Database
from reconciler.invoice_import import ROWS_MAX, UnreadableFile, plan, read, store
from reconciler.verify import verify
from tests.fuzz.mutation import NUMBERS, TEXTS, WORDS, Chance, bytes_bent

NOW: Final = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
COLUMNS: Final = (
    "id", "number", "currency", "amount", "amount_due", "status", "customer_name", "customer_email", "user_id",
    "stripe_payment_intent_id", "created_at", "paid_at",
)  # fmt: skip
GOOD: Final = {
    "id": ("1", "2", "3", "4", "INV-1"), "number": ("INV-1", "INV-2", "INV-3", "1"), "currency": ("eur", "USD", "jpy", "kwd"),
    "amount": ("12.50", "1,250.00", "-3", "0", "1e3", "12,5", "99999999999999"), "amount_due": ("1250", "-1", "0", "9" * 15),
    "status": ("open", "paid", "draft", "void"), "created_at": ("2026-03-01", "2026-03-01T09:30:00Z", "0001-01-01"),
    "paid_at": ("2026-03-01", "9999-12-31T23:59:59-23:59"),
}  # fmt: skip


class CsvTarget:
    """A folder for the file, and a database that is imported into."""

    def __init__(self, db: Database, folder: Path) -> None:
        self._db = db
        self._file = folder / "invoices.csv"

    def play(self, chance: Chance) -> str:
        """Import one bent file; returns a word for the count."""
        raw = _text(chance)
        self._file.write_bytes(raw)
        try:
            rows, bad = read(self._file)
        except UnreadableFile:
            return "unreadable"
        assert len(rows) + len(bad) <= ROWS_MAX
        planned = plan(self._db, rows)
        assert len(planned.writes) + planned.unchanged + len(planned.bad) == len(rows), raw
        store(self._db, planned.writes, now=NOW, policy=Policy(), batch=200)
        return "imported" if rows else "without a good row"

    def check(self) -> None:
        """Judge what is left behind: no name is borne by two, and deciding again gives the same books."""
        column = tables.invoices.c
        twice = select(column.number).group_by(column.number).having(func.count() > 1)
        with self._db.reading() as tx:
            assert [each for each in tx.execute(twice).scalars() if each] == []
        assert verify(self._db, Policy(), now=NOW).problems == ()


def _text(chance: Chance) -> bytes:
    mark = chance.choice((",", ",", ";", "\t", "|"))
    names = chance.sample(COLUMNS, chance.randrange(2, len(COLUMNS)))
    with contextlib.suppress(ValueError):
        names.remove(chance.choice(("amount", "amount_due")))
    for each in ("id", "currency", "amount_due"):
        if each not in names and "amount" not in names and chance.random() < 0.9:
            names.append(each)
    lines = [mark.join(names)]
    lines += [mark.join(_cell(chance, each) for each in names) for _ in range(chance.randrange(6))]
    text = chance.choice(("\n", "\r\n", "\n", "\r")).join(lines)
    raw = text.encode(
        chance.choice(("utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1")), "replace"
    )
    return bytes_bent(chance, raw) if chance.random() < 0.4 else raw


def _cell(chance: Chance, name: str) -> str:
    if chance.random() < 0.85:
        return chance.choice(GOOD.get(name, ("Ann", "", "x@y.example")))
    text = str(chance.choice((*WORDS, *TEXTS, *NUMBERS)))
    return chance.choice((text, f'"{text}"', f'"{text}', f'"" {text}"'))
