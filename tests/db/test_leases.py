"""Does exactly one hold the lease, and is whoever lost it told apart for ever?"""

from datetime import timedelta

import pytest
from sqlalchemy import update

from reconciler.db import leases
from reconciler.db.leases import Lease, LeaseLost
from reconciler.db.session import Database
from reconciler.db.tables import leases as rows
from tests.journeys.programs import let_lease_run_out

TTL = timedelta(seconds=15)


def _hold(database: Database, holder: str, token: int | None = None) -> int | None:
    with database.writing() as tx:
        return leases.hold(tx, "daemon", holder, token, ttl=TTL)


def _current(database: Database) -> Lease | None:
    with database.reading() as tx:
        return leases.current(tx, "daemon")


def _is_ours(database: Database, token: int | None) -> bool:
    with database.writing() as tx:
        try:
            leases.require(tx, "daemon", token)
        except LeaseLost:
            return False
        return True


def test_it_is_held_by_one(database: Database) -> None:
    """Whoever comes first holds it; another one gets nothing while it lasts, and the holder keeps its token."""
    before = _current(database)

    first, second = _hold(database, "a"), _hold(database, "b")
    again = _hold(database, "a", first)

    assert before is None
    assert (first, second, again) == (1, None, 1)
    assert (_current(database) or Lease("", 0, None))[:2] == ("a", 1)  # type: ignore[arg-type]


def test_it_changes_hands_when_it_has_run_out(database: Database) -> None:
    """One that ran out goes to whoever asks, with a higher token; the one before it is not let through any more."""
    first = _hold(database, "a")
    let_lease_run_out(database)

    second = _hold(database, "b")

    assert (first, second) == (1, 2)
    assert _hold(database, "a", first) is None
    assert (_is_ours(database, first), _is_ours(database, second)) == (False, True)


def test_it_stays_with_a_holder_that_was_late(database: Database) -> None:
    """One that ran out but was taken by nobody is still its holder's, also for the fence."""
    first = _hold(database, "a")
    let_lease_run_out(database)

    assert _is_ours(database, first)
    assert _hold(database, "a", first) == first


def test_it_is_free_once_it_is_released(database: Database) -> None:
    """Whoever gives it up makes nobody wait; a release by somebody who lost it changes nothing."""
    first = _hold(database, "a")
    with database.writing() as tx:
        leases.release(tx, "daemon", first or 0)
    second = _hold(database, "b")
    with database.writing() as tx:
        leases.release(tx, "daemon", first or 0)

    assert (second, _hold(database, "c")) == (2, None)


@pytest.mark.parametrize(("ahead", "token"), [(TTL, None), (timedelta(hours=1), 2)])
def test_it_is_over_when_it_lasts_longer_than_any_does(
    database: Database, ahead: timedelta, token: int | None
) -> None:
    """One that was taken before the clock was set back by an hour keeps nobody waiting until the clock is there again."""
    _hold(database, "a")
    held = _current(database)
    assert held is not None
    with database.writing() as tx:
        tx.execute(update(rows).values(expires_at=held.expires_at + ahead))

    assert _hold(database, "b") == token


@pytest.mark.parametrize("token", [None, 1])
def test_it_lets_nobody_through_before_it_is_held(database: Database, token: int | None) -> None:
    """A fence without a lease is closed."""
    assert not _is_ours(database, token)
