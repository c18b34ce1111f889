"""`status`: does money still find its invoice, and if not, why? One line each, red ones first to be mended."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from reconciler.cli.context import AsJson, Config, app, database, now, policy_of, settings_of
from reconciler.cli.lateness import DAY, arrivals, payments_line, webhook_line
from reconciler.cli.lines import Colour, Line, as_data, is_red, show, words_of
from reconciler.cli.outbox import push_line
from reconciler.cli.output import safe, say_json
from reconciler.config import Settings
from reconciler.core.exceptions import OF_THE_PROGRAM
from reconciler.core.observation import moment
from reconciler.daemon.leader import LEASE
from reconciler.db import events, leases, payments, queries
from reconciler.db.session import Tx

_FETCH_LATE: Final = timedelta(minutes=5)
# A sweep that has not ended well for so many of its intervals, and a little, is not just slow.
_INTERVALS: Final = 3
_SLACK: Final = timedelta(minutes=2)
# So many payments that wait to be looked at are counted; so late, there are more of them than can be looked at.
_CHECKS_MAX: Final = 1000
_CHECK_LATE: Final = timedelta(hours=1)
# A clock that is so far off makes good signatures fail.
_CLOCK_OFF: Final = timedelta(seconds=30)
PACE: Final = "pace"


@app.command()
def status(config: Config = None, as_json: AsJson = False) -> None:
    """Show sweeps, lags, backlog and exceptions; exit 1 if a line is red."""
    settings = settings_of(config)
    at = now()
    with database(settings) as db:
        since_ms = policy_of(settings, db).rules.since_ms
        with db.reading() as tx:
            seen = arrivals(
                tx,
                at,
                counts_from=moment(since_ms),
                has_secret=bool(settings.secrets.stripe_webhook_secret),
            )
            lines = [
                *_sweeps(tx, settings, at),
                *_clock(tx, settings),
                _leader(tx, at),
                webhook_line(seen, at),
                payments_line(seen, at),
                _open_payments(tx, settings, at),
                _events(tx),
                _fetches(tx, at),
                push_line(tx, settings, at),
                *_exceptions(tx, at),
            ]
            pace = events.setting(tx, PACE)
    if pace is not None:
        lines = _of_a_demo(lines, pace)
    if as_json:
        say_json(as_data(lines))
    else:
        show(lines)
    sys.exit(1 if is_red(lines) else 0)


def _sweeps(tx: Tx, settings: Settings, at: datetime) -> Iterator[Line]:
    every = {
        "events": timedelta(seconds=settings.sweeps.events_s),
        "events_deep": timedelta(seconds=settings.sweeps.events_deep_s),
        "events_night": DAY,
        "open": timedelta(seconds=settings.sweeps.open_s),
        "invoices": timedelta(seconds=settings.sweeps.invoices_s),
        "money": timedelta(seconds=settings.sweeps.money_s),
        "money_night": DAY,
        "recent": timedelta(seconds=settings.sweeps.recent_s),
        "recent_night": DAY,
    }
    runs = queries.last_runs(tx)
    for name, interval in every.items():
        mine = [each for each in runs if each["sweep"] == name]
        yield _sweep(name, mine, interval, at)
    for cursor in queries.cursors(tx):
        yield _cursor(cursor["name"], at - cursor["position"])


def _cursor(name: str, behind: timedelta) -> Line:
    """A cursor that runs ahead of our clock: no pause of the daemon would be made up for until the clock is there."""
    if behind < -_SLACK:
        words = f"{words_of(-behind)} ahead of the present: is this machine's clock right?"
        return Line(Colour.RED, f"cursor {name}", words)
    return Line(Colour.GOOD, f"cursor {name}", f"{words_of(behind)} behind the present")


def _sweep(name: str, runs: list[dict[str, Any]], interval: timedelta, at: datetime) -> Line:
    done = next((each for each in runs if each["state"] == "done"), None)
    last = runs[-1] if runs else None
    if last is None:
        waits = name.endswith("_night")
        words = "never ran; is the daemon running?" if not waits else "waits for its first night"
        return Line(Colour.LOOK if waits else Colour.RED, name, words)
    # The first run of all looks back thirty days, and may take its time.
    is_late = at - (done or last)["started_at"] > _INTERVALS * interval + _SLACK
    if done is None:
        words = "has never come to its end"
    else:
        words = f"{words_of(at - done['started_at'])} ago, {_covered(done)}"
    if last["state"] == "failed":
        words += f"; the last one failed: {safe(str(last['error']))}"
    elif last["error"]:
        words += f"; {safe(str(last['error']))}"
    elif is_late:
        words += "; is the daemon running?"
    if is_late:
        return Line(Colour.RED, name, words)
    is_good = done is not None and last["state"] != "failed"
    return Line(Colour.GOOD if is_good else Colour.LOOK, name, words)


def _covered(run: Mapping[str, Any]) -> str:
    since, until = run["covered_from"], run["covered_until"]
    seen = f"{run['objects']} seen, {run['found']} new"
    # The invoices are looked at as they are at one moment.
    if since is None or until is None or since == until:
        return seen if run["objects"] else "nothing to look at"
    return f"looked at {words_of(until - since)}, {seen}"


def _clock(tx: Tx, settings: Settings) -> Iterator[Line]:
    """Whether our clock can be right: a sweep of events asks Stripe for its time, and looks until a moment before that.

    When it was asked is known only from both sides; whatever lies between them is no proof.
    """
    run = next((each for each in queries.last_runs(tx) if _tells_time(each)), None)
    if run is None:
        return
    stripe: datetime = run["covered_until"] + timedelta(seconds=settings.sweeps.events_lag_s)
    ahead, behind = run["started_at"] - stripe, stripe - run["ended_at"]
    if max(ahead, behind) <= _CLOCK_OFF:
        yield Line(Colour.GOOD, "clock", "as Stripe's, give or take 30 s")
        return
    off = f"{words_of(ahead)} ahead of" if ahead > behind else f"{words_of(behind)} behind"
    mend = "let the system set it (NTP): `timedatectl set-ntp true`"
    yield Line(Colour.RED, "clock", f"{off} Stripe's: {mend}")


def _tells_time(run: Mapping[str, Any]) -> bool:
    is_done = run["sweep"] == "events" and run["state"] == "done"
    return is_done and run["covered_until"] is not None


def _of_a_demo(lines: Sequence[Line], pace: str) -> list[Line]:
    """Leave out what compares a clock of ours with that of a simulated Stripe, which ran faster."""
    words = f"its Stripe ran {pace} times as fast as this machine's clock: nothing is said of cursors and lateness"
    kept = [each for each in lines if each.what.split()[0] not in {"clock", "cursor", "payments"}]
    return [*kept, Line(Colour.GOOD, "demo", words)]


def _leader(tx: Tx, at: datetime) -> Line:
    """Which daemon leads. One that was stopped or killed has some time to come back, or a standby to take over."""
    lease = leases.current(tx, LEASE)
    if lease is None:
        return Line(Colour.LOOK, "leader", "no daemon has led yet", {"holder": None, "until": None})
    facts = {"holder": lease.holder, "until": lease.expires_at}
    # Host, process, and a word that tells apart two daemons that got the same number.
    host, process = f"{lease.holder} ? ?".split()[:2]
    who = f"process {process} on {host}"
    gone = at - lease.expires_at
    if gone <= timedelta():
        return Line(Colour.GOOD, "leader", who, facts)
    words = f"no daemon leads since {words_of(gone)}; the last one was {who}"
    if gone <= _SLACK:
        return Line(Colour.LOOK, "leader", words, facts)
    return Line(Colour.RED, "leader", f"{words}: start the daemon", facts)


def _open_payments(tx: Tx, settings: Settings, at: datetime) -> Line:
    due = payments.due_checks(tx, at, limit=_CHECKS_MAX)
    # Those that were asked for are still due: Stripe has not been read yet.
    asked, asked_at = queries.looks_awaited(tx)
    since = [each.due_at for each in due[:1]] + ([asked_at] if asked_at is not None else [])
    oldest_at = min(since, default=None)
    count, is_more = len(due) + asked, len(due) == _CHECKS_MAX
    facts = {"due": count, "is_more": is_more, "oldest_due_at": oldest_at}
    if oldest_at is None:
        return Line(Colour.GOOD, "open payments", "none is due to be looked at", facts)
    late = at - oldest_at
    number = f"{count} or more" if is_more else str(count)
    words = f"{number} due to be looked at, the oldest for {words_of(late)}"
    if late > _CHECK_LATE:
        words += ": is the daemon running, does `open` come to its end, and does Stripe answer?"
        return Line(Colour.RED, "open payments", words, facts)
    is_late = late > _INTERVALS * timedelta(seconds=settings.sweeps.open_s) + _SLACK
    return Line(Colour.LOOK if is_late else Colour.GOOD, "open payments", words, facts)


def _events(tx: Tx) -> Line:
    counted = events.counts(tx)
    dead, failed = counted.get("dead", 0), counted.get("failed", 0)
    words = ", ".join(f"{number} {state}" for state, number in sorted(counted.items()))
    if dead:
        return Line(
            Colour.RED, "stored events", f"{words}: see `reconciler events list --state dead`"
        )
    return Line(Colour.LOOK if failed else Colour.GOOD, "stored events", words or "none yet")


def _fetches(tx: Tx, at: datetime) -> Line:
    count, oldest = queries.fetch_backlog(tx)
    if not count or oldest is None:
        return Line(Colour.GOOD, "fetches", "nothing waits to be read")
    is_late = at - oldest > _FETCH_LATE
    words = f"{count} objects wait to be read, the oldest for {words_of(at - oldest)}"
    if is_late:
        return Line(Colour.RED, "fetches", f"{words}: is the daemon running, and may its key read?")
    return Line(Colour.GOOD, "fetches", words)


def _exceptions(tx: Tx, at: datetime) -> Iterator[Line]:
    counted = queries.open_exception_counts(tx, now=at)
    mine = {kind: n for kind, n in counted.items() if kind in OF_THE_PROGRAM}
    if mine:
        words = ", ".join(f"{n} {kind}" for kind, n in mine.items())
        yield Line(Colour.RED, "alerts", f"{words}: see `reconciler exceptions list`")
    rest = {kind: n for kind, n in counted.items() if kind not in mine}
    if rest:
        words = ", ".join(f"{n} {kind}" for kind, n in rest.items())
        yield Line(Colour.LOOK, "exceptions", f"{words}: see `reconciler exceptions list`")
    if not counted:
        yield Line(Colour.GOOD, "exceptions", "none open")
