"""Does what goes into a column come out as it was?"""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select

from reconciler.db.session import Database
from tests.db.scratch import accounts, names

MOMENTS = [
    datetime(1, 1, 2, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    datetime(2026, 3, 1, 12, tzinfo=UTC),
    datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC),
    datetime(2026, 3, 1, 12, 0, 1, tzinfo=UTC),
    datetime(2026, 3, 1, 6, 30, 2, tzinfo=timezone(timedelta(hours=-5, minutes=-30))),
    datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin")),
    datetime(2026, 10, 25, 2, 30, fold=1, tzinfo=ZoneInfo("Europe/Berlin")),
    datetime(9999, 12, 30, tzinfo=UTC),
]


def test_it_returns_moments_as_they_were_and_in_order(bank: Database) -> None:
    """Moments of any zone come back equal, in UTC, and the database sorts them by time."""
    with bank.writing() as tx:
        rows = [{"name": str(n), "at": at} for n, at in enumerate(reversed(MOMENTS))]
        tx.execute(insert(accounts), rows)

    with bank.reading() as tx:
        in_order = select(accounts.c.at).where(accounts.c.at.is_not(None)).order_by(accounts.c.at)
        stored = tx.scalars(in_order).all()

    # Two times of one ambiguous hour differ only after their translation into UTC.
    assert stored == [at.astimezone(UTC) for at in MOMENTS]
    assert {at.tzinfo for at in stored} == {UTC}


def test_it_finds_moments_by_comparison(bank: Database) -> None:
    """A bound of a half-open range may be given in any zone."""
    berlin = datetime(2026, 3, 1, 1, tzinfo=ZoneInfo("Europe/Berlin"))
    with bank.writing() as tx:
        tx.execute(insert(accounts), [{"name": "at", "at": datetime(2026, 3, 1, tzinfo=UTC)}])

    with bank.reading() as tx:
        at_or_after = tx.scalars(select(accounts.c.name).where(accounts.c.at >= berlin)).all()
        before = tx.scalars(select(accounts.c.name).where(accounts.c.at < berlin)).all()

    assert (at_or_after, before) == (["at"], [])


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_it_returns_utc_whatever_the_server_speaks(bank: Database) -> None:
    """A session in another zone changes how the server writes a moment, and not what we return."""
    with bank.writing() as tx:
        tx.exec_driver_sql("SET LOCAL timezone = 'Europe/Berlin'")
        tx.execute(insert(accounts).values(name="at", at=MOMENTS[2]))
        stored = tx.scalar(select(accounts.c.at).where(accounts.c.name == "at"))

    assert stored == MOMENTS[2]
    assert stored.tzinfo is UTC


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_it_writes_moments_as_others_expect_them(bank: Database) -> None:
    """Programs that read the SQLite file find ISO 8601 of a fixed length."""
    with bank.writing() as tx:
        tx.execute(insert(accounts).values(name="at", at=MOMENTS[2]))
        text = tx.exec_driver_sql("SELECT at FROM scratch_accounts WHERE name = 'at'").scalar()

    assert text == "2026-03-01T12:00:00.000000+00:00"


def test_it_refuses_a_moment_without_a_zone(bank: Database) -> None:
    """Nobody can say which moment a naive datetime means."""
    naive = datetime(2026, 3, 1)  # noqa: DTZ001 - it is what the test is about

    with pytest.raises(ValueError, match="time zone"), bank.writing() as tx:
        tx.execute(insert(accounts).values(name="naive", at=naive))

    assert names(bank) == ["till"]


@pytest.mark.parametrize("amount", [0, -1, 10**15, -(10**15), 2**63 - 1, -(2**63)])
def test_it_returns_large_amounts_exactly(bank: Database, amount: int) -> None:
    """Amounts fit far beyond 32 bits, and never turn into floats."""
    with bank.writing() as tx:
        tx.execute(insert(accounts).values(name="rich", balance=amount))

    with bank.reading() as tx:
        stored: Any = tx.scalar(select(accounts.c.balance).where(accounts.c.name == "rich"))

    assert stored == amount
    assert type(stored) is int


def test_it_counts_up_a_big_primary_key(bank: Database) -> None:
    """A 64-bit primary key numbers its rows by itself on both databases."""
    with bank.writing() as tx:
        rows = [{"name": name} for name in ("b", "c")]
        ids = tx.scalars(insert(accounts).returning(accounts.c.id), rows).all()

    assert ids == [2, 3]


MOMENT = st.datetimes(timezones=st.timezones()).filter(lambda at: 1 < at.year < 9999)


@given(st.lists(MOMENT, min_size=1))
@settings(
    deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_it_returns_every_moment_as_it_was(bank: Database, moments: list[datetime]) -> None:
    """Any moment that can be written down comes back equal, whatever its neighbours."""
    with bank.writing() as tx:
        tx.execute(accounts.delete())
        rows = [{"name": str(n), "at": at} for n, at in enumerate(moments)]
        tx.execute(insert(accounts), rows)
        stored = tx.scalars(select(accounts.c.at).order_by(accounts.c.id)).all()

    assert stored == [at.astimezone(UTC) for at in moments]
