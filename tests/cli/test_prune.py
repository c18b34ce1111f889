"""Does `prune` empty what is old and done, and nothing else?"""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, update

from reconciler.cli import pruning
from reconciler.core.observation import Source
from reconciler.db import tables
from reconciler.db.session import Database
from reconciler.inbox import Inbox
from reconciler.stripe_api.envelope import StripeEvent, read_event
from tests.cli import bodies
from tests.cli.program import Commands
from tests.databases import refusing

OLD = datetime.now(UTC) - timedelta(days=500)


def _told(name: str) -> StripeEvent:
    return read_event(bodies.event(bodies.intent(f"pi_{name}")))


def _lengths(database: Database) -> dict[str, bool]:
    with database.reading() as tx:
        rows = tx.execute(select(tables.stripe_events.c.id, tables.stripe_events.c.body))
        return {id_: bool(body) for id_, body in rows}


def test_it_empties_bodies_that_are_old_and_done(
    commands: Commands, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Old events that were applied keep their ids only; new ones, and those that still wait, keep their bodies."""
    monkeypatch.setattr(pruning, "AT_ONCE", 2)
    inbox = Inbox(db=database)
    old = [_told(f"old{n}") for n in range(5)]
    inbox.accept([*old, _told("new")], source=Source.WEBHOOK, now=OLD)
    with refusing(database, "pi_waits"):
        inbox.accept([_told("waits")], source=Source.WEBHOOK, now=OLD)
    event = tables.stripe_events.c
    with database.writing() as tx:
        tx.execute(update(tables.stripe_events).values(created=OLD))
        later = update(tables.stripe_events).where(event.id == _told("new").id)
        tx.execute(later.values(received_at=datetime.now(UTC)))

    answer, again = commands.run("prune"), commands.run("prune", "--json")
    inbox.accept(old, source=Source.POLL, now=datetime.now(UTC))

    assert answer.code == 0
    assert "\n5 bodies of events emptied" in answer.out
    assert '"emptied":0' in again.out
    kept = {id_ for id_, is_there in _lengths(database).items() if is_there}
    assert kept == {_told("new").id, _told("waits").id}
    assert len(_lengths(database)) == 7
    assert "emptied by `reconciler prune`" in commands.run("events", "show", old[1].id).out
    assert commands.run("verify", "--rebuild").code == 0
