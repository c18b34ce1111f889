"""What of push stands on this machine: is it set up, and can the browsers that subscribed still be sent to?"""

import re
from collections.abc import Iterator
from typing import Final

from reconciler.cli.context import Refused, database
from reconciler.cli.lines import Colour, Line
from reconciler.cli.outbox import sender_of, vapid_key_of
from reconciler.config import Settings, SettingsError, missing_for_push, require
from reconciler.db import subscriptions
from reconciler.db.migrate import SchemaMismatch
from reconciler.db.session import StatementFailed, StorageUnavailable
from reconciler.push.keys import VapidKey

_WHAT: Final = "push"
# The push services of browsers; below any other name, strangers may have hosts of their own.
_VENDORS: Final = re.compile(
    r"fcm\.googleapis\.com"
    r"|(\*\.|[a-z0-9.-]+\.)?(push\.services\.mozilla\.com|push\.apple\.com|notify\.windows\.com)"
)


def push_lines(settings: Settings) -> Iterator[Line]:
    """One line if nothing of push is set, or all of it is right; else one for each thing to mend."""
    missing = missing_for_push(settings)
    is_begun = any(
        (
            settings.push.subject,
            settings.secrets.vapid_private_key,
            settings.secrets.push_token_secret,
        )
    )
    if not is_begun:
        words = "off: nobody is notified, and browsers can't subscribe; `reconciler push keys` begins it"
        yield Line(Colour.GOOD, _WHAT, words)
        return
    if missing:
        yield Line(Colour.RED, _WHAT, _lacks(missing))
    problems = list(_problems(settings))
    for problem in problems:
        yield Line(Colour.RED, _WHAT, problem)
    yield from _looks(settings)
    key = None if missing or problems else vapid_key_of(settings)
    if key is not None:
        yield from _browsers(settings, key)


def _lacks(missing: tuple[str, ...]) -> str:
    words = f"half set up: {', '.join(missing)} not set"
    if missing == ("PUSH_TOKEN_SECRET",):
        return f"{words}, so no browser can subscribe here; `serve` needs it"
    return f"{words}, so nothing is sent; `reconciler push keys` says what to set"


def _problems(settings: Settings) -> Iterator[str]:
    """What is set and wrong."""
    try:
        require(settings, "push_secret")
    except SettingsError as error:
        yield from error.problems
    try:
        vapid_key_of(settings)
        sender = sender_of(settings)
    except SettingsError as error:
        yield from error.problems
        return
    if sender is not None:
        sender.close()


def _looks(settings: Settings) -> Iterator[Line]:
    """What is allowed, and may not be meant."""
    wide = [each for each in settings.push.allowed_hosts if not _VENDORS.fullmatch(each)]
    if wide:
        words = (
            f"[push] allowed_hosts lets anybody who can subscribe make us connect to {', '.join(wide)}, which is no push"
            " service of a browser that we know: is that meant?"
        )
        yield Line(Colour.LOOK, _WHAT, words)
    plain = [each for each in settings.push.cors_origins if each.startswith("http:")]
    if plain:
        words = f"[push] cors_origins names {', '.join(plain)}: tokens of users travel there without TLS"
        yield Line(Colour.LOOK, _WHAT, words)
    if settings.push_relay:
        yield Line(Colour.LOOK, _WHAT, "PUSH_RELAY is set: no message reaches a browser")


def _browsers(settings: Settings, key: VapidKey) -> Iterator[Line]:
    """How many browsers there are, and how many can't be sent to."""
    try:
        with database(settings) as db, db.reading() as tx:
            counts = subscriptions.counts(tx, key.public)
    except (StorageUnavailable, StatementFailed, SchemaMismatch, Refused, SettingsError):
        return  # The line of the database says it.
    origins = len(settings.push.cors_origins)
    words = f"{settings.push.subject}, public key {key.public[:12]}..., {counts.active} browser(s), {origins} origin(s) of pages"
    yield Line(Colour.GOOD, _WHAT, words)
    if counts.of_another_key:
        words = (
            f"{counts.of_another_key} browser(s) subscribed with another pair of keys and get nothing until their page subscribes"
            " again: set the former VAPID_PRIVATE_KEY back if the pair was not meant to change"
        )
        yield Line(Colour.LOOK, _WHAT, words)
    if counts.quarantined:
        words = (
            f"{counts.quarantined} browser(s) gave keys or an address that can't be used, and get nothing until they subscribe"
            " again; `reconciler push test USER` tells why"
        )
        yield Line(Colour.LOOK, _WHAT, words)
