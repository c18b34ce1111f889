"""Do `push keys` and `push test` say what a person must know, and doctor what is wrong; and nobody's secret?"""

import dataclasses
import errno
import json
import re
import stat
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.config import sections
from reconciler.config.sources import SECRET_NAMES
from reconciler.db import subscriptions
from reconciler.db.session import Database
from reconciler.push.keys import new_key, pem, read_key
from reconciler.simulator.browser import Browser, new_browser
from reconciler.simulator.push_service import PushService, answer
from tests.cli.program import Answer, Commands, Program
from tests.cli.stripe_account import AtStripe

KEY, OTHER_KEY = new_key(), new_key()
HOST, APPLE = "fcm.googleapis.com", "web.push.apple.com"
SET = {
    "RECONCILER_PUSH__SUBJECT": "mailto:ops@example.com",
    "VAPID_PRIVATE_KEY": pem(KEY),
    "PUSH_TOKEN_SECRET": "s" * 32,
    "RECONCILER_STRIPE__MODE": "test",
}


@pytest.fixture
def service() -> Iterator[PushService]:
    """Give a push service that stands in for all."""
    with PushService() as service:
        yield service


def _subscribe(
    database: Database, browser: Browser, key: str = KEY.public, locale: str = "en"
) -> None:
    with database.writing() as tx:
        subscriptions.save(
            tx,
            user_id="u1",
            endpoint=browser.endpoint,
            host=browser.host,
            p256dh=browser.p256dh,
            auth=browser.auth,
            vapid_key=key,
            locale=locale,
            now=datetime.now(UTC),
        )


def test_it_makes_a_pair_that_only_the_owner_can_read(program: Program) -> None:
    """The private key is in a file of mode 0600 and on no screen; the public one is its other half."""
    made = program.run("push", "keys")

    file = program.folder / "vapid_private_key.pem"
    key = read_key(file.read_text())
    assert made.code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert key.public in made.out.splitlines()
    assert "applicationServerKey" in made.out
    assert "BEGIN" not in made.everything


@pytest.mark.parametrize("link", [False, True])
def test_it_overwrites_no_key(program: Program, link: bool) -> None:
    """A file that is there stays as it is, and so does what a link leads to, be it there or not."""
    file = program.folder / "key.pem"
    if link:
        file.symlink_to(program.folder / "elsewhere.pem")
    else:
        file.write_text("precious")

    answer = program.run("push", "keys", "--output", "key.pem")

    assert answer.code == 2
    assert "never overwritten" in answer.err
    assert not (program.folder / "elsewhere.pem").exists()
    assert link or file.read_text() == "precious"


def test_it_tells_programs_where_the_keys_are(commands: Commands) -> None:
    """With --json there is the public key and the name of the file, and nothing else."""
    said = json.loads(commands.run("push", "keys", "--json", "--output", "k.pem").out)

    assert said == {
        "public_key": read_key(Path("k.pem").read_text()).public,
        "private_key_file": "k.pem",
    }


def test_it_leaves_no_file_without_a_key(
    commands: Commands, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A key that can't be written whole leaves nothing that stands in the way of the next try."""
    file = tmp_path / "key.pem"

    def full(_file: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        failed = commands.run("push", "keys", "--output", str(file))
    left = file.exists()
    made = commands.run("push", "keys", "--output", str(file))

    assert (failed.code, left, made.code) == (2, False, 0)
    assert "No space left on device" in failed.err


def test_it_names_settings_that_the_program_knows(commands: Commands, tmp_path: Path) -> None:
    """Each name that `push keys` tells to set, in capitals or under [push], is one that the program reads."""
    said = commands.run("push", "keys", "--output", str(tmp_path / "key.pem")).out

    variables = set(re.findall(r"\b[A-Z]+(?:_[A-Z]+)+\b", said))
    keys = set(re.findall(r"\b([a-z_]+) =", said))
    assert variables == {"PUSH_TOKEN_SECRET"}
    assert variables <= {each.variable for each in SECRET_NAMES}
    assert keys == {"vapid_private_key_file", "subject"}
    assert keys <= {each.name for each in dataclasses.fields(sections.Push)}


def _test(commands: Commands, service: PushService, *options: str) -> Answer:
    return commands.run("push", "test", "u1", *options, **SET, PUSH_RELAY=service.base_url)


def test_it_sends_a_test_to_each_browser(
    commands: Commands, database: Database, service: PushService
) -> None:
    """Each browser gets one message in its language, two tests are two notifications, and the exit code is 0."""
    for host, locale in ((HOST, "en"), (APPLE, "fr")):
        _subscribe(database, service.new_subscription(host, server_key=KEY.public), locale=locale)

    answers = [_test(commands, service) for _ in range(2)]

    said = [json.loads(each.clear or b"") for each in service.arrived]
    assert [each.code for each in answers] == [0, 0]
    assert [each["title"] for each in said] == ["Test message", "Message de test"] * 2
    assert all(set(each) == {"id", "title", "body", "tag", "url", "kind"} for each in said)
    assert len({each.topic for each in service.arrived}) == 4
    assert HOST in answers[0].out


def test_it_says_each_answer_as_it_comes(
    commands: Commands, database: Database, service: PushService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the first push service answered is told before the second one is asked."""
    for host in (HOST, APPLE):
        _subscribe(database, service.new_subscription(host, server_key=KEY.public))
    told: list[tuple[int, str]] = []
    monkeypatch.setattr(
        "reconciler.cli.push.say_wrapped",
        lambda line, _indent="": told.append((len(service.arrived), line)),
    )

    _test(commands, service)

    assert [(many, HOST in line, APPLE in line) for many, line in told] == [
        (1, True, False),
        (2, False, True),
    ]


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [(201, 0, "accepted"), (410, 1, "gone"), (403, 1, "refused"), (503, 3, "later"), (413, 1, "too_large")],
)  # fmt: skip
def test_it_says_what_each_push_service_answered(
    commands: Commands, database: Database, service: PushService, status: int, code: int, said: str
) -> None:
    """The host, the status and what it means are told; the address is not, and nothing in the books changes."""
    browser = service.new_subscription(HOST)
    _subscribe(database, browser)
    service.play(HOST, answer(status))

    told, shown = _test(commands, service, "--json"), _test(commands, service)

    [row] = json.loads(told.out)
    assert (told.code, shown.code) == (code, code)
    assert (row["host"], row["status"], row["answer"]) == (HOST, status, said)
    assert row["means"]
    assert browser.path not in told.everything + shown.everything
    with database.reading() as tx:
        assert [each.state for each in subscriptions.of_user(tx, "u1")] == ["active"]


def test_it_sends_nothing_to_a_browser_of_another_pair(
    commands: Commands, database: Database, service: PushService
) -> None:
    """A browser that subscribed with other keys must subscribe again; that is said, and nobody is asked."""
    _subscribe(database, service.new_subscription(HOST), key=OTHER_KEY.public)

    answer = _test(commands, service, "--json")

    [row] = json.loads(answer.out)
    assert (answer.code, row["answer"]) == (1, "not_sent")
    assert "subscribe again" in row["means"]
    assert service.arrived == []


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({}, 1, "no browser of the user 'u1'"),
        ({"RECONCILER_PUSH__SUBJECT": ""}, 2, "[push] subject: is empty"),
        ({"VAPID_PRIVATE_KEY": ""}, 2, "VAPID_PRIVATE_KEY: is empty"),
        ({"VAPID_PRIVATE_KEY": "canary"}, 2, "VAPID_PRIVATE_KEY: has 4 bytes"),
    ],
)
def test_it_says_why_nothing_can_be_sent(
    commands: Commands, change: dict[str, str], code: int, words: str
) -> None:
    """One line says what is missing."""
    answer = commands.run("push", "test", "u1", **{**SET, **change})

    assert answer.code == code
    assert words in answer.err
    assert "canary" not in answer.everything


@pytest.fixture
def well() -> Iterator[dict[str, str]]:
    """Give the environment of a program that lacks nothing."""
    with AtStripe().answering() as environ:
        yield {**environ, **SET}


def _lines(commands: Commands, environ: dict[str, str]) -> list[dict[str, str]]:
    told = commands.run("doctor", "--json", **environ)
    assert "canary" not in told.everything
    return [line for line in json.loads(told.out) if line["what"] == "push"]


@pytest.mark.parametrize(
    ("change", "state", "words"),
    [
        ({}, "ok", "mailto:ops@example.com, public key"),
        ({"VAPID_PRIVATE_KEY": ""}, "BAD", "half set up: VAPID_PRIVATE_KEY"),
        ({"RECONCILER_PUSH__SUBJECT": ""}, "BAD", "half set up: [push] subject"),
        ({"RECONCILER_PUSH__SUBJECT": "mailto:nobody"}, "BAD", "[push] subject: must name"),
        ({"PUSH_TOKEN_SECRET": ""}, "BAD", "half set up: PUSH_TOKEN_SECRET"),
        ({"PUSH_TOKEN_SECRET": "canary"}, "BAD", "PUSH_TOKEN_SECRET: is shorter than 32 bytes"),
        ({"VAPID_PRIVATE_KEY": "canary"}, "BAD", "VAPID_PRIVATE_KEY: has 4 bytes"),
        ({"RECONCILER_PUSH__ALLOWED_HOSTS": '["*.example.com"]'}, "look", "*.example.com"),
        ({"RECONCILER_PUSH__ALLOWED_HOSTS": '["*.googleapis.com"]'}, "look", "*.googleapis.com"),
        ({"RECONCILER_PUSH__ALLOWED_HOSTS": '["firestore.googleapis.com"]'}, "look", "firestore"),
        ({"RECONCILER_PUSH__CORS_ORIGINS": '["http://app.example.com"]'}, "look", "without TLS"),
        ({"PUSH_RELAY": "http://127.0.0.1:9"}, "look", "PUSH_RELAY is set"),
    ],
)  # fmt: skip
def test_it_lets_doctor_say_what_is_wrong(
    commands: Commands, well: dict[str, str], change: dict[str, str], state: str, words: str
) -> None:
    """Each thing that is wrong with push is a line with its mend, and without any there is one good line."""
    lines = _lines(commands, {**well, **change})

    assert [line for line in lines if line["state"] == state and words in line["words"]]


def test_it_lets_doctor_be_content_without_push(commands: Commands) -> None:
    """Where nothing of push is set, it is off, and that is fine."""
    with AtStripe().answering() as environ:
        [line] = _lines(commands, environ)

    assert (line["state"], line["words"].split(":")[0]) == ("ok", "off")


def test_it_lets_doctor_count_browsers_of_another_pair(
    commands: Commands, database: Database, well: dict[str, str]
) -> None:
    """Browsers that get nothing because the pair has changed are counted."""
    for key in (KEY, OTHER_KEY, OTHER_KEY):
        _subscribe(database, new_browser(HOST), key=key.public)

    good, other = _lines(commands, well)

    assert "1 browser(s)" in good["words"]
    assert other["words"].startswith("2 browser(s) subscribed with another pair")
