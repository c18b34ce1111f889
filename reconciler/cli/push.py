"""`push keys | test`: the pair of keys that messages are signed with, and a message to see whether they arrive."""

import json
import os
import secrets
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Final

import typer

from reconciler.cli.context import AsJson, Config, Refused, app, database, now, settings_of
from reconciler.cli.outbox import sender_of, vapid_key_of
from reconciler.cli.output import say, say_json, say_wrapped
from reconciler.config import require
from reconciler.db import subscriptions
from reconciler.push.keys import new_key, pem
from reconciler.push.sending import Answer, Message, Sender, Sent, Subscription

group = typer.Typer(help="Push notifications.", no_args_is_help=True)
app.add_typer(group, name="push")

DEFAULT_FILE: Final = Path("vapid_private_key.pem")
_TTL_S: Final = 300
_MEANINGS: Final = MappingProxyType(
    {
        Answer.ACCEPTED: "taken; whether the browser shows it, only the browser says",
        Answer.GONE: "the browser ended its subscription: it is forgotten with the next notification",
        Answer.LATER: "no good answer now: a notification would be tried again",
        Answer.TOO_LARGE: "too large, though it is short: a fault of this push service",
        Answer.REFUSED: (
            "refuses our key or request: was the browser subscribed with another pair of keys, is [push] subject an address"
            " that exists, and is this machine's clock right?"
        ),
        Answer.BAD_KEY: "the browser's keys are none: it must subscribe again",
        Answer.BAD_ENDPOINT: "we do not send to this address: look at [push] allowed_hosts",
    }
)
_THEN_THE_APP: Final = (
    "set PUSH_TOKEN_SECRET for `serve`, and give it to your app, which signs its users' tokens with it:"
    " `openssl rand -base64 48` makes one"
)
_OTHER_KEY: Final = "subscribed with another pair of keys: it must subscribe again"


@group.command()
def keys(
    output: Annotated[
        Path, typer.Option("--output", help="The new file that gets the private key.")
    ] = DEFAULT_FILE,
    as_json: AsJson = False,
) -> None:
    """Make a pair of VAPID keys; the private one goes into a new file that only you can read."""
    key = new_key()
    _write(output, pem(key))
    if as_json:
        say_json({"public_key": key.public, "private_key_file": str(output)})
        return
    say("Public key, for `applicationServerKey` in the browser:")
    say(key.public)
    say()
    say_wrapped(f"The private key is in {output}, and only its owner can read it. Next:")
    for step in _steps(output):
        say_wrapped(f"- {step}", "  ")


def _steps(output: Path) -> Sequence[str]:
    named = json.dumps(str(output.absolute()))
    return (
        f"set vapid_private_key_file = {named} under [push] in config.toml; `serve` and `daemon` must be able to read it",
        'set subject = "mailto:you@example.com" there, too: push services ask who answers for the messages',
        _THEN_THE_APP,
        "run `reconciler doctor`, let a browser subscribe, then run `reconciler push test USER`",
        "keep a copy of the file where you keep secrets: with another pair, every browser must subscribe again",
    )


def _write(output: Path, text: str) -> None:
    """Make a file that nobody else can read, in one step with its making; one that is there stays as it is."""
    try:
        made = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            _fill(made, text)
        except BaseException:
            # Half a key, or none, would stand in the way of the next try.
            output.unlink(missing_ok=True)
            raise
    except FileExistsError:
        raise Refused(
            f"{output} is there already, and a private key is never overwritten: name another file with --output"
        ) from None
    except OSError as error:
        raise Refused(f"{output}: can't be written: {error.strerror}") from None


def _fill(made: int, text: str) -> None:
    with open(made, "w", encoding="ascii") as file:
        # Whatever the umask leaves: the mode of a file that was just made is ours to say.
        os.fchmod(made, 0o600)
        file.write(text)
        file.flush()
        os.fsync(made)


@group.command("test")
def send_test(
    user: Annotated[str, typer.Argument(help="The id of a user, as the app's tokens name it.")],
    config: Config = None,
    as_json: AsJson = False,
) -> None:
    """Send a test message to each browser of a user, and say what the push services answered."""
    settings = settings_of(config)
    require(settings, "push")
    key, sender = vapid_key_of(settings), sender_of(settings)
    with database(settings) as db, db.reading() as tx:
        browsers = subscriptions.of_user(tx, user)
    if not browsers or key is None or sender is None:
        raise Refused(f"no browser of the user {user!r} has subscribed", 1)
    rows = []
    for each in _sent_to(browsers, sender, key.public):
        rows.append(each)
        if not as_json:
            _show(each)
    if as_json:
        say_json(rows)
    sys.exit(_code({each["answer"] for each in rows}))


def _code(answers: Collection[str]) -> int:
    """1 if a person must do something, 3 if a push service only gave no good answer now."""
    bad = set(answers) - {Answer.ACCEPTED}
    return (3 if bad == {Answer.LATER} else 1) if bad else 0


def _sent_to(
    browsers: Sequence[subscriptions.Browser], sender: Sender, public_key: str
) -> Iterator[dict[str, Any]]:
    """Send to one browser after the other; nothing is written: only real notifications clear the books."""
    with closing(sender):
        for each in browsers:
            yield _row(each, _sent(sender, each) if each.vapid_key == public_key else None)


def _sent(sender: Sender, browser: subscriptions.Browser) -> Sent:
    where = Subscription(browser.endpoint, browser.p256dh, browser.auth)
    return sender.send(where, _message(browser.locale), now())


def _message(locale: str) -> Message:
    title, body = _WORDS[locale] if locale in _WORDS else _WORDS["en"]
    # Each one has a name of its own: of two tests both are shown.
    name = secrets.token_urlsafe(24)
    said = {"id": name, "title": title, "body": body, "tag": name, "url": "/", "kind": "test"}
    payload = json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()
    return Message(payload=payload, ttl_s=_TTL_S, urgency="high", topic=name)


_WORDS: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        "en": ("Test message", "Notifications arrive in this browser."),
        "fr": ("Message de test", "Les notifications arrivent dans ce navigateur."),
    }
)


def _row(browser: subscriptions.Browser, sent: Sent | None) -> dict[str, Any]:
    """What became of one browser; its address stays untold, because whoever knows it may send."""
    if sent is None:
        told: dict[str, Any] = {
            "answer": "not_sent",
            "status": None,
            "reason": "",
            "means": _OTHER_KEY,
        }
    else:
        told = {
            "answer": str(sent.answer),
            "status": sent.status,
            "reason": sent.reason,
            "means": _MEANINGS[sent.answer],
        }
    return {
        "browser": browser.id,
        "host": browser.host,
        "state": browser.state,
        "since": browser.created_at,
        **told,
    }


def _show(row: Mapping[str, Any]) -> None:
    """Print one browser at once: the next push service may take its time."""
    status = "" if row["status"] is None else f" {row['status']}"
    said = row["reason"] or row["answer"]
    say_wrapped(f"browser {row['browser']}, {row['host']}:{status} {said} - {row['means']}", "  ")
    sys.stdout.flush()
