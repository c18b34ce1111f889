"""What do tests of the commands begin with?"""

import logging
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog

from reconciler.core.observation import Source
from reconciler.db.session import Database
from reconciler.inbox import Inbox
from reconciler.stripe_api.envelope import read_event
from tests.cli.program import MODE, Answer, Commands, Program

# What the developer's shell holds must not decide a test, and the program refuses variables that it doesn't know.
OURS = ("RECONCILER_", "STRIPE_", "VAPID_", "PUSH_", "DATABASE_URL", "CREDENTIALS_DIRECTORY")


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Give the program in an empty folder with the smallest config.toml."""
    made = Program(tmp_path)
    made.configure(MODE)
    return made


@pytest.fixture
def logging_restored() -> Iterator[None]:
    """Undo what a command told the log, which outlives it only inside a test."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def commands(
    program: Program,
    database_url: str,
    schema: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    logging_restored: None,
) -> Commands:
    """Give the commands on a migrated, empty database, in a terminal of 80 columns."""
    monkeypatch.chdir(program.folder)
    for name in os.environ:
        if name.startswith(OURS):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DATABASE_URL", database_url)
    monkeypatch.setenv("RECONCILER_DATABASE__SCHEMA", schema)
    monkeypatch.setenv("COLUMNS", "80")
    return Commands(monkeypatch, capsys)


@pytest.fixture
def inbox(database: Database) -> Inbox:
    """Give the inbox of the same database, for events that came before the command."""
    return Inbox(db=database)


def deliver(inbox: Inbox, *bodies: bytes) -> None:
    """Let events come in through the webhook's door, now."""
    events = [read_event(body) for body in bodies]
    inbox.accept(events, source=Source.WEBHOOK, now=datetime.now(UTC))


def import_invoices(commands: Commands, text: str, *options: str) -> Answer:
    """Write a CSV file beside config.toml and import it."""
    Path("invoices.csv").write_text(text, encoding="utf-8", newline="")
    return commands.run("invoices", "import", "invoices.csv", *options)
