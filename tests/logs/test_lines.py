"""Whether each event is one honest line, in the form that its reader wants."""

import io
import json
import logging
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
import structlog
import uvicorn
from freezegun import freeze_time
from hypothesis import given
from hypothesis import strategies as st

from reconciler import logs
from reconciler.logs import Format

BOTH: list[Format] = ["json", "console"]


class Terminal(io.StringIO):
    """A stream that says that a person reads it."""

    def isatty(self) -> bool:
        """Return that it is a terminal."""
        return True


class Broken:
    """A value whose own code fails when it is shown."""

    def __str__(self) -> str:
        """Fail."""
        raise RuntimeError("unshowable")


def events(stream: io.StringIO) -> list[dict[str, Any]]:
    """Return what was logged as JSON, each line by itself."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


@freeze_time("2026-03-01 12:00:00")
def test_it_writes_one_json_object_a_line(stream: io.StringIO) -> None:
    """A line has the event, when in UTC, how bad, whose, and its fields with their types."""
    logs.configure("json", "info", stream)

    logs.get("reconciler.inbox").info("event.stored", id="evt_1", amount_minor=1250, live=False)

    assert events(stream) == [
        {
            "event": "event.stored",
            "timestamp": "2026-03-01T12:00:00Z",
            "level": "info",
            "logger": "reconciler.inbox",
            "id": "evt_1",
            "amount_minor": 1250,
            "live": False,
        }
    ]


@freeze_time("2026-03-01 12:00:00")
def test_it_writes_a_readable_line_for_people(stream: io.StringIO) -> None:
    """A person reads when, how bad, what, and then name=value, quoted where there are blanks."""
    logs.configure("console", "info", stream)

    logs.get("reconciler").warning("run.ended", id="run_1", why="two differ", n={"a": [1]})

    assert stream.getvalue() == (
        "2026-03-01T12:00:00Z warning  run.ended "
        'id=run_1 why="two differ" n={"a": [1]} logger=reconciler\n'
    )


@pytest.mark.parametrize(
    ("fmt", "stream", "is_json"),
    [
        ("auto", io.StringIO(), True),
        ("auto", Terminal(), False),
        ("json", Terminal(), True),
        ("console", io.StringIO(), False),
    ],
)
def test_it_chooses_the_form_by_the_reader(fmt: Format, stream: io.StringIO, is_json: bool) -> None:
    """Left to itself it writes for people on a terminal and for machines elsewhere."""
    logs.configure(fmt, "info", stream)

    logs.get("x").info("thing.happened")

    assert stream.getvalue().startswith("{") == is_json


def test_it_writes_to_standard_error(capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output belongs to reports."""
    logs.configure("json", "info")

    logs.get("x").info("thing.happened")

    captured = capsys.readouterr()
    assert captured.out == ""
    assert "thing.happened" in captured.err


def test_it_drops_what_is_below_the_level(stream: io.StringIO) -> None:
    """The level holds for our events and for those of the libraries, and the last call counts."""
    logger = logs.get("x")
    logs.configure("json", "debug", io.StringIO())
    logger.debug("noise.made")

    logs.configure("json", "warning", stream)
    logger.info("noise.made")
    logging.getLogger("apscheduler").info("noise")
    logger.warning("thing.broke")

    assert [event["event"] for event in events(stream)] == ["thing.broke"]


def test_it_writes_an_exception_as_one_field(stream: io.StringIO) -> None:
    """A traceback is one text in the event, so a line stays an event."""
    logs.configure("json", "info", stream)

    try:
        int("why")
    except ValueError:
        logs.get("x").exception("it.raised")

    [event] = events(stream)
    assert event["level"] == "error"
    assert event["exception"].startswith("Traceback (most recent call last):\n")
    assert event["exception"].endswith("with base 10: 'why'")


def test_it_shows_whatever_it_is_given(stream: io.StringIO) -> None:
    """Any value becomes valid JSON: numbers that JSON lacks, odd keys, loops, and broken objects."""
    loop: list[object] = []
    loop.append(loop)
    logs.configure("json", "info", stream)

    logs.get("x").info(
        "it.said",
        nan=float("nan"),
        keys={1: "a", (2, 3): "b", None: "c"},
        loop=loop,
        when=datetime(2026, 3, 1, tzinfo=UTC),
        broken=Broken(),
    )

    [event] = events(stream)
    assert event["nan"] == "nan"
    assert event["keys"] == {"1": "a", "(2, 3)": "b", "None": "c"}
    assert event["loop"] == [[[[[["..."]]]]]]
    assert event["when"] == "2026-03-01 00:00:00+00:00"
    assert event["broken"] == "<Broken that cannot be shown>"


def test_it_outlives_its_stream(stream: io.StringIO) -> None:
    """A closed log never takes the program down."""
    logs.configure("json", "info", stream)
    stream.close()

    logs.get("x").info("it.said")


class Halting(io.StringIO):
    """A stream that lets others go on in the middle of what is written."""

    def write(self, text: str) -> int:
        """Write half of it, and after a moment the rest."""
        middle = len(text) // 2
        super().write(text[:middle])
        time.sleep(0.0005)
        return middle + super().write(text[middle:])


def test_it_keeps_the_lines_of_threads_apart() -> None:
    """However many log at once, ours and libraries, each line is whole."""
    stream = Halting()
    logs.configure("json", "info", stream)
    ours, theirs = logs.get("ours"), logging.getLogger("theirs")

    def say() -> None:
        for _ in range(10):
            ours.info("it.said", words="yes " * 20)
            theirs.info("it said " * 20)

    threads = [threading.Thread(target=say) for _ in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert Counter(each["logger"] for each in events(stream)) == {"ours": 60, "theirs": 60}


def test_it_obeys_the_last_word_wherever_a_logger_was_made(stream: io.StringIO) -> None:
    """One that was made and given fields before goes to the new stream, at the new level."""
    logs.configure("json", "error", io.StringIO())
    early = logs.get("early")
    bound = early.bind(run=1)
    logs.configure("json", "info", stream)

    early.info("first")
    bound.info("second")
    bound.debug("third")

    assert [(each["event"], each.get("run")) for each in events(stream)] == [
        ("first", None),
        ("second", 1),
    ]


@pytest.mark.parametrize("fmt", BOTH)
@pytest.mark.parametrize(
    "name",
    ["uvicorn.error", "uvicorn.access", "sqlalchemy.engine", "alembic.runtime", "apscheduler.x"],
)
def test_it_routes_the_libraries_the_same_way(
    name: str, fmt: Format, stream: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A library's record has the same form as our own events, also once uvicorn is set up."""
    # A server without an access log, run by an earlier test in this process, keeps that logger to itself.
    monkeypatch.setattr(logging.getLogger(name), "propagate", True)
    logs.configure(fmt, "info", stream)
    uvicorn.Config("nowhere:app", log_config=None)
    structlog.contextvars.bind_contextvars(run="run_1")

    logging.getLogger(name).warning("it %s\nnext", "said")

    [line] = stream.getvalue().splitlines()
    if fmt == "json":
        event = json.loads(line)
        del event["timestamp"]
        assert event == {
            "event": "it said\nnext",
            "level": "warning",
            "logger": name,
            "run": "run_1",
        }
    else:
        assert line.endswith(rf" warning  it said\nnext logger={name} run=run_1")


@given(text=st.text(), name=st.text(min_size=1))
def test_it_forges_no_line(text: str, name: str) -> None:
    """Whatever text comes in, one event is one line: printable for people, JSON for machines."""
    for fmt in BOTH:
        stream = io.StringIO()
        logs.configure(fmt, "info", stream)

        logs.get("x").info(text, **{f"_{name}": text, "nested": [{name: text}]})

        line = stream.getvalue().removesuffix("\n")
        assert line.isprintable()
        if fmt == "json":
            json.loads(line)


def test_it_keeps_a_value_apart_from_the_next_name(stream: io.StringIO) -> None:
    """A value with blanks and equal signs can't pass for a field of its own."""
    logs.configure("console", "info", stream)

    logs.get("x").info("it.said", note='x" paid=true', a="b=c")

    assert r'note="x\" paid=true" a="b=c"' in stream.getvalue()
