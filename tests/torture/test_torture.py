"""Does the torture itself work: are its points still in the program, and would it notice a lie?"""

import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import delete, insert, update

from reconciler.core.observation import Source
from reconciler.db import tables
from reconciler.db.session import Database
from reconciler.inbox import Inbox
from reconciler.stripe_api.envelope import read_event
from tests.journeys.conftest import add_invoices
from tests.journeys.stories import event, intent
from tests.torture import books, crashes, days
from tests.torture.__main__ import Mixed, Part, state_of
from tests.torture.ground import Ground
from tests.torture.outcome import Outcome
from tests.torture.points import AFTER, BEFORE, POINTS, Point, find
from tests.torture.proxy import Proxy
from tests.torture.suites import SUITES, never_reached


@pytest.mark.parametrize("point", POINTS, ids=lambda each: each.name)
def test_it_names_functions_that_are_there(point: Point) -> None:
    """A point whose function was renamed or removed would never be reached."""
    for function in filter(None, (point.function, point.within)):
        assert callable(find(function)[2])
    assert point.when in {BEFORE, AFTER}


def test_it_gives_every_point_a_name_of_its_own() -> None:
    """Two points with one name could not be told apart in the figures."""
    assert len({each.name for each in POINTS}) == len(POINTS)


def test_it_fails_a_run_in_which_a_point_was_never_reached() -> None:
    """Figures without a point are told, for the database on which it is missing."""
    first, *others = POINTS
    some = {f"died at {each.name}": 1 for each in others}
    whole = some | {f"died at {first.name}": 1}

    missed = never_reached({"points/sqlite/0": some, "points/postgresql/0": whole})

    assert missed == [f"{first.name} on sqlite"]
    assert never_reached({"points/sqlite/0": whole}) == []


def test_it_counts_the_points_at_which_somebody_died() -> None:
    """The table of a short run names the points that were tried, and not all that there are."""
    some = Counter({f"died at {each.name}": 2 for each in POINTS[:3]}, crashes=6)

    said = SUITES["points"].summary(some)

    assert said.startswith(f"6 deaths at 3 of {len(POINTS)} points, each of these at least 2 times")


def test_it_mixes_no_two_runs(tmp_path: Path) -> None:
    """What is gone on with keeps its seed and its length; another seed, or another length, is refused with the mend."""
    path = tmp_path / "state.json"
    begun = state_of(path, seed=7, is_short=True, resume=True)
    begun.keep(Part(SUITES["days"], "sqlite", 0), Outcome())

    again = state_of(path, seed=None, is_short=True, resume=True)
    with pytest.raises(Mixed, match="is of seed 7: ask for that seed"):
        state_of(path, seed=8, is_short=True, resume=True)
    with pytest.raises(Mixed, match="is of a short run: add --short"):
        state_of(path, seed=7, is_short=False, resume=True)
    anew = state_of(path, seed=None, is_short=False, resume=False)

    assert (again.seed, again.is_short, list(again.figures)) == (7, True, ["days/sqlite/0"])
    assert (anew.seed, anew.is_short, anew.figures) == (1, False, {})


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    """Give a place for victims on SQLite."""
    folder = tmp_path / "ground"
    folder.mkdir()
    made = Ground("sqlite", folder, f"sqlite:///{folder / 'reconciler.db'}", "reconciler")
    yield made
    made.end_all()
    made.close()


def test_it_dies_where_it_is_told_to_and_comes_back(ground: Ground) -> None:
    """A real webhook dies at one point, and the books of the next one are those of a run without a death."""
    outcome = crashes.play(ground, 1, ["c4 event stored"])

    assert outcome.problems == []
    assert outcome.figures["died at c4 event stored"] == 1


def _paid(database: Database) -> None:
    add_invoices(database, {"id": "1", "number": "INV-1", "amount_due": 1000})
    told = event(
        "evt_1", "payment_intent.succeeded", intent("pi_1", "succeeded", 1000, invoice="1")
    )
    heard = read_event(json.dumps(told).encode())
    Inbox(db=database).accept([heard], source=Source.WEBHOOK, now=datetime.now(UTC))


def test_it_finds_nothing_in_good_books(database: Database) -> None:
    """Books that are as they must be give no line."""
    _paid(database)

    assert books.broken(database, ["evt_1"]) == []


def test_it_notices_what_was_acknowledged_and_is_lost(database: Database) -> None:
    """An id that got a 200 and is not stored is a broken promise."""
    _paid(database)

    assert books.lost(database, ["evt_1", "evt_2"]) == ["evt_2"]


def test_it_notices_an_effect_that_happened_twice(database: Database) -> None:
    """An audit row that begins where the one before it did not end is told."""
    _paid(database)
    with database.writing() as tx:
        rows = tx.execute(tables.transitions.select()).mappings().all()
        again = [dict(row) for row in rows if row["field"] == "status"]
        for each in again:
            del each["id"]
        tx.execute(insert(tables.transitions), again)

    assert any("stood at" in each for each in books.broken(database, []))


def test_it_notices_a_sum_that_is_wrong(database: Database) -> None:
    """A settlement that nobody decided is found by `verify`."""
    _paid(database)
    with database.writing() as tx:
        tx.execute(update(tables.settlements).values(received=999))

    assert any(each.startswith("verify:") for each in books.broken(database, []))


def test_it_notices_what_no_event_told(database: Database) -> None:
    """A fact that came neither by a stored event nor by a read is found by `verify`, as its command finds it."""
    _paid(database)
    with database.writing() as tx:
        tx.execute(delete(tables.stripe_events))

    assert any(each.startswith("verify:") for each in books.broken(database, []))


def test_it_swallows_one_answer() -> None:
    """A proxy that is told to passes the next question on, and ends its connection without the answer."""
    heard: list[bytes] = []
    server = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        for _ in range(2):
            near, _ = server.accept()
            with near:
                heard.append(near.recv(100))
                near.sendall(b"done")

    answering = threading.Thread(target=answer)
    answering.start()
    with (
        Proxy(lambda: socket.create_connection(server.getsockname()), question=b"COMMIT") as proxy,
        closing(server),
    ):
        proxy.swallow()
        answers = []
        for _ in range(2):
            with socket.create_connection(("127.0.0.1", proxy.port)) as client:
                client.sendall(b"COMMIT")
                answers.append(client.recv(100))
        answering.join()

    assert heard == [b"COMMIT", b"COMMIT"]
    assert answers == [b"", b"done"]
    assert proxy.swallowed == 1


def test_it_finds_every_day_of_forty_years_in_place() -> None:
    """In some zones of the world, each day of forty years begins where the one before it ended."""
    outcome = days.play(1, 5)

    assert outcome.problems == []
    assert outcome.figures["zones"] == 5
