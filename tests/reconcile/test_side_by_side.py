"""Do two runs at once, and a run beside webhooks, leave what one alone would, and lose or invent no difference?"""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.core.calendar import DayRange
from reconciler.core.report import Discrepancy, Outcome, RunHead, RunState
from reconciler.db import runs, touched
from reconciler.db.digest import digest
from reconciler.db.migrate import upgrade
from reconciler.db.session import Database, open_database
from reconciler.reconcile.asking import Asked, ask
from reconciler.reconcile.holding import RunTaken
from reconciler.reconcile.progress import Progress
from reconciler.reconcile.running import Bounds, run
from reconciler.reconcile.statement import head_of, report_of
from tests.journeys.conftest import add_invoices
from tests.poll.account import Account
from tests.reconcile.days import DAY_S, days, everything, invoices, reconciled, today, told
from tests.stripe_api.shapes import Json

END_MAX_S = 60
SMALL = Bounds(slice_objects=3)


@pytest.fixture
def account(database: Database, monkeypatch: pytest.MonkeyPatch) -> Account:
    """Give an account whose lists are told in pages of a few objects, so that they can be cut."""
    monkeypatch.setattr("reconciler.stripe_api.pager.PAGE", 4)
    return Account(database)


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Account]:
    """Give an account where the same happens, of which nobody hears but those who are told one by one."""
    database = open_database(f"sqlite:///{tmp_path / 'alone.db'}", create=True)
    upgrade(database)
    yield Account(database)
    database.close()


def _digest(account: Account) -> str:
    with account.database.reading() as tx:
        return digest(tx)


def _at_once(*steps: Callable[[], object]) -> None:
    """Do steps in threads of their own, and raise what one of them raised."""
    errors: list[BaseException] = []

    def done(step: Callable[[], object]) -> None:
        try:
            step()
        except BaseException as error:  # noqa: BLE001 - it is raised below
            errors.append(error)

    threads = [threading.Thread(target=done, args=[step], daemon=True) for step in steps]
    for each in threads:
        each.start()
    for each in threads:
        each.join(END_MAX_S)
    assert not any(each.is_alive() for each in threads)
    assert errors == []


def _a_day(account: Account) -> tuple[DayRange, list[Json]]:
    """A day with a payment of each kind, and its events, of which nobody has told us yet."""
    add_invoices(account.database, *invoices())
    heard: list[Json] = []
    account.world.on_event.append(lambda happening: heard.append(happening.event))
    first = today(account)
    everything(account)
    account.wait(DAY_S)
    return days(account, first), heard


def test_it_tells_who_else_was_at_it(account: Account, database: Database) -> None:
    """What two runs at once have put right together stands in both with the other's number; nothing else does."""
    asked, _ = _a_day(account)
    wanted = Asked(days=asked, zone="UTC", by="finance")
    one_id, other_id = (ask(database, wanted, account.now()) for _ in range(2))
    begun = threading.Event()

    def told(came: Progress) -> None:
        # So many objects are a page of payments or of their money.
        if came.objects >= 4 and not begun.is_set():
            begun.set()
            run(account.poller, other_id)

    run(account.poller, one_id, told=told, bounds=SMALL)
    later = reconciled(account, asked)

    one, other = (_repaired(database, number) for number in (one_id, other_id))
    both = {each.payment_id for each in one} & {each.payment_id for each in other}
    assert both
    for found, beside in ((one, other_id), (other, one_id)):
        shared = {each.payment_id for each in found if f"together with run {beside} " in each.note}
        assert both <= shared <= _changed_by(database, beside)
    assert _repaired(database, later.id) == []


def _changed_by(database: Database, run_id: int) -> set[str]:
    with database.reading() as tx:
        return set(touched.touched(tx, run_id, after=""))


def _repaired(database: Database, run_id: int) -> list[Discrepancy]:
    found = runs.differences(database, run_id)
    return [each for each in found if each.outcome is Outcome.REPAIRED]


def test_it_is_no_matter_that_two_run_at_once(
    account: Account, alone: Account, database: Database
) -> None:
    """Two runs over the same days end as one would alone, and each difference is told by one of them at least."""
    asked, _ = _a_day(account)
    expected = told(database, reconciled(account, asked, is_dry=True))
    heads: list[RunHead] = []

    def a_run() -> None:
        heads.append(reconciled(account, asked, bounds=SMALL))

    _at_once(a_run, a_run)
    reconciled(alone, _a_day(alone)[0])

    assert [(each.state, each.error) for each in heads] == [(RunState.COMPLETE, "")] * 2
    one, other = (told(database, each) for each in heads)
    assert one | other >= expected
    # Where both have brought a part of a payment that nobody knew, both may say so; no other one is missing.
    found = {each[:2] for each in one | other if each[0] == "missing_here"}
    assert found == {each[:2] for each in expected if each[0] == "missing_here"}
    assert _digest(account) == _digest(alone)


def test_it_is_gone_on_with_by_one_program(account: Account, database: Database) -> None:
    """Of two that go on with the same run at once only one does; each second of each list is in one slice."""
    asked, _ = _a_day(account)
    account.stop.set()
    head = reconciled(account, asked)
    account.stop.clear()
    refused: list[RunTaken] = []
    seen: list[RunState] = []

    def told(_: Progress) -> None:
        seen.append(head_of(database, head.id).state)
        if not refused:
            with pytest.raises(RunTaken, match="is going on at this moment") as taken:
                run(account.poller, head.id, bounds=Bounds(slice_objects=4))
            refused.append(taken.value)

    whole = run(account.poller, head.id, told=told, bounds=SMALL)

    assert (whole.state, whole.error, len(refused)) == (RunState.COMPLETE, "", 1)
    assert set(seen) == {RunState.RUNNING}
    report = report_of(database, head.id, now=account.now())
    listed = {each.name: each.at_stripe for each in report.lists}
    assert all(each.is_complete for each in report.lists)
    assert listed["payment_intents"] == len(account.world.every("payment_intent"))
    assert listed["balance_transactions"] == len(account.world.every("balance_transaction"))
    assert all(each.ties_out for each in report.ledger)


def test_it_runs_beside_webhooks(account: Account, alone: Account, database: Database) -> None:
    """While a run reads, the same days' events come late, twice and in any order: all is there as if told one by one."""
    asked, heard = _a_day(account)
    heads: list[RunHead] = []

    def a_run() -> None:
        heads.append(reconciled(account, asked, bounds=SMALL))

    def webhooks(events: list[Json]) -> Callable[[], None]:
        def come() -> None:
            for each in [*reversed(events), *events]:
                account.tell(each)

        return come

    _at_once(a_run, *(webhooks(heard[n::3]) for n in range(3)))
    same, told_there = _a_day(alone)
    alone.tell(*told_there)
    reconciled(alone, same)

    (head,) = heads
    assert (head.state, head.error) == (RunState.COMPLETE, "")
    kinds = [each[:2] for each in told(database, head)]
    assert len(kinds) == len(set(kinds))
    again = reconciled(account, asked)
    assert not {each[0] for each in told(database, again)} & {"missing_here", "status_behind"}
    assert _digest(account) == _digest(alone)
