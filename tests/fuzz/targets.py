"""What is fuzzed, and on what?"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from reconciler.db.migrate import upgrade
from reconciler.db.session import Database, open_database
from reconciler.stripe_api.envelope import MalformedBody, read_event
from reconciler.stripe_api.translate import UnreadableObject, Vocabulary, translate
from tests.databases import empty
from tests.fuzz import corpus
from tests.fuzz.csv_target import CsvTarget
from tests.fuzz.mutation import Chance, bent, body
from tests.fuzz.push_target import PushTarget
from tests.fuzz.settings_target import SettingsTarget
from tests.fuzz.stripe_target import StripeTarget

Play = Callable[[Chance], str]
_VOCABULARY: Final = Vocabulary()


class Ground:
    """A folder with a database, which is emptied each time it is asked for."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder = folder
        self._database = open_database(f"sqlite:///{folder / 'fuzz.db'}", create=True)
        stack.callback(self._database.close)
        upgrade(self._database)

    @property
    def database(self) -> Database:
        """The database, empty."""
        empty(self._database)
        return self._database


class ReadingTarget:
    """The pure part: an event from bytes, and what it says."""

    def play(self, chance: Chance) -> str:
        """Read one bent event; returns a word for the count."""
        raw = body(chance, bent(chance, chance.choice(corpus.events()), corpus.events()))
        try:
            return str(translate(read_event(raw), _VOCABULARY).outcome.value)
        except MalformedBody as refused:
            return refused.reason
        except UnreadableObject:
            return "unreadable"

    def check(self) -> None:
        """Nothing is left behind."""


Opened = Callable[[Ground], AbstractContextManager[Any]]


def _stripe(how: str) -> Opened:
    return lambda ground: StripeTarget(ground.database, how)


@contextmanager
def _settings(ground: Ground) -> Iterator[SettingsTarget]:
    yield SettingsTarget(ground.folder)


@contextmanager
def _csv(ground: Ground) -> Iterator[CsvTarget]:
    yield CsvTarget(ground.database, ground.folder)


@contextmanager
def _reading(_: Ground) -> Iterator[ReadingTarget]:
    yield ReadingTarget()


TARGETS: Final[Mapping[str, Opened]] = MappingProxyType(
    {
        "signed": _stripe("signed"),
        "unsigned": _stripe("unsigned"),
        "headers": _stripe("headers"),
        "reading": _reading,
        "push": lambda ground: PushTarget(ground.database),
        "settings": _settings,
        "csv": _csv,
    }
)
