"""Does every story end as it says, in truth and in the database that heard it?"""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from reconciler.db.session import open_database
from reconciler.simulator.scene import Story
from reconciler.simulator.stage import Stage
from reconciler.simulator.stories import STORIES
from reconciler.simulator.truth import InvoiceTruth, Truth, truth_of
from reconciler.stripe_api.envelope import read_event
from reconciler.stripe_api.translate import Outcome, Vocabulary, translate
from tests.simulator.app import END_MS, START_MS, App, new_world, told

EVERY_STORY = pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What became of all stories, told at once to one database: before and after everything was read again."""

    truth: Truth
    invoices: dict[str, list[str]]
    in_order: dict[str, dict[str, Any]]
    re_read: dict[str, dict[str, Any]]
    unmatched: frozenset[str]
    still_open: set[tuple[str, str, str]]


@pytest.fixture(scope="module")
def heard(_sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Heard]:
    """Tell all stories at once to one database, in order and without loss."""
    path = tmp_path_factory.mktemp("stories") / "reconciler.db"
    shutil.copy(_sqlite_template, path)
    database = open_database(f"sqlite:///{path}")
    app = App(database, new_world())
    stage = Stage(app.world)
    scenes = {name: stage.add(story, START_MS) for name, story in STORIES.items()}
    stage.play(END_MS)
    truth = truth_of(app.world)
    in_order = {id_: as_stored(app, id_) for id_ in truth.invoices}
    unmatched = unallocated(app)
    app.read_again()
    re_read = {id_: as_stored(app, id_) for id_ in truth.invoices}
    yield Heard(
        truth=truth,
        invoices={name: scene.invoices for name, scene in scenes.items()},
        in_order=in_order,
        re_read=re_read,
        unmatched=unmatched,
        still_open=app.open_fetches(),
    )
    database.close()


@EVERY_STORY
def test_it_ends_as_its_story_says(story: Story) -> None:
    """The first invoice of a story ends with the words that the story declares."""
    world, scene = told(story)

    end = truth_of(world).invoices[scene.invoices[0]]

    assert (end.payment_status, end.status) == (story.payment_status, story.status)


@EVERY_STORY
def test_it_tells_the_database_the_truth(story: Story, heard: Heard) -> None:
    """A story heard in order leaves in the database what is true, to the cent and to the second."""
    for invoice_id in heard.invoices[story.name]:
        assert heard.in_order[invoice_id] == as_expected(heard.truth.invoices[invoice_id])


@EVERY_STORY
def test_it_stays_true_when_it_is_read_again(story: Story, heard: Heard) -> None:
    """Reading what a story left to be read again changes no truth."""
    for invoice_id in heard.invoices[story.name]:
        assert heard.re_read[invoice_id] == as_expected(heard.truth.invoices[invoice_id])


@EVERY_STORY
def test_it_speaks_so_that_every_event_is_understood(story: Story) -> None:
    """Every event is read without a look at its object; payouts alone tell nothing of a payment, and are ignored."""
    world, _ = told(story)

    for happening in world.happenings:
        translation = translate(read_event(json.dumps(happening.event).encode()), Vocabulary())
        is_payout = happening.event["type"].startswith("payout.")
        expected = Outcome.IGNORED if is_payout else Outcome.OBSERVED
        assert (translation.outcome, translation.fetch) == (expected, ())


def test_it_leaves_unmatched_what_nobody_can_match(heard: Heard) -> None:
    """Exactly the payments that name no invoice, name it in vain, or name two that disagree, belong to none."""
    assert heard.unmatched == heard.truth.unmatched
    assert len(heard.unmatched) == 5


def test_it_leaves_nothing_open_that_a_read_does_not_answer(heard: Heard) -> None:
    """After one read of everything that was asked for, nothing is asked for any more."""
    assert heard.still_open == set()


def test_it_tells_every_story_in_plain_words() -> None:
    """A story is found by its own name, and its title fits the demo's column."""
    assert all(name == story.name == story.play.__name__ for name, story in STORIES.items())
    assert [story.title for story in STORIES.values() if len(story.title) > 34] == []


def as_expected(truth: InvoiceTruth) -> dict[str, Any]:
    """The truth in the database's words."""
    return {
        "status": truth.status,
        "payment_status": truth.payment_status,
        "received": truth.received,
        "refunded": truth.refunded,
        "disputed": truth.disputed,
        "net": truth.net,
        "paid_at": truth.paid_at_ms and datetime.fromtimestamp(truth.paid_at_ms / 1000, UTC),
    }


def as_stored(app: App, invoice_id: str) -> dict[str, Any]:
    """What the database says of an invoice."""
    invoice = app.row("invoices", "id", invoice_id) or {}
    settled = app.row("settlements", "invoice_id", invoice_id) or {}
    amounts = ("received", "refunded", "disputed", "net")
    return {
        "status": invoice["status"],
        "payment_status": invoice["payment_status"],
        **{each: settled.get(each, 0) for each in amounts},
        "paid_at": invoice["paid_at"],
    }


def unallocated(app: App) -> frozenset[str]:
    """The payments of the database that belong to no invoice."""
    intents = [each["id"] for each in app.world.every("payment_intent")]
    return frozenset(id_ for id_ in intents if app.row("allocations", "payment_id", id_) is None)
