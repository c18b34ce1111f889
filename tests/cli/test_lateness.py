"""Does `status` say who told of the payments, and does it call for a person where webhooks seem broken, and only there?"""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from reconciler.core.observation import Source
from reconciler.db import events, sweeps
from reconciler.db.session import Database
from reconciler.inbox import Inbox
from reconciler.stripe_api.envelope import read_event
from tests.cli import bodies
from tests.cli.conftest import import_invoices
from tests.cli.program import Commands

Given = Callable[[Database], None]
DAY_S = 86_400
INVOICES = "id,number,currency,amount_due\ninv_1,2026-001,usd,1250\n"


@pytest.fixture
def dialect() -> str:
    """Name the database: what is read of it is tried on both elsewhere."""
    return "sqlite"


@pytest.fixture(autouse=True)
def _daemon_since_yesterday(database: Database) -> None:
    """Let a daemon have begun long before the payments of these tests."""
    with database.writing() as tx:
        sweeps.begin(tx, "events", datetime.now(UTC) - timedelta(days=2))


def _paid(database: Database, source: Source, *names: str, ago_s: float = 0) -> None:
    """Let payments become known as paid, half a minute after they were."""
    told = [read_event(bodies.event(bodies.intent(f"pi_{name}"))) for name in names]
    at = datetime.now(UTC) - timedelta(seconds=ago_s)
    Inbox(db=database).accept(told, source=source, now=at)


def _delivered(database: Database, ago_s: float, reason: str = "") -> None:
    """Let a delivery be counted, a bad one if there is a reason."""
    at = datetime.now(UTC) - timedelta(seconds=ago_s)
    good, bad = (0, 1) if reason else (1, 0)
    seen = {
        "good": good,
        "bad": bad,
        "last_good_at": at if good else None,
        "last_bad_at": at if bad else None,
        "last_bad_reason": reason,
    }
    with database.writing() as tx:
        events.add_health(tx, seen)


def _line(commands: Commands, what: str, **environ: str) -> dict[str, Any]:
    told = json.loads(commands.run("status", "--json", **environ).out)
    [line] = [each for each in told if each["what"] == what]
    return dict(line)


def _nothing(_: Database) -> None:
    """Nobody has paid."""


def _all_by_webhook(database: Database) -> None:
    _paid(database, Source.WEBHOOK, "1", "2", "3", "4")


def _some_by_sweep(database: Database) -> None:
    _paid(database, Source.WEBHOOK, "1", "2")
    _paid(database, Source.POLL, "3")
    _paid(database, Source.MANUAL, "4")


def _hardly_any_by_sweep(database: Database) -> None:
    _paid(database, Source.WEBHOOK, *map(str, range(300)))
    _paid(database, Source.POLL, "swept")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (_nothing, "none was paid in the last 24 h"),
        (_all_by_webhook, "4 paid in the last 24 h: all told by webhook; known within 3"),
        (
            _some_by_sweep,
            "4 paid in the last 24 h: 50 % told by webhook, 25 % found only by a sweep, 25 % by a person; known",
        ),
        (
            _hardly_any_by_sweep,
            "301 paid in the last 24 h: 99 % told by webhook, 1 % found only by a",
        ),
    ],
)
def test_it_says_who_told_of_the_payments(
    commands: Commands, database: Database, given: Given, words: str
) -> None:
    """The share that each door told first, and how late; a share is rounded neither to nothing nor to all."""
    given(database)

    line = _line(commands, "payments")

    assert line["state"] == "ok"
    assert line["words"].startswith(words)


def test_it_tells_programs_the_same_in_numbers(commands: Commands, database: Database) -> None:
    """The facts of the line have names that stay, whatever the words are."""
    _some_by_sweep(database)

    payments = _line(commands, "payments")["facts"]
    webhook = _line(commands, "webhook")["facts"]

    late_s = payments.pop("late_s")
    assert payments == {
        "window_s": DAY_S,
        "paid": 4,
        "first_told_by": {"webhook": 2, "poll": 1, "manual": 1},
        "only_by_sweep": 1,
        "only_by_sweep_share": 0.25,
    }
    assert late_s.keys() == {"p50", "p95", "p99", "max"}
    assert 29 <= late_s["p50"] <= late_s["max"] < 60
    assert webhook == {
        "expected": True,
        "events_by_webhook": 2,
        "events_by_sweep": 1,
        "last_good_at": None,
        "last_bad_at": None,
        "recent_payments": 4,
        "recent_only_by_sweep": 1,
    }


def test_it_counts_from_the_day_that_was_set(commands: Commands, database: Database) -> None:
    """What was paid before the day from which everything counts is in no figure."""
    _all_by_webhook(database)
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()

    line = _line(commands, "payments", RECONCILER_MATCHING__SINCE=tomorrow)

    assert line["facts"]["paid"] == 0


def _alone(database: Database) -> None:
    _paid(database, Source.POLL, "1", "2", "3", "4", "5")


def _given_up(database: Database) -> None:
    _alone(database)
    _delivered(database, 31 * DAY_S)


def _broken(database: Database) -> None:
    _alone(database)
    _delivered(database, 3 * DAY_S)


def _refused(database: Database) -> None:
    _alone(database)
    _delivered(database, 60, "signature_mismatch")


def _broken_since_an_hour(database: Database) -> None:
    _paid(database, Source.WEBHOOK, "a", "b", ago_s=3600)
    _delivered(database, 3600)
    _paid(database, Source.POLL, "1", "2", "3")


def _some_lost(database: Database) -> None:
    _paid(database, Source.WEBHOOK, *"abcdefghijkl", ago_s=3600)
    _delivered(database, 3600)
    _paid(database, Source.POLL, "1", "2", "3")


def _broken_after_many(database: Database) -> None:
    _some_lost(database)
    _paid(database, Source.POLL, *"456789")


def _mended(database: Database) -> None:
    _paid(database, Source.WEBHOOK, "a", ago_s=3600)
    _paid(database, Source.POLL, "1", "2", "3", ago_s=600)
    _delivered(database, 60)


def _sent_again(database: Database) -> None:
    _paid(database, Source.POLL, "1", "2", "3", ago_s=600)
    _delivered(database, 60)


def _two_at_all(database: Database) -> None:
    _delivered(database, 3600)
    _paid(database, Source.POLL, "1", "2")
    told = bodies.event(bodies.intent("pi_3", status="processing"), "payment_intent.processing")
    Inbox(db=database).accept([read_event(told)], source=Source.WEBHOOK, now=datetime.now(UTC))


SECRET = {"STRIPE_WEBHOOK_SECRET": "whsec_0123456789abcdef"}
SWEPT = "payments were found only by a sweep"
BROKEN = ": webhooks seem broken, `reconciler doctor` looks at the endpoint"


@pytest.mark.parametrize(
    ("given", "environ", "colour", "words"),
    [
        (_nothing, {}, "ok", "no webhooks: payments are found by sweeps"),
        (_alone, {}, "ok", "no webhooks: payments are found by sweeps"),
        (_given_up, {}, "ok", "no webhooks: payments are found by sweeps"),
        (_nothing, SECRET, "ok", "no delivery was ever counted"),
        (_alone, SECRET, "RED", f"no delivery was ever counted; 5 of the last 5 {SWEPT}{BROKEN}"),
        (_given_up, SECRET, "RED", f"last good one 31 d ago; 5 of the last 5 {SWEPT}{BROKEN}"),
        (_broken, {}, "RED", f"last good one 3 d ago; 5 of the last 5 {SWEPT}{BROKEN}"),
        (_refused, {}, "RED", f"ago (signature_mismatch); 5 of the last 5 {SWEPT}{BROKEN}"),
        (_broken_since_an_hour, {}, "RED", f"; 3 of the last 5 {SWEPT}{BROKEN}"),
        (_broken_after_many, {}, "RED", f"; 9 of the last 10 {SWEPT}{BROKEN}"),
        (_some_lost, {}, "look", "3 by a sweep; last good one 60 min ago"),
        (
            _sent_again,
            {},
            "look",
            f"; 3 of the last 3 {SWEPT}: does the endpoint get all event types?",
        ),
        (_two_at_all, {}, "look", "2 by a sweep; last good one 60 min ago"),
        (_mended, {}, "look", f"; 3 of the last 4 {SWEPT}: does the endpoint get all event types?"),
        (_all_by_webhook, {}, "ok", "4 events of the last day came by webhook, 0 by a sweep"),
    ],
)
def test_it_calls_for_a_person_where_webhooks_seem_broken(
    commands: Commands,
    database: Database,
    given: Given,
    environ: dict[str, str],
    colour: str,
    words: str,
) -> None:
    """Red where they are expected and stay away; plain where a daemon works alone; a look where they come again."""
    given(database)

    line = _line(commands, "webhook", **environ)

    assert line["state"] == colour
    assert words in line["words"]
    assert line["facts"]["expected"] is (
        line["words"] != "no webhooks: payments are found by sweeps"
    )


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (Source.WEBHOOK, "pi_1 was first told by a webhook, 30 s after it was paid."),
        (
            Source.POLL,
            "pi_1 was first told by a sweep, 30 s after it was paid; no webhook told of it.",
        ),
        (Source.MANUAL, "pi_1 was first told by a person, 30 s after it was paid."),
    ],
)
def test_it_explains_who_told_first(
    commands: Commands, database: Database, source: Source, words: str
) -> None:
    """The story of an invoice says of each payment who told it first and how late, in words and to programs."""
    import_invoices(commands, INVOICES)
    _paid(database, source, "1")

    told = " ".join(commands.run("explain", "inv_1").out.split())
    [found] = json.loads(commands.run("explain", "inv_1", "--json").out)["first_told"]

    late = f"{int(found['late_s'])} s"
    assert words.replace("30 s", late) in told
    assert (found["payment_id"], found["source"]) == ("pi_1", source.value)
    assert 29 <= found["late_s"] < 60
