"""A program dies between two of its steps and is started again: are the books those of a run in which nobody died?"""

import http.client
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random
from typing import Final

from sqlalchemy import select

from reconciler.apply import Policy
from reconciler.core.report import RunState
from reconciler.db import queries, runs, sweeps
from reconciler.db.digest import digest
from reconciler.db.run_tables import discrepancies
from tests import truth
from tests.journeys.programs import let_lease_run_out
from tests.journeys.stories import Sender
from tests.torture import books, pushes
from tests.torture.ground import Ground, Unfit, Victim, wait_until
from tests.torture.outcome import Outcome
from tests.torture.points import DAEMON, POINTS, PUSH, RECONCILE, SERVE, Point
from tests.torture.told import Past, past
from tests.torture.victim import counted

STORIES: Final = 20
DIED_WITHIN_S: Final = 25.0
CALM_WITHIN_S: Final = 60.0
_SWEEPS: Final = ("events", "money", "recent", "open", "invoices")
# Threads race: a point by which a whole run came so often may be passed a little less often in the next one.
_SURELY: Final = 0.5


@dataclass
class Reference:
    """A run in which nobody died: its digest, how often it came by each point, and what else must be as it was there."""

    digest: str
    counts: Counter[str]
    steps: list[tuple[object, ...]] = field(default_factory=list)
    differences: set[tuple[object, ...]] = field(default_factory=set)
    arrived: set[tuple[str, str]] = field(default_factory=set)


def play(ground: Ground, seed: int, names: Iterable[str] = ()) -> Outcome:
    """Die once at every point, or at those with these names, each at a call drawn from the seed.

    Some stories never come by a point; where it was asked for by name that is a problem, else all parts together must come by.
    """
    wanted = set(names)
    outcome = Outcome()
    with past(seed, STORIES) as told:
        ground.base_url = told.base_url
        for command, (clean, crash) in _PLAYS.items():
            points = [each for each in POINTS if each.command == command]
            chosen = [each for each in points if not wanted or each.name in wanted]
            if not chosen:
                continue
            _fresh(ground, told, command)
            reference = clean(ground, told)
            for point in chosen:
                chance = Random(f"{seed} {point.name}")  # noqa: S311 - no secret
                if reference.counts[point.name]:
                    _die_at(point, ground, told, reference, chance, crash, outcome)
                elif wanted:
                    outcome.problems.append(f"{point.name}: a whole run never comes by")
    ground.end_all()
    return outcome


def _die_at(
    point: Point,
    ground: Ground,
    told: Past,
    reference: Reference,
    chance: Random,
    crash: "Crash",
    outcome: Outcome,
) -> None:
    nth = chance.randint(1, max(1, int(reference.counts[point.name] * _SURELY)))
    _fresh(ground, told, point.command)
    where = f"{point.name}, call {nth}"
    try:
        problems = crash(ground, told, reference, {"point": point.name, "nth": nth}, outcome)
    except Unfit as unfit:
        problems = [str(unfit)]
    outcome.add({f"died at {point.name}": 1, "crashes": 1})
    outcome.found(where, problems)
    ground.end_all()


Crash = Callable[[Ground, Past, Reference, dict[str, object], Outcome], list[str]]


def _fresh(ground: Ground, told: Past, command: str) -> None:
    ground.clear()
    told.prepare(ground.db, half_heard=command == DAEMON)


# Of the webhook


def _heard(ground: Ground, told: Past) -> Reference:
    counts = ground.folder / "serve.counts"
    server = ground.serve(counts=counts)
    _send(server, told, 0)
    if server.stop() != 0:
        raise Unfit(server.last_words())
    return Reference(_digest(ground), counted(counts), books.steps(ground.db))


def _crashed_hearing(
    ground: Ground, told: Past, reference: Reference, order: dict[str, object], outcome: Outcome
) -> list[str]:
    victim = ground.serve(**order)
    acknowledged = _send(victim, told, 0)
    _require_dead(victim)
    found = [f"{each} was acknowledged and is lost" for each in books.lost(ground.db, acknowledged)]
    again = ground.serve()
    acknowledged += _send(again, told, len(acknowledged))
    code = again.stop()
    outcome.add({"acknowledged": len(acknowledged)})
    if code != 0 or len(acknowledged) != len(told.told):
        found.append(f"{len(acknowledged)} of {len(told.told)} were acknowledged, exit code {code}")
    if books.steps(ground.db) != reference.steps:
        found.append("the audit trail is not that of a run without a crash")
    return found + _compared(ground, reference, acknowledged)


def _send(server: Victim, told: Past, start: int) -> list[str]:
    """Send events until one gets no 200; returns the ids of those that did."""
    sender, acknowledged = Sender(server.port), []
    try:
        for each in told.told[start:]:
            if sender.send(each) != http.client.OK:
                break
            acknowledged.append(each["id"])
    except (OSError, http.client.HTTPException):
        pass
    finally:
        sender.close()
    return acknowledged


# Of the daemon


def _swept(ground: Ground, told: Past) -> Reference:
    counts = ground.folder / "daemon.counts"
    daemon = ground.daemon(counts=counts)
    wait_for_calm(ground, told, daemon)
    if daemon.stop() != 0:
        raise Unfit(daemon.last_words())
    return Reference(_digest(ground), counted(counts))


def _crashed_sweeping(
    ground: Ground, told: Past, reference: Reference, order: dict[str, object], _: Outcome
) -> list[str]:
    victim = ground.daemon(**order)
    _require_dead(victim)
    found = books.passed_over(ground.db, told.told)
    again = ground.daemon()
    wait_for_calm(ground, told, again)
    if again.stop() != 0:
        found.append(f"the daemon failed: {again.last_words()}")
    return found + _compared(ground, reference, [])


def wait_for_calm(ground: Ground, told: Past, daemon: Victim) -> None:
    """Wait until every sweep was at its end, nothing waits to be read, and all is as it is in truth. Raises Unfit."""
    wait_until(lambda: _is_calm(ground, told), CALM_WITHIN_S, lambda: _unrest(ground, told, daemon))


def _is_calm(ground: Ground, told: Past) -> bool:
    """Whether every sweep has been at its end and nothing waits to be read."""
    with ground.db.reading() as tx:
        if any(sweeps.last_done(tx, each) is None for each in _SWEEPS):
            return False
        if queries.fetch_backlog(tx)[0]:
            return False
    return not _untrue(ground, told)


def _untrue(ground: Ground, told: Past) -> list[str]:
    return truth.problems(ground.db, told.world, Policy(), now=datetime.now(UTC))


def _unrest(ground: Ground, told: Past, daemon: Victim) -> str:
    return f"it does not come to the truth: {_untrue(ground, told)[:5]} {daemon.last_words()}"


# Of finance


def _reconciled(ground: Ground, told: Past) -> Reference:
    counts = ground.folder / "reconcile.counts"
    _require_report(ground.start(*_range(told), counts=counts))
    return Reference(_digest(ground), counted(counts), differences=_differences(ground))


def _crashed_reconciling(
    ground: Ground, told: Past, reference: Reference, order: dict[str, object], _: Outcome
) -> list[str]:
    _require_dead(ground.start(*_range(told), **order))
    with ground.db.reading() as tx:
        left = runs.newest(tx, 1)
    # Nobody here has the time to wait until the dead run's hold is over.
    let_lease_run_out(ground.db)
    if not left:
        _require_report(ground.start(*_range(told)))
    elif left[0].state is not RunState.COMPLETE:
        _require_report(ground.start("reconcile", "--resume", str(left[0].id)))
    found = []
    with ground.db.reading() as tx:
        heads = runs.newest(tx, 9)
    if [each.state for each in heads] != [RunState.COMPLETE]:
        found.append(f"runs: {[each.state.value for each in heads]}")
    if (told_now := _differences(ground)) != reference.differences:
        found.append(f"its differences are others: {told_now ^ reference.differences}")
    return found + _compared(ground, reference, [])


def _range(told: Past) -> tuple[str, ...]:
    first = datetime.fromtimestamp(told.start_ms / 1000, UTC).date()
    return ("reconcile", "--from", f"{first}", "--to", f"{datetime.now(UTC).date()}")


def _require_report(victim: Victim) -> None:
    code = victim.ended()
    if code not in {0, 1}:
        raise Unfit(f"the run ended with {code}: {victim.last_words()}")


def _differences(ground: Ground) -> set[tuple[object, ...]]:
    column = discrepancies.c
    with ground.db.reading() as tx:
        return {tuple(r) for r in tx.execute(select(column.kind, column.subject, column.outcome))}


# Of the daemon that sends


def _sent(ground: Ground, told: Past) -> Reference:
    counts = ground.folder / "push.counts"
    with pushes.mail() as mail:
        mail.fill(ground, told)
        daemon = ground.daemon(environ=mail.environ, counts=counts, counts_for=PUSH)
        pushes.wait_until_sent(ground, daemon)
        if daemon.stop() != 0:
            raise Unfit(daemon.last_words())
        return Reference("", counted(counts), arrived=set(mail.arrived()))


def _crashed_sending(
    ground: Ground, told: Past, reference: Reference, order: dict[str, object], outcome: Outcome
) -> list[str]:
    with pushes.mail() as mail:
        mail.fill(ground, told)
        _require_dead(ground.daemon(environ=mail.environ, **order))
        pushes.let_claims_run_out(ground)
        again = ground.daemon(environ=mail.environ)
        pushes.wait_until_sent(ground, again)
        found = [] if again.stop() == 0 else [f"the daemon failed: {again.last_words()}"]
        arrived = mail.arrived()
        outcome.add({"messages": len(arrived), "sent again": sum(arrived.values()) - len(arrived)})
        found += pushes.unsent(ground, reference.arrived, arrived)
    return found + books.broken(ground.db, [])


# Of all


def _require_dead(victim: Victim) -> None:
    if victim.ended(DIED_WITHIN_S) is None or not victim.was_killed:
        raise Unfit(f"the point was never reached: {victim.last_words()}")


def _digest(ground: Ground) -> str:
    with ground.db.reading() as tx:
        return digest(tx)


def _compared(ground: Ground, reference: Reference, acknowledged: list[str]) -> list[str]:
    found = books.broken(ground.db, acknowledged)
    if _digest(ground) != reference.digest:
        found.append("the digest is not that of a run without a crash")
    return found


_PLAYS: Final = {
    SERVE: (_heard, _crashed_hearing),
    DAEMON: (_swept, _crashed_sweeping),
    RECONCILE: (_reconciled, _crashed_reconciling),
    PUSH: (_sent, _crashed_sending),
}
