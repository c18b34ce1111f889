"""Does nothing that comes from outside break a promise? A taste of what `make fuzz` does at length."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.db.session import Database
from tests.fuzz import __main__ as long_form
from tests.fuzz.mutation import Chance
from tests.fuzz.push_target import PushTarget, user_of
from tests.fuzz.settings_target import SettingsTarget
from tests.fuzz.stripe_target import NOW, StripeTarget, is_signed
from tests.fuzz.targets import TARGETS, Ground
from tests.webhook.push_app import token
from tests.webhook.signing import SECRET, sign

FEW = settings(
    max_examples=60,
    # How long an input may take is judged by the long form, on a machine that does nothing else.
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
chances = st.randoms(use_true_random=False)


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    """Give a folder and an empty database."""
    with ExitStack() as stack:
        yield Ground(tmp_path, stack)


@pytest.mark.parametrize("how", ["signed", "unsigned", "headers"])
def test_it_takes_nothing_from_strangers_and_breaks_under_nothing(
    database: Database, how: str
) -> None:
    """No body and no header is answered with 5xx or accepted unsigned, and what is accepted is applied and adds up."""
    with StripeTarget(database, how) as target:

        @FEW
        @given(chance=chances)
        def plays(chance: Chance) -> None:
            target.play(chance)

        plays()
        target.check()


def test_it_knows_no_user_without_a_token(database: Database) -> None:
    """No token, body or address is answered with 5xx by the routes of push, or acts for a user who has not signed in."""
    with PushTarget(database) as target:

        @FEW
        @given(chance=chances)
        def plays(chance: Chance) -> None:
            target.play(chance)

        plays()
        target.check()


@pytest.mark.parametrize("name", ["reading", "settings", "csv"])
def test_it_answers_bent_files_and_events_in_words(ground: Ground, name: str) -> None:
    """Settings, invoices and events that are bent end in values or in plain reasons, and never in a traceback."""
    with TARGETS[name](ground) as target:

        @FEW
        @given(chance=chances)
        def plays(chance: Chance) -> None:
            target.play(chance)

        plays()
        target.check()


def test_it_would_notice_what_is_accepted_unsigned() -> None:
    """The judge of the fuzzer knows a genuine signature, and a genuine token, from all others."""
    body = b"{}"
    good = (b"stripe-signature", sign(body, SECRET, NOW).encode())
    later = (b"stripe-signature", sign(body, SECRET, NOW + timedelta(seconds=301)).encode())

    assert is_signed([good], body)
    assert not is_signed([good], b"{ }")
    assert not is_signed([later], body)
    assert not is_signed([], body)
    assert user_of([f"Bearer {token('ann')}".encode()]) == "ann"
    assert user_of([f"Bearer {token('ann', secret='x' * 40)}".encode()]) is None


def test_it_says_how_to_repeat_what_broke(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], logging_restored: None
) -> None:
    """The long form counts its inputs, and names the command that repeats the first that broke a promise."""
    monkeypatch.setattr(long_form, "_limit_memory", lambda: None)
    monkeypatch.setattr(sys, "argv", ["fuzz", "--only", "settings", "--n", "5", "--seed", "3"])
    assert long_form.main() == 0
    assert "5 inputs kept their promises" in capsys.readouterr().out

    def breaks(self: SettingsTarget, chance: Chance) -> str:
        raise ValueError("broken")

    monkeypatch.setattr(SettingsTarget, "play", breaks)

    assert long_form.main() == 1
    repeat = "python -m tests.fuzz --seed 3 --only settings --first 0 --n 1"
    assert repeat in capsys.readouterr().out
