"""Does `doctor` say what is missing before anything runs, a line each, and keep every secret?"""

import json

import pytest

from reconciler.inbox import Inbox
from tests.cli.bodies import event, intent
from tests.cli.conftest import deliver, import_invoices
from tests.cli.program import Commands, Program

SECRET = "whsec_canary0123456789"
API_KEY = "rk_test_canary0123456789"
WELL = {"STRIPE_WEBHOOK_SECRET": SECRET, "STRIPE_API_KEY": API_KEY}


def test_it_is_content_when_nothing_is_missing(commands: Commands) -> None:
    """With settings, secrets and tables in place, every line is green."""
    answer = commands.run("doctor", **WELL)

    assert answer.code == 0
    assert [line[:3] for line in answer.out.splitlines()] == ["ok "] * 5


@pytest.mark.parametrize(
    ("environ", "line"),
    [
        ({"STRIPE_WEBHOOK_SECRET": ""}, "BAD  webhook_secret: STRIPE_WEBHOOK_SECRET: is empty"),
        ({"STRIPE_WEBHOOK_SECRET": "canary"}, "BAD  webhook_secret: STRIPE_WEBHOOK_SECRET: secret 1"),
        ({"STRIPE_API_KEY": "rk_live_canary"}, "BAD  api_key: STRIPE_API_KEY: is a live key"),
        ({"DATABASE_URL": "sqlite:///none.db"}, "BAD  database: sqlite:///none.db: there is no"),
    ],
)  # fmt: skip
def test_it_marks_what_is_missing(commands: Commands, environ: dict[str, str], line: str) -> None:
    """One thing that is wrong is one red line with its mend, and the exit code is 1."""
    answer = commands.run("doctor", **{**WELL, **environ})

    assert answer.code == 1
    [red] = [each for each in answer.out.splitlines() if each.startswith("BAD")]
    assert red.startswith(line)
    assert "canary" not in answer.everything


def test_it_says_which_key_the_daemon_lacks(commands: Commands) -> None:
    """Without an API key nothing finds what the webhook misses: the line is red and says which key to make."""
    answer = commands.run("doctor", **{**WELL, "STRIPE_API_KEY": ""})

    assert answer.code == 1
    assert "BAD  api_key: STRIPE_API_KEY" in answer.out
    assert "restricted key" in answer.out


def test_it_tells_programs_too(commands: Commands) -> None:
    """With --json, each line is an object."""
    answer = commands.run("doctor", "--json", **WELL)

    assert {line["what"]: line["ok"] for line in json.loads(answer.out)} == {
        "mode": True,
        "webhook_secret": True,
        "api_key": True,
        "database": True,
        "webhook": True,
    }


def test_it_counts_deliveries(commands: Commands, inbox: Inbox) -> None:
    """What the webhook has counted, good and bad, stands in a line."""
    inbox.record_webhook_health(
        good=7, bad=2, last_good_at=None, last_bad_at=None, last_bad_reason="no_match"
    )

    assert "ok   webhook: 7 good, 2 bad, last good never\n" in commands.run("doctor", **WELL).out


@pytest.mark.parametrize(
    "words",
    [
        ("init",),
        ("doctor",),
        ("doctor", "--json"),
        ("invoices", "list"),
        ("payments", "show", "pi_1"),
        ("events", "show", "evt_pi_1_succeeded"),
        ("explain", "inv_1", "--json"),
        ("exceptions", "list"),
        ("verify", "--rebuild"),
    ],
)
def test_it_keeps_the_secrets(commands: Commands, inbox: Inbox, words: tuple[str, ...]) -> None:
    """No command prints a secret, not even in the log at its most talkative."""
    import_invoices(commands, "id,currency,amount_due\ninv_1,usd,1250\n")
    deliver(inbox, event(intent()))

    answer = commands.run(*words, **WELL, RECONCILER_LOG__LEVEL="debug")

    assert answer.code == 0
    assert "canary" not in answer.everything


def test_it_keeps_the_password_of_a_database_that_is_away(program: Program) -> None:
    """The address of a database that doesn't answer is shown without its password."""
    url = "postgresql://me:canary@127.0.0.1:1/books"

    answer = program.run("doctor", **WELL, DATABASE_URL=url)

    assert answer.code == 1
    assert "BAD  database: postgresql" in answer.out
    assert "canary" not in answer.everything
