"""Is a run at which somebody works told from one that was left behind, and does only one program write it?"""

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import update
from structlog.testing import capture_logs

from reconciler.core.report import RunState
from reconciler.db import holds, queued, runs
from reconciler.db.session import Database
from reconciler.db.tables import leases
from reconciler.reconcile import holding
from reconciler.reconcile.asking import Asked, ask
from reconciler.reconcile.holding import RunTaken, held
from reconciler.reconcile.progress import Progress
from reconciler.reconcile.queue import run_waiting
from reconciler.reconcile.running import run
from reconciler.reconcile.statement import head_of
from tests.poll.account import Account
from tests.reconcile.days import DAY_S, days, paid, today


@pytest.fixture
def account(database: Database) -> Account:
    """Give an account."""
    return Account(database)


def _asked(account: Account, first: date, *, by_daemon: bool = False) -> int:
    wanted = Asked(days=days(account, first), zone="UTC", by="finance", by_daemon=by_daemon)
    return ask(account.database, wanted, account.now())


def _left_behind(account: Account, *, by_daemon: bool = False) -> int:
    """A run whose program is killed while it works: its row says so, and its hold runs out."""
    first = today(account)
    paid(account)
    account.wait(DAY_S)
    run_id = _asked(account, first, by_daemon=by_daemon)
    with account.database.writing() as tx:
        holds.hold(tx, run_id, "killed", None)
        runs.begin(tx, run_id, days(account, first).window, day_not_over=False, now=account.now())
    return run_id


def _let_run_out(database: Database) -> None:
    with database.writing() as tx:
        tx.execute(update(leases).values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))


@pytest.mark.parametrize("by_daemon", [False, True])
def test_it_tells_who_works_from_who_was_killed(
    account: Account, database: Database, by_daemon: bool
) -> None:
    """While a hold lasts a run goes on and is nobody else's; then it was cut off, and whoever wants to goes on with it."""
    run_id = _left_behind(account, by_daemon=by_daemon)

    alive = head_of(database, run_id)
    with pytest.raises(RunTaken, match=f"run {run_id} is going on"):
        run(account.poller, run_id)
    _let_run_out(database)
    dead = head_of(database, run_id)
    with database.reading() as tx:
        newest = runs.newest(tx, 1)
    whole = run(account.poller, run_id)

    assert alive.state is RunState.RUNNING
    assert (dead.state, dead.error) == (RunState.CUT_OFF, runs.KILLED)
    assert newest == [dead]
    assert (whole.state, whole.error) == (RunState.COMPLETE, "")


def test_it_is_taken_up_by_the_daemon_that_comes_next(account: Account, database: Database) -> None:
    """A run whose daemon was killed is gone on with by the next look into the queue, and not while another one works at it."""
    run_id = _left_behind(account, by_daemon=True)

    run_waiting(account.poller)
    meanwhile = head_of(database, run_id)
    _let_run_out(database)
    run_waiting(account.poller)

    assert meanwhile.state is RunState.RUNNING
    assert head_of(database, run_id).state is RunState.COMPLETE
    with database.reading() as tx:
        assert queued.of_daemon(tx) == []


def test_it_writes_nothing_of_a_run_that_it_has_lost(account: Account, database: Database) -> None:
    """Who was paused for longer than the hold lasts writes neither slice nor end of a run that another one took over."""
    first, _ = today(account), paid(account)
    account.wait(DAY_S)
    run_id = _asked(account, first)
    taken: list[int | None] = []

    def told(_: Progress) -> None:
        if not taken:
            _let_run_out(database)
            with database.writing() as tx:
                taken.append(holds.hold(tx, run_id, "another", None))

    with capture_logs() as logs:
        head = run(account.poller, run_id, told=told)

    with database.reading() as tx:
        assert runs.slices(tx, run_id) == []
    assert taken == [2]
    assert head.state is RunState.RUNNING
    assert [each["event"] for each in logs if each["event"].startswith("run.")] == ["run.left"]


def test_it_is_held_for_as_long_as_somebody_works(
    account: Account, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hold is renewed while its block runs, however long that is, and is nobody's behind it."""
    monkeypatch.setattr(holding, "RENEW_S", 0.01)
    run_id = _asked(account, today(account))

    with held(account.poller, run_id):
        _let_run_out(database)
        renewed = _in_time(lambda: _is_held(database, run_id))
        with pytest.raises(RunTaken), held(account.poller, run_id):
            pass
    after = _is_held(database, run_id)

    assert (renewed, after) == (True, False)


def _is_held(database: Database, run_id: int) -> bool:
    with database.reading() as tx:
        return holds.is_held(tx, run_id)


def _in_time(is_so: Callable[[], bool]) -> bool:
    until_s = time.monotonic() + 10
    while not is_so() and time.monotonic() < until_s:
        time.sleep(0.01)
    return is_so()
