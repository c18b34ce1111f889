"""Does a run outlast a database that is away for a moment, and no longer than that?"""

import pkgutil
import threading

import pytest
from structlog.testing import capture_logs

from reconciler.core.report import RunState
from reconciler.db import runs, sightings
from reconciler.db.session import Database, StatementFailed, StorageUnavailable
from reconciler.reconcile.patience import patiently
from reconciler.reconcile.running import run
from reconciler.stripe_api.problems import Stopped
from tests.poll.account import Account
from tests.reconcile.days import DAY_S, days, kinds, paid, reconciled, today


@pytest.fixture
def account(database: Database) -> Account:
    """Give an account."""
    return Account(database)


class _Away:
    """A step that finds the database away so many times."""

    def __init__(self, times: int, error: Exception) -> None:
        self.left, self.tried, self.error = times, 0, error

    def __call__(self) -> str:
        self.tried += 1
        if self.left:
            self.left -= 1
            raise self.error
        return "done"


@pytest.mark.parametrize(
    ("times", "error", "tried"),
    [
        (0, StorageUnavailable("away"), 1),
        (2, StorageUnavailable("away"), 3),
        (3, StorageUnavailable("away"), 3),
        (1, StatementFailed("wrong"), 1),
    ],
)
def test_it_tries_three_times(account: Account, times: int, error: Exception, tried: int) -> None:
    """A database that is away is asked again twice; a statement that was refused would be refused again."""
    step = _Away(times, error)

    with capture_logs():
        if step.left >= 3 or isinstance(error, StatementFailed):
            with pytest.raises(type(error)):
                patiently(account.poller.gateway, step)
        else:
            assert patiently(account.poller.gateway, step) == "done"

    assert step.tried == tried


def test_it_does_not_wait_when_it_is_to_end(account: Account) -> None:
    """Whoever stops the run need not wait for the database."""
    account.stop.set()
    step = _Away(3, StorageUnavailable("away"))

    with capture_logs(), pytest.raises(Stopped):
        patiently(account.poller.gateway, step)

    assert step.tried == 1


def test_it_loses_no_page_to_a_short_outage(
    account: Account, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page and the end of a slice whose transaction was lost are written again: the run is complete, nothing counted twice."""
    first, made = today(account), paid(account)
    account.wait(DAY_S)
    lost = {"page": 1, "slice": 1}
    lock, really, keep = (
        threading.Lock(),
        runs.keep_slice,
        "reconciler.reconcile.slicing.runs.keep_slice",
    )

    def breaks(what: str) -> None:
        with lock:
            if lost[what]:
                lost[what] -= 1
                raise StorageUnavailable("the transaction was lost")

    def keep_slice(*args: object) -> None:
        really(*args)  # type: ignore[arg-type]
        breaks("slice")

    def remember(*args: object) -> None:
        remembered(*args)  # type: ignore[arg-type]
        breaks("page")

    remembered = sightings.remember
    monkeypatch.setattr(keep, keep_slice)
    monkeypatch.setattr("reconciler.poll.lists.sightings.remember", remember)

    with capture_logs():
        head = reconciled(account, days(account, first))

    assert (head.state, head.error, lost) == (RunState.COMPLETE, "", {"page": 0, "slice": 0})
    assert kinds(database, head)["missing_here"] == {made}
    with database.reading() as tx:
        found = runs.slices(tx, head.id, "payment_intents")
    assert [(each.at_stripe, each.here, each.gap) for each in found] == [(1, 1, 0)]


WRITES = {
    "the hold": "reconciler.reconcile.holding.holds.hold",
    "begin": "reconciler.reconcile.running.runs.begin",
    "what was put off": "reconciler.reconcile.rereading.waiting.bring_forward",
    "payouts": "reconciler.reconcile.payouts.payouts.unread",
    "forgetting": "reconciler.reconcile.concluding.runs.forget_differences",
    "differences": "reconciler.reconcile.concluding.runs.keep_differences",
    "what was changed": "reconciler.reconcile.concluding.touched.touched",
    "totals": "reconciler.reconcile.statement.signing.keep_totals",
    "end": "reconciler.reconcile.running.runs.end",
}


@pytest.mark.parametrize("place", WRITES.values(), ids=WRITES)
def test_it_ends_no_run_wherever_a_short_outage_comes(
    account: Account, database: Database, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    """A stranger's lock of some seconds ends no run, at its beginning, at its end or in between."""
    first, made = today(account), paid(account)
    account.wait(DAY_S)
    module, _, name = place.rpartition(".")
    really, lost = getattr(pkgutil.resolve_name(module), name), [1]

    def once_away(*args: object, **named: object) -> object:
        if lost and lost.pop():
            raise StorageUnavailable("the database is locked")
        return really(*args, **named)

    monkeypatch.setattr(place, once_away)
    with capture_logs():
        head = reconciled(account, days(account, first))

    assert (head.state, head.error, lost) == (RunState.COMPLETE, "", [])
    assert kinds(database, head)["missing_here"] == {made}


def test_it_is_cut_off_by_a_long_outage(
    account: Account, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that does not come back ends the run with its reason, and the run goes on later."""
    first, made = today(account), paid(account)
    account.wait(DAY_S)

    def away(*_: object) -> None:
        raise StorageUnavailable("the database is locked")

    with monkeypatch.context() as patch, capture_logs():
        patch.setattr("reconciler.reconcile.slicing.runs.keep_slice", away)
        cut = reconciled(account, days(account, first))
    whole = run(account.poller, cut.id)

    assert (cut.state, cut.error) == (RunState.CUT_OFF, "the database is locked")
    assert whole.state is RunState.COMPLETE
    assert kinds(database, whole)["missing_here"] == {made}
