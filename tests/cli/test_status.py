"""Does `status` say what is wrong, and only what is wrong?"""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.core.exceptions import ExceptionKind
from reconciler.core.observation import Source
from reconciler.daemon.leader import LEASE
from reconciler.db import alerts, evidence, leases, sweeps
from reconciler.db import events as event_rows
from reconciler.db.events import EventState, Mark
from reconciler.db.session import Database
from reconciler.db.sweeps import Coverage, RunState
from reconciler.inbox import Inbox
from reconciler.stripe_api.envelope import read_event
from tests.cli import bodies
from tests.cli.program import Commands

Given = Callable[[Database], None]
BY_DAY = ("events", "events_deep", "open", "invoices", "money", "recent")
BY_NIGHT = ("events_night", "money_night", "recent_night")


def _now() -> datetime:
    return datetime.now(UTC)


def _runs(
    database: Database,
    ago_s: float,
    *states: RunState,
    names: tuple[str, ...] = BY_DAY,
) -> None:
    at = _now() - timedelta(seconds=ago_s)
    covered = Coverage(since=at - timedelta(minutes=3), until=at, objects=12, found=2)
    with database.writing() as tx:
        for name in names:
            for state in states:
                run = sweeps.begin(tx, name, at)
                error = "/v1/events: Stripe gives no answer (status 500, req_1)"
                is_bad = state is RunState.FAILED
                if state is not RunState.RUNNING:
                    sweeps.end(tx, run, state, covered, now=at, error=error if is_bad else None)
        sweeps.move(tx, "events", at, at)


def _event(database: Database, source: Source) -> None:
    told = read_event(bodies.event(bodies.intent(f"pi_{source}")))
    Inbox(db=database).accept([told], source=source, now=_now())


def _fine(database: Database) -> None:
    _runs(database, 20, RunState.DONE, names=(*BY_DAY, *BY_NIGHT))
    _event(database, Source.WEBHOOK)


def _never_ran(database: Database) -> None:
    _event(database, Source.WEBHOOK)


def _late(database: Database) -> None:
    _runs(database, 330, RunState.DONE)


def _killed_long_ago(database: Database) -> None:
    _runs(database, 330, RunState.RUNNING)


def _deep_is_late(database: Database) -> None:
    _runs(database, 20, RunState.DONE, names=("events",))
    _runs(database, 3000, RunState.DONE, names=("events_deep",))


def _failed_once(database: Database) -> None:
    _runs(database, 60, RunState.DONE, RunState.FAILED)


def _fails_for_long(database: Database) -> None:
    _runs(database, 330, RunState.DONE)
    _runs(database, 20, RunState.FAILED)


def _first_run(database: Database) -> None:
    _runs(database, 20, RunState.RUNNING)


def _dead(database: Database) -> None:
    _fine(database)
    with database.writing() as tx:
        event_rows.mark(tx, [Mark(id="evt_pi_webhook_succeeded", state=EventState.DEAD)])


def _failed_event(database: Database) -> None:
    _fine(database)
    with database.writing() as tx:
        event_rows.mark(tx, [Mark(id="evt_pi_webhook_succeeded", state=EventState.FAILED)])


def _delivered(database: Database, ago_s: float) -> None:
    at = _now() - timedelta(seconds=ago_s)
    with database.writing() as tx:
        seen = {"good": 1, "bad": 0, "last_good_at": at, "last_bad_at": None}
        event_rows.add_health(tx, {**seen, "last_bad_reason": ""})


def _only_sweeps(database: Database) -> None:
    _runs(database, 20, RunState.DONE)
    _event(database, Source.POLL)


def _webhooks_fell_silent(database: Database) -> None:
    _only_sweeps(database)
    _delivered(database, ago_s=3 * 86_400)


def _some_by_sweep(database: Database) -> None:
    _fine(database)
    _event(database, Source.POLL)


def _alarm(database: Database) -> None:
    _fine(database)
    kind = ExceptionKind.SWEEP_FAILING
    with database.writing() as tx:
        alerts.open_alert(tx, kind=kind, subject="events", fingerprint="x", now=_now())


def _ahead(ahead_s: float) -> Given:
    def given(database: Database) -> None:
        _fine(database)
        at = _now() + timedelta(seconds=ahead_s)
        with database.writing() as tx:
            sweeps.move(tx, "events", at, _now())

    return given


def _unread(ago_s: float) -> Given:
    def given(database: Database) -> None:
        _fine(database)
        with database.writing() as tx:
            at = _now() - timedelta(seconds=ago_s)
            evidence.ask(tx, [("charge", "ch_1"), ("charge", "ch_2")], "event", at)

    return given


def _led(until_s: float) -> Given:
    def given(database: Database) -> None:
        _fine(database)
        with database.writing() as tx:
            ttl = timedelta(seconds=until_s)
            leases.hold(tx, LEASE, "books-1 4242 0a1b2c3d", None, ttl=ttl)

    return given


def _unpaid(ago_s: float) -> Given:
    def given(database: Database) -> None:
        _fine(database)
        at = _now() - timedelta(seconds=ago_s)
        waits = {"status": "requires_payment_method", "amount_received": 0}
        made = bodies.intent("pi_open", **waits, created=int(at.timestamp()))
        told = read_event(bodies.event(made, "payment_intent.created"))
        Inbox(db=database).accept([told], source=Source.WEBHOOK, now=at)

    return given


def _unanswered(ago_s: float) -> Given:
    def given(database: Database) -> None:
        _fine(database)
        with database.writing() as tx:
            at = _now() - timedelta(seconds=ago_s)
            evidence.ask(tx, [("payment_intent", "pi_open")], evidence.CHECK, at)

    return given


def _looked(*, objects: int, at: datetime | None = None) -> Given:
    """Let a run have looked at things of one moment, or of no time."""

    def given(database: Database) -> None:
        _fine(database)
        with database.writing() as tx:
            run = sweeps.begin(tx, "invoices", _now())
            found = 1 if objects else 0
            seen = Coverage(since=at, until=at, objects=objects, found=found)
            sweeps.end(tx, run, RunState.DONE, seen, now=_now(), error=None)

    return given


def _clock(*, began_s: float, ended_s: float, drift_s: float = 0) -> Given:
    """Let a sweep of events begin and end so long before Stripe said what time it is, by a clock that is ahead by so much."""

    def given(database: Database) -> None:
        _fine(database)
        stripe = _now() - timedelta(seconds=20 + drift_s)
        with database.writing() as tx:
            run = sweeps.begin(tx, "events", stripe + timedelta(seconds=began_s + drift_s))
            covered = Coverage(since=stripe, until=stripe - timedelta(seconds=10))
            ended = stripe + timedelta(seconds=ended_s + drift_s)
            sweeps.end(tx, run, RunState.DONE, covered, now=ended, error=None)

    return given


@pytest.mark.parametrize(
    ("given", "code", "colour", "what", "words"),
    [
        (_fine, 0, "ok", "events", "looked at 3 min, 12 seen, 2 new"),
        (_never_ran, 1, "RED", "events", "never ran; is the daemon running?"),
        (_late, 1, "RED", "events", "5 min ago, looked at 3 min"),
        (_late, 1, "RED", "events", "is the daemon running?"),
        (_late, 1, "look", "events_night", "waits for its first night"),
        (_killed_long_ago, 1, "RED", "events", "has never come to its end"),
        (_deep_is_late, 1, "RED", "events_deep", "50 min ago"),
        (_failed_once, 0, "look", "events", "the last one failed: /v1/events: Stripe gives no"),
        (_fails_for_long, 1, "RED", "events", "2 new; the last one failed: /v1/events: Stripe"),
        (_first_run, 0, "look", "events", "has never come to its end"),
        (_dead, 1, "RED", "stored events", "1 dead: see `reconciler events list --state dead`"),
        (_failed_event, 0, "look", "stored events", "1 failed"),
        (_only_sweeps, 0, "ok", "webhook", "no webhooks: payments are found by sweeps"),
        (
            _webhooks_fell_silent,
            1,
            "RED",
            "webhook",
            "0 events of the last day came by webhook, 1 by",
        ),
        (
            _webhooks_fell_silent,
            1,
            "RED",
            "webhook",
            "by a sweep; last good one 3 d ago: webhooks seem",
        ),
        (_some_by_sweep, 0, "look", "webhook", "1 events of the last day came by webhook, 1 by"),
        (_fine, 0, "look", "leader", "no daemon has led yet"),
        (_led(15), 0, "ok", "leader", "process 4242 on books-1"),
        (
            _led(-60),
            0,
            "look",
            "leader",
            "no daemon leads since 60 s; the last one was process 4242",
        ),
        (_led(-300), 1, "RED", "leader", "was process 4242 on books-1: start the daemon"),
        (_fine, 0, "ok", "open payments", "none is due to be looked at"),
        (_unpaid(90), 0, "ok", "open payments", "1 due to be looked at, the oldest for 3"),
        (_unpaid(330), 0, "look", "open payments", "1 due to be looked at, the oldest for 4 min"),
        (_unpaid(8000), 1, "RED", "open payments", "the oldest for 2 h: is the daemon running"),
        (_unanswered(8000), 1, "RED", "open payments", "1 due to be looked at, the oldest for 2 h"),
        (_clock(began_s=0, ended_s=1), 0, "ok", "clock", "as Stripe's, give or take 30 s"),
        (_clock(began_s=-60, ended_s=600), 0, "ok", "clock", "as Stripe's, give or take 30 s"),
        (
            _clock(began_s=0, ended_s=1, drift_s=300),
            1,
            "RED",
            "clock",
            "5 min ahead of Stripe's: let the system set it (NTP): `timedatectl set-ntp true`",
        ),
        (_clock(began_s=-1, ended_s=0, drift_s=-300), 1, "RED", "clock", "5 min behind Stripe's"),
        (_looked(objects=7), 0, "ok", "invoices", "0 s ago, 7 seen, 1 new"),
        (_looked(objects=7, at=_now()), 0, "ok", "invoices", "0 s ago, 7 seen, 1 new"),
        (_looked(objects=0, at=_now()), 0, "ok", "invoices", "0 s ago, nothing to look at"),
        (_looked(objects=0), 0, "ok", "invoices", "0 s ago, nothing to look at"),
        (_alarm, 1, "RED", "alerts", "1 sweep_failing: see `reconciler exceptions list`"),
        (_ahead(60), 0, "ok", "cursor events", "0 s behind the present"),
        (_ahead(8000), 1, "RED", "cursor events", "2 h ahead of the present: is this machine's"),
        (_unread(60), 0, "ok", "fetches", "2 objects wait to be read, the oldest for 60 s"),
        (_unread(400), 1, "RED", "fetches", "the oldest for 6 min: is the daemon running"),
    ],
)
@pytest.mark.parametrize("dialect", ["sqlite"])
def test_it_says_where_a_person_is_needed(
    commands: Commands,
    database: Database,
    dialect: str,
    given: Given,
    code: int,
    colour: str,
    what: str,
    words: str,
) -> None:
    """A line is red, and the exit code 1, exactly where something must be mended; text and JSON say the same."""
    given(database)

    shown = commands.run("status")
    told = commands.run("status", "--json")

    flat = " ".join(shown.out.split())
    lines = [line for line in json.loads(told.out) if line["what"] == what]
    assert (shown.code, told.code) == (code, code)
    assert [line["state"] for line in lines] == [colour]
    assert words in lines[0]["words"]
    assert f"{colour} {what} " in flat
    assert words in flat
    assert any(line["state"] == "RED" for line in json.loads(told.out)) is (code == 1)


def test_it_compares_no_clock_with_that_of_a_demo(commands: Commands, database: Database) -> None:
    """Where a minute of the simulated Stripe takes a second, cursors and lateness say nothing, and so nothing is said."""
    _ahead(8000)(database)
    _clock(began_s=0, ended_s=1, drift_s=300)(database)
    with database.writing() as tx:
        event_rows.settle_setting(tx, "pace", "60")

    told = commands.run("status", "--json")

    lines = {line["what"]: line for line in json.loads(told.out)}
    assert told.code == 0
    assert not {"cursor events", "payments", "clock"} & set(lines)
    assert lines["demo"]["words"].startswith(
        "its Stripe ran 60 times as fast as this machine's clock"
    )


@pytest.mark.parametrize("columns", [80, 60])
def test_it_breaks_lines_where_the_terminal_ends(
    commands: Commands, database: Database, columns: int
) -> None:
    """No line is wider than the terminal, nothing is cut, and what is broken stands under its own words."""
    _failed_once(database)
    _webhooks_fell_silent(database)

    shown = commands.run("status", COLUMNS=str(columns))
    told = json.loads(commands.run("status", "--json").out)

    lines = shown.out.splitlines()
    indents = {len(line) - len(line.lstrip()) for line in lines if line.startswith(" ")}
    assert max(map(len, lines)) <= columns
    assert len(lines) > len(told)
    assert indents == {6 + max(len(line["what"]) for line in told) + 2}
    for line in told:
        assert _ageless(line["words"]) in _ageless(shown.out)


def _ageless(text: str) -> str:
    """The words on one line, whatever second it is."""
    return re.sub(r"\b\d+ s\b", "N s", " ".join(text.split()))


def test_it_shows_no_character_that_steers_a_terminal(
    commands: Commands, database: Database
) -> None:
    """What a stranger wrote into a reason is shown as text."""
    _fine(database)
    with database.writing() as tx:
        seen = {"good": 1, "bad": 1, "last_good_at": _now(), "last_bad_at": _now()}
        event_rows.add_health(tx, {**seen, "last_bad_reason": "\x1b[2J"})

    shown = commands.run("status")

    assert "\x1b" not in shown.out
    assert "\\x1b[2J" in shown.out
