"""Does `doctor` say what is missing on this machine, a line each, and keep every secret?"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from reconciler.inbox import Inbox
from tests.cli.bodies import event, intent
from tests.cli.conftest import deliver, import_invoices
from tests.cli.program import Commands, Program
from tests.cli.stripe_account import AtStripe

HERE = ["mode", "webhook_secret", "api_key", "database", "webhook"]
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture
def well() -> Iterator[dict[str, str]]:
    """Give the environment of a program that lacks nothing, with an account that lacks nothing."""
    with AtStripe().answering() as environ:
        yield environ


def test_it_is_content_when_nothing_is_missing(commands: Commands, well: dict[str, str]) -> None:
    """With settings, secrets and tables in place, every line is green, those about this machine first."""
    answer = commands.run("doctor", "--json", **well)

    lines = json.loads(answer.out)
    assert answer.code == 0
    assert {line["state"] for line in lines} == {"ok"}
    assert [line["what"] for line in lines[:5]] == HERE


@pytest.mark.parametrize(
    ("environ", "what", "words"),
    [
        ({"STRIPE_WEBHOOK_SECRET": "canary"}, "webhook_secret", "STRIPE_WEBHOOK_SECRET: secret 1"),
        ({"STRIPE_API_KEY": "rk_live_canary", "STRIPE_API_BASE": ""}, "api_key", "STRIPE_API_KEY: is a live key"),
        ({"DATABASE_URL": "sqlite:///none.db"}, "database", "sqlite:///none.db: there is no"),
    ],
)  # fmt: skip
def test_it_marks_what_is_missing(
    commands: Commands, well: dict[str, str], environ: dict[str, str], what: str, words: str
) -> None:
    """One thing that is wrong is one bad line with its mend, and the exit code is 1."""
    told = commands.run("doctor", "--json", **{**well, **environ})
    shown = commands.run("doctor", **{**well, **environ})

    [bad] = [line for line in json.loads(told.out) if not line["ok"]]
    assert (told.code, shown.code) == (1, 1)
    assert (bad["state"], bad["what"]) == ("BAD", what)
    assert bad["words"].startswith(words)
    assert "".join(bad["words"].split()) in "".join(shown.out.split())
    assert "canary" not in told.everything + shown.everything


OF_WEBHOOKS = ("webhook_secret", "read webhook_endpoints", "endpoint")


@pytest.mark.parametrize(
    ("ago", "state", "code"),
    [(None, "look", 0), (timedelta(days=31), "look", 0), (timedelta(days=29), "BAD", 1)],
    ids=["no delivery ever", "long given up", "somebody delivers"],
)
def test_it_asks_no_daemon_alone_for_what_only_webhooks_need(
    commands: Commands, inbox: Inbox, ago: timedelta | None, state: str, code: int
) -> None:
    """Where `status` expects no webhooks, secret and endpoint are worth a look and nobody's fault."""
    if ago is not None:
        at = datetime.now(UTC) - ago
        inbox.record_webhook_health(
            good=1, bad=0, last_good_at=at, last_bad_at=None, last_bad_reason=""
        )
    alone = AtStripe(lacks=frozenset({"webhook_endpoint"}), endpoints=())
    with alone.answering() as environ:
        told = commands.run("doctor", "--json", **{**environ, "STRIPE_WEBHOOK_SECRET": ""})

    with AtStripe(endpoints=()).answering() as environ:
        bare = commands.run("doctor", "--json", **{**environ, "STRIPE_WEBHOOK_SECRET": ""})

    lines = {line["what"]: line for line in json.loads(told.out)}
    [none] = [line for line in json.loads(bare.out) if line["what"] == "endpoint"]
    assert (told.code, bare.code, none["state"]) == (code, code, state)
    assert [lines[each]["state"] for each in OF_WEBHOOKS] == [state, state, "look"]
    assert lines["webhook_secret"]["words"].startswith("STRIPE_WEBHOOK_SECRET: is empty")


def test_it_says_which_key_the_daemon_lacks(commands: Commands, well: dict[str, str]) -> None:
    """Without an API key nothing finds what the webhook misses: the line is red and says which key to make."""
    answer = commands.run("doctor", **{**well, "STRIPE_API_KEY": ""})

    assert answer.code == 1
    assert "BAD   api_key         STRIPE_API_KEY: is empty or not set" in answer.out
    assert "restricted key" in answer.out


@pytest.mark.parametrize(
    ("good", "bad", "last_good_at", "last_bad_at", "reason", "state", "words"),
    [
        (7, 2, None, None, "no_match", "ok", "7 good, 2 bad, last good never"),
        (7, 2, NOON, NOON, "signature_mismatch", "ok", "last good 2026-11-23 12:00:00 UTC, last bad 2026-11-23 12:00:00 UTC (sig"),
        (2, 7, NOON, NOON, "signature_mismatch", "look", "(signature_mismatch); most of them are bad"),
        (0, 1, None, NOON, "signature_mismatch", "BAD", "STRIPE_WEBHOOK_SECRET is not the secret of the endpoint"),
        (9, 1, NOON - timedelta(days=2), NOON, "signature_stale", "BAD", "set this machine's clock"),
        (9, 1, NOON - timedelta(days=2), NOON, "signature_future", "BAD", "set this machine's clock"),
        (0, 1, None, NOON, "signature_missing", "BAD", "the proxy in front must hand on the header Stripe-Signature"),
        (0, 1, None, NOON, "signature_malformed", "BAD", "the proxy in front must hand on header and body"),
        (0, 1, None, NOON, "body_too_large", "look", "(body_too_large); most of them are bad"),
        (9, 1, NOON, NOON, "\x1b[2J", "ok", "(\x1b[2J)"),
    ],
)  # fmt: skip
def test_it_says_how_deliveries_went(
    commands: Commands,
    inbox: Inbox,
    well: dict[str, str],
    good: int,
    bad: int,
    last_good_at: datetime | None,
    last_bad_at: datetime | None,
    reason: str,
    state: str,
    words: str,
) -> None:
    """Deliveries are counted; when no good one comes any more, the reason of the last bad one has its mend."""
    inbox.record_webhook_health(
        good=good,
        bad=bad,
        last_good_at=last_good_at,
        last_bad_at=last_bad_at,
        last_bad_reason=reason,
    )

    told = commands.run("doctor", "--json", **well)
    shown = commands.run("doctor", **well)

    [line] = [each for each in json.loads(told.out) if each["what"] == "webhook"]
    assert line["state"] == state
    assert words in line["words"]
    assert "\x1b" not in told.out + shown.out


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
def test_it_keeps_the_secrets(
    commands: Commands, inbox: Inbox, well: dict[str, str], words: tuple[str, ...]
) -> None:
    """No command prints a secret, not even in the log at its most talkative."""
    import_invoices(commands, "id,currency,amount_due\ninv_1,usd,1250\n")
    deliver(inbox, event(intent()))

    answer = commands.run(*words, **well, RECONCILER_LOG__LEVEL="debug")

    assert answer.code == 0
    assert "canary" not in answer.everything


def test_it_keeps_the_password_of_a_database_that_is_away(
    program: Program, well: dict[str, str]
) -> None:
    """The address of a database that doesn't answer is shown without its password."""
    url = "postgresql://me:canary@127.0.0.1:1/books"

    answer = program.run("doctor", **well, DATABASE_URL=url)

    assert answer.code == 1
    assert "postgresql+psycopg://me:***@127.0.0.1:1/books" in answer.out
    assert "canary" not in answer.everything
