"""Is a wrong address told at once, and does a right one give what the promises rest on?"""

from pathlib import Path

import pytest

from reconciler.db.session import Database, StorageUnavailable, open_database

on_sqlite = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)


def test_it_refuses_a_missing_file(tmp_path: Path) -> None:
    """A typo in the setting must not make a new, empty database."""
    with pytest.raises(StorageUnavailable, match="reconciler init"):
        open_database(f"sqlite:///{tmp_path / 'typo.db'}")

    assert list(tmp_path.iterdir()) == []


def test_it_makes_a_file_only_when_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A new file appears where the URL says, also when the program changes its folder later."""
    monkeypatch.chdir(tmp_path)
    database = open_database("sqlite:///with %23 and %3F.db", create=True)
    monkeypatch.chdir("/")

    with database.reading():
        pass

    database.close()
    assert [path.name for path in tmp_path.iterdir()] == ["with # and ?.db"]


@on_sqlite
def test_it_does_not_bring_a_deleted_file_back(bank: Database, tmp_path: Path) -> None:
    """A new connection to a file that has gone is an error, and not a fresh database."""
    bank.close()
    kept = (tmp_path / "reconciler.db").rename(tmp_path / "kept")

    with pytest.raises(StorageUnavailable, match="unable to open"), bank.reading():
        pass

    kept.rename(tmp_path / "reconciler.db")


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite:///file.db?mode=memory",
        "mysql://someone:canary@host/db",
        "postgresql+asyncpg://someone:canary@host/db",
        "canary",
    ],
)
def test_it_refuses_what_is_no_database_of_ours(url: str) -> None:
    """An address that can't work is refused without repeating it."""
    with pytest.raises(ValueError, match=r"sqlite:|URL") as caught:
        open_database(url, create=True)

    assert "canary" not in str(caught.value)


@on_sqlite
def test_it_is_durable_and_strict_whatever_came_before(bank: Database) -> None:
    """A writer works with synchronous commits, the WAL and foreign keys."""
    with bank.migrating():
        pass
    with bank.reading():
        pass

    with bank.writing() as tx:
        pragmas = ("synchronous", "journal_mode", "foreign_keys", "query_only")
        values = [tx.exec_driver_sql(f"PRAGMA {pragma}").scalar() for pragma in pragmas]

    assert values == [2, "wal", 1, 0]
