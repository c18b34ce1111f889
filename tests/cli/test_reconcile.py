"""What does finance see of a manual run: refused days, exit codes, reports where they were asked for, signatures, a queue?"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, select, update

from reconciler.cli import reconcile
from reconciler.core.exceptions import ExceptionKind
from reconciler.core.report import RunHead
from reconciler.db import alerts, holds, queued, runs, tables
from reconciler.db.run_tables import reconcile_runs
from reconciler.db.session import Database
from reconciler.db.tables import balance_transactions, payments
from reconciler.reconcile.queue import run_waiting
from reconciler.simulator import till
from reconciler.simulator.api import Api, Key
from reconciler.simulator.clock import Clock
from reconciler.simulator.faults import Fault, FaultKind, Faults
from reconciler.simulator.server import SimulatedStripe
from reconciler.simulator.world import World
from tests.cli.program import NO_METRICS, ROOT, Answer, Commands, Program
from tests.poll.account import Account

API_KEY = "rk_test_canary0123456789"
CSV = "id,number,currency,amount_due\n1,INV-1,eur,5000\n"


class Shop:
    """Commands that ask a simulated account on a socket, in which INV-1 was paid an hour ago and no webhook came."""

    def __init__(
        self, commands: Commands, place: tuple[str, str], base_url: str, faults: Faults
    ) -> None:
        self.faults = faults
        self._commands = commands
        self._variables = {"STRIPE_API_KEY": API_KEY, "STRIPE_API_BASE": base_url}
        url, schema = place
        self.environment = {
            **self._variables,
            "DATABASE_URL": url,
            "RECONCILER_DATABASE__SCHEMA": schema,
        }

    def run(self, *arguments: str, **environ: str) -> Answer:
        """Run a command as ada."""
        return self._commands.run(*arguments, **{**self._variables, "USER": "ada", **environ})

    def reconcile(self, *options: str) -> Answer:
        """Reconcile yesterday and today."""
        return self.run("reconcile", "--from", _day(1), "--to", _day(0), *options)

    def reconcile_until_yesterday(self) -> Answer:
        """Reconcile two days that are over."""
        return self.run("reconcile", "--from", _day(2), "--to", _day(1))


def _wait_for_slices(database: Database, count: int) -> None:
    """Wait until so many lists were read to their ends."""
    until_s = time.monotonic() + 20
    while time.monotonic() < until_s:
        with database.reading() as tx:
            if len(runs.slices(tx, 1)) == count:
                return
        time.sleep(0.05)
    raise AssertionError("the lists were not read")


def _day(ago: int) -> str:
    return str(datetime.now(UTC).date() - timedelta(days=ago))


@pytest.fixture
def shop(commands: Commands, database_url: str, schema: str, tmp_path: Path) -> Iterator[Shop]:
    """Give a shop whose books know the invoice, and nothing of its payment."""
    world = World(seed=5, clock=Clock(int(time.time() * 1000) - 3_600_000))
    metadata = {"invoice_id": "INV-1"}
    intent = till.make_intent(world, amount=5000, currency="eur", metadata=metadata)
    till.succeed(world, intent)
    till.settle(world, intent)
    world.clock.reach(int(time.time() * 1000))
    world.clock.run(1.0)
    (tmp_path / "invoices.csv").write_text(CSV)
    assert commands.run("init", "--since", "2020-01-01").code == 0
    assert commands.run("invoices", "import", str(tmp_path / "invoices.csv")).code == 0
    faults = Faults()
    with SimulatedStripe(Api(world, [Key(API_KEY)], faults)) as server:
        yield Shop(commands, (database_url, schema), server.base_url, faults)


REFUSED = {
    "no days": ((), "which days? Say --from"),
    "one day": (("--from", "2026-03-01"), "which days? Say --from"),
    "no day": (("--from", "2026-02-30", "--to", "2026-03-01"), "'2026-02-30' is no day"),
    "backwards": (("--from", "2026-03-02", "--to", "2026-03-01"), "swap them"),
    "the future": (("--from", "2026-03-02", "--to", "2999-03-01"), "is not there yet"),
    "too long": (("--from", "2020-03-02", "--to", "2022-03-01"), "are more than 400"),
    "days beside a run": (("--resume", "1", "--from", "2026-03-01"), "leave the others out"),
    "csv to nowhere": (
        ("--from", "2026-03-01", "--to", "2026-03-01", "--format", "csv"),
        "name one with --output",
    ),
    "a form for a run of the daemon": (
        ("--from", "2026-03-01", "--to", "2026-03-01", "--queue", "--format", "json"),
        "--queue writes no report",
    ),
    "a place for a run of the daemon": (
        ("--from", "2026-03-01", "--to", "2026-03-01", "--queue", "--output", "x"),
        "--queue writes no report",
    ),
    "a place that is not there": (
        ("--from", "2026-03-01", "--to", "2026-03-01", "--output", "no/such/place"),
        "there is no folder",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_refuses_with_the_mend_before_anything_is_asked(shop: Shop, case: str) -> None:
    """Days and places that can't be meant are one line and exit code 2, and leave no run behind."""
    arguments, words = REFUSED[case]

    answer = shop.run("reconcile", *arguments)

    assert (answer.code, answer.out) == (2, "")
    assert words in answer.err
    assert json.loads(shop.run("runs", "list", "--json").out) == []


def test_it_tells_then_repairs_then_finds_nothing(shop: Shop) -> None:
    """A dry run exits with 1 and changes nothing, the run repairs the payment, the next one has nothing to say."""
    dry = shop.reconcile("--dry-run")
    unpaid = shop.run("invoices", "show", "1").out
    run = shop.reconcile()
    paid = shop.run("invoices", "show", "1").out
    again = shop.reconcile()

    assert (dry.code, run.code, again.code) == (1, 0, 0)
    assert "DRY RUN" in dry.out
    assert "paid" not in unpaid.split("status", 1)[1].split("\n")[0]
    assert "paid" in paid
    assert API_KEY not in dry.everything + run.everything + again.everything


@pytest.mark.parametrize("form", ["table", "json", "html", "xlsx", "csv"])
def test_it_writes_the_report_where_it_was_asked(shop: Shop, tmp_path: Path, form: str) -> None:
    """Each form goes to its place, says so, and can be written again from the run's number."""
    place, again = tmp_path / "report", tmp_path / "again"

    first = shop.reconcile("--format", form, "--output", str(place))
    second = shop.run("runs", "report", "1", "--format", form, "--output", str(again))

    assert (first.code, second.code) == (0, 0)
    assert f"The report on run 1 is in {place}." in first.out
    assert place.is_dir() == again.is_dir() == (form == "csv")


def test_it_says_that_it_was_cut_off(shop: Shop, tmp_path: Path) -> None:
    """A run that Stripe leaves without answers is no report to sign: exit 3, with the number to go on with; then it is whole."""
    shop.faults.script(Fault(kind=FaultKind.NO_RETRY, path="/v1/refunds", times=200))

    cut = shop.reconcile("--output", str(tmp_path / "report.txt"))
    signature = shop.run("runs", "sign", "1")
    shop.faults.heal()
    resumed = shop.run("reconcile", "--resume", "1")

    assert cut.code == 3
    assert "`reconciler reconcile --resume 1` goes on" in cut.err
    assert (tmp_path / "report.txt").read_text().startswith("CUT OFF")
    assert (signature.code, "has not looked at all" in signature.err) == (1, True)
    assert resumed.code == 0
    for run, words in (("1", "has come to its end"), ("77", "there is no run 77")):
        refused = shop.run("reconcile", "--resume", run)
        assert (refused.code, refused.out, words in refused.err) == (2, "", True)


def test_it_leaves_a_run_to_the_daemon(shop: Shop, database: Database) -> None:
    """A queued run needs no key, is done by the daemon's next look, and is done once."""
    left = shop.reconcile("--queue", "--by", "ben")
    before = shop.run("runs", "show", "1").out

    account = Account(database, world=World(seed=5, clock=Clock(int(time.time() * 1000))))
    run_waiting(account.poller)
    with database.reading() as tx:
        waiting = queued.of_daemon(tx)

    assert (left.code, "Run 1 waits for the daemon" in left.out) == (0, True)
    assert "waits for its turn" in before
    assert "ben" in before
    assert "complete" in shop.run("runs", "show", "1").out
    assert waiting == []


def test_it_lets_nobody_into_a_run_that_goes_on(shop: Shop, database: Database) -> None:
    """Who resumes a run at which somebody works gets one line and exit code 2; behind a killed one they may, and it says so."""
    shop.faults.script(Fault(kind=FaultKind.NO_RETRY, path="/v1/refunds", times=200))
    shop.reconcile("--by", "ben")
    shop.faults.heal()
    with database.writing() as tx:
        token = holds.hold(tx, 1, "somebody", None)
        tx.execute(update(reconcile_runs).values(state="running", error=None))

    shown = shop.run("runs", "show", "1").out
    refused = [shop.run("reconcile", "--resume", "1", *more) for more in ((), ("--queue",))]
    with database.writing() as tx:
        holds.release(tx, 1, token or 0)
    killed = shop.run("runs", "list").out, shop.run("runs", "report", "1")
    resumed = shop.run("reconcile", "--resume", "1")

    assert "still goes on" in shown
    assert [(each.code, each.out) for each in refused] == [(2, "")] * 2
    assert all(each.err.count("\n") == 1 for each in refused)
    assert all("run 1 is going on at this moment" in each.err for each in refused)
    assert all("if it was killed just now, try again in" in each.err for each in refused)
    assert "CUT OFF" in killed[0]
    assert (killed[1].code, "was killed" in killed[1].out) == (3, True)
    assert resumed.code == 0


def test_it_queues_no_run_that_was_done_meanwhile(
    shop: Shop, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that the daemon took, or ended, between the look and the write stays as it is, and one line with exit code 2 says so."""
    assert shop.reconcile("--queue").code == 0
    look, became = reconcile.run_called, iter(("taken", "", "complete"))

    def look_too_early(db: Database, run_id: int, code: int = 1) -> RunHead:
        found = look(db, run_id, code)
        with db.writing() as tx:
            match next(became, ""):
                case "taken":
                    holds.hold(tx, run_id, "the daemon", None)
                case "complete":
                    leases = tables.leases.c.name == f"run {run_id}"
                    tx.execute(delete(tables.leases).where(leases))
                    tx.execute(update(reconcile_runs).values(state="complete"))
        return found

    monkeypatch.setattr(reconcile, "run_called", look_too_early)
    taken, ended = (shop.run("reconcile", "--resume", "1", "--queue") for _ in range(2))

    assert (taken.code, ended.code, taken.out, ended.out) == (2, 2, "", "")
    assert "run 1 is going on at this moment" in taken.err
    assert "run 1 has come to its end" in ended.err
    with database.reading() as tx:
        assert queued.of_daemon(tx) == []


def test_it_calls_a_person_for_what_else_is_open(shop: Shop, database: Database) -> None:
    """A question in the queue about a payment of the days is told in one line of every form, and is exit code 1."""
    assert shop.reconcile().code == 0
    with database.writing() as tx:
        id_ = tx.scalar(select(payments.c.id))
        alerts.open_alert(
            tx,
            kind=ExceptionKind.CONFLICTING_FACTS,
            subject=id_ or "",
            fingerprint="it contradicts itself",
            now=datetime.now(UTC),
        )

    again = shop.reconcile("--format", "json")
    french = shop.run("runs", "report", "2", RECONCILER_REPORT__LOCALE="fr")

    told = json.loads(again.out)
    assert (again.code, french.code, told["open_questions"]) == (1, 1, 1)
    assert any("payments of these days that are in the queue: 1" in e for e in told["next_steps"])
    assert "Questions ouvertes sur des paiements de ces jours" in " ".join(french.out.split())


def test_it_calls_a_person_for_a_day_that_does_not_tie_out(shop: Shop, database: Database) -> None:
    """Where a row of ours is not Stripe's, that is said first, the command ends with 1, and nobody can sign."""
    assert shop.reconcile().code == 0
    # What happened an hour ago may have happened yesterday, and never on the day before.
    midday = datetime.fromisoformat(f"{_day(2)}T12:00:00+00:00")
    with database.writing() as tx:
        tx.execute(update(balance_transactions).values(created=midday))

    again = shop.run("reconcile", "--from", _day(3), "--to", _day(2))
    french = shop.run("runs", "report", "2", RECONCILER_REPORT__LOCALE="fr")
    signature = shop.run("runs", "sign", "2")

    assert (again.code, french.code, signature.code) == (1, 1, 1)
    assert again.out.startswith("DOES NOT TIE OUT: ")
    assert french.out.startswith("NE CONCORDE PAS : ")
    assert "Nothing differs." not in again.out
    assert "its ledger is not Stripe's" in " ".join(signature.err.split())
    assert "can't be signed" in signature.err


WORDS = {
    "en": (
        "waits for its turn",
        "missing here",
        "would be repaired",
        "Ledger in EUR",
        "Only run 1",
    ),
    "fr": ("en attente", "absent ici", "serait corrigé", "Solde en EUR", "Seul le rapport n° 1"),
}


@pytest.mark.parametrize("language", WORDS)
def test_it_tells_of_runs_in_the_words_of_their_reports(shop: Shop, language: str) -> None:
    """States, differences and sums are called in `runs` as in the report, in both languages, and no line is too wide."""
    waits, kind, outcome, book, only = WORDS[language]
    named = {"RECONCILER_REPORT__LOCALE": language}
    shop.reconcile("--dry-run")
    shop.reconcile()
    shop.reconcile_until_yesterday()
    shop.run("reconcile", "--from", _day(1), "--to", _day(0), "--queue")

    listed = shop.run("runs", "list", **named).out
    dry = shop.run("runs", "show", "1", **named).out
    queue = shop.run("runs", "show", "4", **named).out
    differ = shop.run("runs", "diff", "1", "3", **named).out

    assert waits in " ".join(listed.split())
    assert waits in queue
    assert kind in dry
    assert outcome in dry
    assert (book in " ".join(differ.split())) or differ
    assert only in differ
    for each in (listed, dry, queue, differ):
        assert max(map(len, each.splitlines())) <= 80


def test_it_keeps_a_history_to_sign_and_compare(shop: Shop) -> None:
    """Who asked for which days, who signed, and what two runs say differently; what is not there is exit code 1."""
    shop.reconcile("--dry-run")
    shop.reconcile()
    whole = shop.reconcile_until_yesterday()

    listed = shop.run("runs", "list").out
    refused = [shop.run("runs", "sign", run) for run in ("1", "2")]
    signed = shop.run("runs", "sign", "3", "--by", "ben")
    twice = shop.run("runs", "sign", "3", "--by", "eve")

    assert whole.code == 0
    assert listed.count("ada") == 3
    assert [each.code for each in refused] == [1, 1]
    assert "it was a dry run" in refused[0].err
    assert (signed.code, twice.code) == (0, 1)
    assert [row["signed_by"] for row in json.loads(shop.run("runs", "list", "--json").out)] == [
        "ben",
        "",
        "",
    ]
    assert (shop.run("runs", "diff", "1", "2").code, shop.run("runs", "diff", "3", "3").code) == (
        1,
        0,
    )
    for arguments in (("show", "9"), ("report", "9"), ("sign", "9"), ("diff", "1", "9")):
        assert shop.run("runs", *arguments).code == 1
    assert max(map(len, listed.splitlines())) <= 80


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 3)], ids=["ctrl-c", "sigterm"]
)
def test_it_ends_at_once_when_it_is_told_to(
    shop: Shop, program: Program, database: Database, number: signal.Signals, code: int
) -> None:
    """A run that somebody stops in the middle of an answer says how to go on, and goes on there."""
    if database.dialect_name != "sqlite":
        pytest.skip("a signal asks for no database, and programs are slow to start")
    shop.faults.script(Fault(kind=FaultKind.STALL, path="/v1/refunds", stall_s=60, times=9))
    days = ("--from", _day(1), "--to", _day(0))
    running = subprocess.Popen(
        [sys.executable, "-m", "reconciler", "reconcile", *days, "--by", "ada"],
        cwd=program.folder,
        env={"PATH": os.defpath, "PYTHONPATH": str(ROOT), **NO_METRICS, **shop.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    _wait_for_slices(database, 4)

    running.send_signal(number)
    out, err = running.communicate(timeout=20)
    shop.faults.heal()
    resumed = shop.run("reconcile", "--resume", "1")

    assert (running.returncode, out) == (code, "")
    assert "run 1 was cut off" in err
    assert "Traceback" not in err
    assert resumed.code == 0
