"""Is each browser kept once, under the right user, and forgotten together with what waits for it?"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from reconciler.db import subscriptions
from reconciler.db.push_tables import deliveries
from reconciler.db.session import Database, Tx
from reconciler.db.subscriptions import Counts, Said, Saved

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def save(database: Database, name: str, user: str = "ann", **more: Any) -> Saved:
    """Keep a browser."""
    said = {
        "user_id": user,
        "endpoint": f"https://push.example.com/{name}",
        "host": "push.example.com",
        "p256dh": "point",
        "auth": "secret",
        "vapid_key": "ours",
        "locale": "en",
        "now": NOW,
    }
    with database.writing() as tx:
        return subscriptions.save(tx, **{**said, **more})


def set_aside(tx: Tx, id_: int, p256dh: str = "point", auth: str = "secret") -> bool:
    """Set a browser aside whose keys are no good."""
    return subscriptions.quarantine(tx, id_, "bad_key", p256dh=p256dh, auth=auth)


def names(database: Database, user: str = "ann") -> list[str]:
    """Return the browsers of a user."""
    with database.reading() as tx:
        found = subscriptions.of_user(tx, user)
    return [each.endpoint.rpartition("/")[2] for each in found]


def deliver(database: Database, subscription_id: int, number: int, state: str = "waiting") -> None:
    """Let a message be on its way to a browser."""
    with database.writing() as tx:
        tx.execute(
            deliveries.insert().values(
                notification_id=number,
                subscription_id=subscription_id,
                host="push.example.com",
                state=state,
                due_at=NOW,
                created_at=NOW,
            )
        )


def test_it_says_what_became_of_a_browser(database: Database) -> None:
    """New, the same as before, or with other keys; what was set aside is active again."""
    assert save(database, "one") is Saved.CREATED
    assert save(database, "one", locale="fr") is Saved.CONFIRMED
    with database.writing() as tx:
        [row] = subscriptions.of_user(tx, "ann")
        assert set_aside(tx, row.id)
    assert save(database, "one", p256dh="another", now=NOW + MINUTE) is Saved.REPLACED

    with database.reading() as tx:
        [kept] = subscriptions.of_user(tx, "ann")
    assert (kept.id, kept.locale, kept.p256dh) == (row.id, "en", "another")
    assert (kept.state, kept.reason) == (subscriptions.ACTIVE, "")
    assert (kept.created_at, kept.confirmed_at) == (NOW, NOW + MINUTE)


def test_it_sets_aside_only_the_keys_that_were_tried(database: Database) -> None:
    """A browser that gave other keys meanwhile stays active."""
    save(database, "one")
    with database.writing() as tx:
        [row] = subscriptions.of_user(tx, "ann")
        assert not set_aside(tx, row.id, p256dh="another")
        assert not set_aside(tx, row.id, auth="another")
        assert subscriptions.counts(tx, "ours") == Counts(active=1)


SAID = Said(
    user_id="ann",
    endpoint="https://push.example.com/one",
    p256dh="point",
    auth="secret",
    vapid_key="ours",
    locale="en",
)


@pytest.mark.parametrize(
    ("change", "after_minutes", "is_known"),
    [
        ({}, 0, True),
        ({}, 59, True),
        ({}, 60, False),
        ({}, -1, False),
        *(({name: "another"}, 1, False) for name in SAID),
    ],
)
def test_it_knows_what_need_not_be_written(
    database: Database, change: Any, after_minutes: int, is_known: bool
) -> None:
    """What was confirmed within the hour, and says the same in every word, is known."""
    save(database, "one")

    with database.reading() as tx:
        said: Said = {**SAID, **change}
        assert subscriptions.is_as_said(tx, said, now=NOW + after_minutes * MINUTE) == is_known


def test_it_does_not_take_a_browser_for_known_that_was_set_aside(database: Database) -> None:
    """One that gave keys that are no good is written, so that it is active again."""
    save(database, "one")
    with database.writing() as tx:
        [row] = subscriptions.of_user(tx, "ann")
        assert set_aside(tx, row.id)
        assert not subscriptions.is_as_said(tx, SAID, now=NOW)


def test_it_never_gives_an_id_again(database: Database) -> None:
    """A browser that comes after one that is gone has another id, so that nothing late reaches it."""
    save(database, "one")
    with database.writing() as tx:
        [before] = subscriptions.of_user(tx, "ann")
        assert subscriptions.remove(tx, "ann", before.endpoint, now=NOW)
    save(database, "two")

    with database.reading() as tx:
        [after] = subscriptions.of_user(tx, "ann")
    assert after.id > before.id


def test_it_forgets_the_browser_that_was_confirmed_longest_ago(database: Database) -> None:
    """Beyond the limit the least recently confirmed goes, also when it came later than others."""
    for minute, name in enumerate(("one", "two", "three", "one", "four")):
        save(database, name, now=NOW + minute * MINUTE, limit=3)
    save(database, "bobs", user="bob", limit=3)

    assert names(database) == ["one", "three", "four"]
    assert names(database, "bob") == ["bobs"]


def test_it_takes_what_waits_with_a_browser(database: Database) -> None:
    """What waits for a browser that is dropped is gone; what has ended, or is for another, stays as it is."""
    save(database, "one")
    save(database, "two")
    with database.reading() as tx:
        one, two = (each.id for each in subscriptions.of_user(tx, "ann"))
    deliver(database, one, 1)
    deliver(database, one, 2, state="accepted")
    deliver(database, two, 1)

    with database.writing() as tx:
        assert subscriptions.drop(tx, [one], now=NOW, reason="ended") == 1
        assert subscriptions.drop(tx, [], now=NOW) == 0
        column = deliveries.c
        rows = tx.execute(select(column.state, column.reason).order_by(column.id)).all()

    assert [tuple(row) for row in rows] == [("gone", "ended"), ("accepted", ""), ("waiting", "")]
    assert names(database) == ["two"]


def test_it_counts_browsers_by_what_can_be_sent_to_them(database: Database) -> None:
    """Those of another key are told apart, and those that were set aside, whichever key they have."""
    for name in ("one", "two", "three"):
        save(database, name)
    save(database, "four", vapid_key="old")
    save(database, "five", vapid_key="old")
    with database.writing() as tx:
        by_name = {each.endpoint[-4:]: each.id for each in subscriptions.of_user(tx, "ann")}
        assert set_aside(tx, by_name["/one"])
        assert set_aside(tx, by_name["five"])

        assert subscriptions.counts(tx, "ours") == Counts(active=2, quarantined=2, of_another_key=1)
