"""Does `doctor` say what is missing at Stripe, a line each with its mend, and take no refusal for an empty list?"""

import json
import socket
import time

import pytest

from reconciler.simulator.faults import Fault, FaultKind
from reconciler.stripe_api.translate import EVENT_TYPES
from tests.cli.program import Answer, Commands
from tests.cli.stripe_account import AtStripe, endpoint
from tests.stripe_api.answering import loopback

TEN_MIN_S = 600.0
EVERY_PATH = "*"
LEAN = [each for each in EVENT_TYPES if not each.startswith(("refund.", "charge.dispute."))]
OLD = "2018-11-08"

pytestmark = pytest.mark.parametrize("dialect", ["sqlite"])


def _lines(
    commands: Commands, at_stripe: AtStripe, **environ: str
) -> tuple[Answer, list[dict[str, str]]]:
    with at_stripe.answering() as given:
        answer = commands.run("doctor", "--json", **{**given, **environ})
    # What goes wrong is said in a line, and not in the log once more.
    assert "stripe.asked_in_vain" not in answer.err
    assert "canary" not in answer.everything
    return answer, json.loads(answer.out)


def _bad(lines: list[dict[str, str]]) -> dict[str, str]:
    return {line["what"]: line["words"] for line in lines if line["state"] == "BAD"}


def _fault(kind: FaultKind, path: str) -> tuple[Fault, ...]:
    return (Fault(kind=kind, path=path, times=100, stall_s=3.0),)


def test_it_is_content_with_an_account_that_has_everything(
    commands: Commands, dialect: str
) -> None:
    """With every right, the endpoint and a right clock, each line is green and no line is wider than the terminal."""
    with AtStripe(live_event=False).answering() as environ:
        answer = commands.run("doctor", **environ)

    heads = [line[:6].strip() for line in answer.out.splitlines() if line[:6].strip()]
    assert (answer.code, answer.err) == (0, "")
    assert heads == ["ok"] * 21
    assert max(map(len, answer.out.splitlines())) <= 80
    assert 'yes, by the right "PaymentIntents: Read"' in " ".join(answer.out.split())
    assert "canary" not in answer.everything


@pytest.mark.parametrize(
    ("kind", "what", "right", "slug"),
    [
        ("event", "read events", "Events", "rak_event_read"),
        ("payment_intent", "read payment_intents", "PaymentIntents", "rak_payment_intent_read"),
        ("charge", "read charges", "Charges and Refunds", "rak_charge_read"),
        ("refund", "read refunds", "Charges and Refunds", "rak_charge_read"),
        ("dispute", "read disputes", "Disputes", "rak_dispute_read"),
        ("checkout_session", "read checkout/sessions", "Checkout Sessions", "rak_checkout_session_read"),
        ("balance_transaction", "read balance_transactions", "Balance transaction sources", "rak_balance_transaction_source_read"),
        ("payout", "read payouts", "Payouts", "rak_payout_read"),
        ("balance", "read balance", "Balance", "rak_balance_read"),
        ("webhook_endpoint", "read webhook_endpoints", "Webhook Endpoints", "rak_webhook_read"),
    ],
)  # fmt: skip
def test_it_names_each_right_that_the_key_lacks(
    commands: Commands, dialect: str, kind: str, what: str, right: str, slug: str
) -> None:
    """One missing right is one bad line, with the right's name in the Dashboard and in Stripe's own answer."""
    answer, lines = _lines(commands, AtStripe(lacks=frozenset({kind})))

    assert answer.code == 1
    [(line, words)] = _bad(lines).items()
    assert line == what
    assert words.startswith(
        f'no: give the key the right "{right}: Read" ({slug}), in the Dashboard'
    )


def test_it_tells_how_to_look_at_the_endpoint_without_the_right_to(
    commands: Commands, dialect: str
) -> None:
    """What can't be read is not called missing: the line names the address and the events to look for by hand."""
    _, lines = _lines(commands, AtStripe(lacks=frozenset({"webhook_endpoint"})))

    [line] = [each for each in lines if each["what"] == "endpoint"]
    assert line["state"] == "look"
    assert line["words"].startswith("not known; look in the Dashboard under Developers, Webhooks")
    assert all(each in line["words"] for each in ("/api/webhooks/stripe", *EVENT_TYPES))


@pytest.mark.parametrize(
    ("endpoints", "words"),
    [
        ((), "none has an address that ends in /api/webhooks/stripe: add https://YOUR-HOST/api/webhooks/stripe"),
        ((endpoint(url="https://x.example/hook"),), "none has an address that ends in /api/webhooks/stripe (1 with another)"),
        ((endpoint(url="https://x.example/api/webhooks/stripe/"),), "none has an address that"),
        ((endpoint(url="https://[canary"),), "none has an address that"),
        ((endpoint(status="disabled"),), "pay.example.com is disabled, so nothing is sent to it: enable it"),
        (
            (endpoint(enabled_events=LEAN),),
            "pay.example.com does not get these events, add them in the Dashboard under Developers, Webhooks: refund.created",
        ),
        ((endpoint(enabled_events=[]),), "pay.example.com does not get these events"),
    ],
)  # fmt: skip
def test_it_says_what_is_wrong_with_the_endpoint(
    commands: Commands, dialect: str, endpoints: tuple[dict[str, object], ...], words: str
) -> None:
    """No endpoint, a disabled one, or one that gets too few events is one bad line; its password is never shown."""
    answer, lines = _lines(commands, AtStripe(endpoints=endpoints))

    assert answer.code == 1
    assert list(_bad(lines)) == ["endpoint"]
    assert _bad(lines)["endpoint"].startswith(words)


def test_it_lists_exactly_the_events_that_are_missing(commands: Commands, dialect: str) -> None:
    """The missing types are all listed, no other, and within the terminal's width."""
    lean = AtStripe(endpoints=(endpoint(enabled_events=LEAN),))
    _, lines = _lines(commands, lean)
    with lean.answering() as environ:
        shown = commands.run("doctor", **environ)

    listed = _bad(lines)["endpoint"].rpartition(": ")[2].split(", ")
    assert listed == [each for each in EVENT_TYPES if each not in LEAN]
    assert max(map(len, shown.out.splitlines())) <= 80
    assert shown.out.count("BAD ") == 1


@pytest.mark.parametrize(
    "endpoints",
    [
        (endpoint(enabled_events=["*"]),),
        (endpoint(enabled_events=[*EVENT_TYPES, "customer.created"]),),
        (endpoint(id="we_0", status="disabled"), endpoint()),
        (endpoint(id="we_0", enabled_events=LEAN), endpoint()),
        (endpoint(id="we_0", url="https://x.example/hook", status="disabled"), endpoint()),
        (endpoint(api_version=None),),
        (endpoint(api_version="2022-11-15"),),
    ],
    ids=["every type", "more types", "and a disabled one", "and a lean one", "and another's", "no version", "older"],
)  # fmt: skip
def test_it_is_content_with_any_endpoint_that_brings_everything(
    commands: Commands, dialect: str, endpoints: tuple[dict[str, object], ...]
) -> None:
    """More than is needed, a version that differs, and other endpoints beside it are no fault."""
    answer, lines = _lines(commands, AtStripe(endpoints=endpoints))

    assert (answer.code, _bad(lines)) == (0, {})
    assert {each["what"]: each["state"] for each in lines}["endpoint"] == "ok"


@pytest.mark.parametrize(
    ("version", "state", "words"),
    [
        ("2026-10-28.endive", "ok", "2026-10-28.endive, as we ask"),
        ("2022-11-15", "ok", "2022-11-15, and we ask in 2026-10-28.endive: that is fine, both shapes are read"),
        (None, "ok", "the account's own; events of every known shape are read"),
        (OLD, "BAD", "2018-11-08 is older than 2019-05-16, the oldest that is read"),
    ],
)  # fmt: skip
def test_it_shows_the_version_of_the_endpoint(
    commands: Commands, dialect: str, version: str | None, state: str, words: str
) -> None:
    """A version that we read is fine and shown; one from before the first that we read is bad."""
    _, lines = _lines(commands, AtStripe(endpoints=(endpoint(api_version=version),)))

    [line] = [each for each in lines if each["what"] == "endpoint version"]
    assert line["state"] == state
    assert line["words"].startswith(words)


@pytest.mark.parametrize(
    ("ahead_s", "state", "words"),
    [
        (0.0, "ok", "Stripe's"),
        (-12.0, "look", "ahead of Stripe's: let the system set it (NTP)"),
        (TEN_MIN_S, "BAD", "behind Stripe's; signatures can fail by it"),
        (-TEN_MIN_S, "BAD", "ahead of Stripe's; signatures can fail by it"),
    ],
)
def test_it_measures_our_clock_by_stripes(
    commands: Commands, dialect: str, ahead_s: float, state: str, words: str
) -> None:
    """A few seconds are nothing, more is worth a look, half a minute and more is bad; both ways."""
    answer, lines = _lines(commands, AtStripe(ahead_s=ahead_s))

    [line] = [each for each in lines if each["what"] == "clock"]
    assert line["state"] == state
    assert words in line["words"]
    assert answer.code == (1 if state == "BAD" else 0)
    assert abs(ahead_s) < TEN_MIN_S or line["words"].startswith(("10 min ", "9 min "))


@pytest.mark.parametrize(
    ("live", "state", "words"),
    [
        (None, "ok", "no event in the last 30 days"),
        (False, "ok", "its newest event is of test mode, as it must be"),
        (
            True,
            "BAD",
            "its newest event is of live mode, and [stripe] mode is test: use a test key",
        ),
    ],
)
def test_it_tells_the_mode_of_the_account_by_its_events(
    commands: Commands, dialect: str, live: bool | None, state: str, words: str
) -> None:
    """Events of the other mode are money of the other kind: bad, whatever the key looks like."""
    _, lines = _lines(commands, AtStripe(live_event=live))

    [line] = [each for each in lines if each["what"] == "account"]
    assert line["state"] == state
    assert line["words"].startswith(words)


@pytest.mark.parametrize(
    ("at_stripe", "environ", "what", "words"),
    [
        (AtStripe(key="rk_test_another"), {}, "Stripe", "does not accept the key (status 401): it is wrong, or was revoked"),
        (AtStripe(), {"RECONCILER_STRIPE__API_VERSION": "2099-01-01.none"}, "API version", "Stripe refuses every question"),
        (AtStripe(faults=_fault(FaultKind.ERROR_500, EVERY_PATH)), {}, "Stripe", "could not be asked, which says nothing about the key"),
        (AtStripe(faults=_fault(FaultKind.ERROR_503, EVERY_PATH)), {}, "Stripe", "could not be asked"),
        (AtStripe(faults=_fault(FaultKind.RATE_LIMITED, EVERY_PATH)), {}, "Stripe", "could not be asked"),
        (
            AtStripe(faults=_fault(FaultKind.STALL, EVERY_PATH)),
            {"RECONCILER_STRIPE__READ_TIMEOUT_S": "0.2"},
            "Stripe",
            "could not be asked",
        ),
    ],
    ids=["401", "version", "500", "503", "429", "stall"],
)  # fmt: skip
def test_it_says_once_what_is_wrong_with_everything(
    commands: Commands,
    dialect: str,
    at_stripe: AtStripe,
    environ: dict[str, str],
    what: str,
    words: str,
) -> None:
    """One cause is one line, not eight, and a Stripe that can't be asked is not said to have refused a right."""
    answer, lines = _lines(commands, at_stripe, **environ)

    assert answer.code == 1
    assert list(_bad(lines)) == [what]
    assert _bad(lines)[what].startswith(words)
    assert not any(each["what"].startswith("read ") for each in lines)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (FaultKind.ERROR_500, "not known: /v1/refunds: Stripe gives no answer (status 500"),
        (FaultKind.RATE_LIMITED, "not known: /v1/refunds: Stripe gives no answer (status 429"),
        (FaultKind.STALL, "not known: /v1/refunds: Stripe gives no answer (no connection)"),
        (FaultKind.CUT_BODY, "not known: /v1/refunds: Stripe gives no answer (no connection)"),
        (FaultKind.EMPTY_OBJECT, "not known: the answer cannot be read"),
        (FaultKind.HTML, "not known: /v1/refunds: the answer cannot be read"),
    ],
)
def test_it_takes_a_list_without_a_good_answer_for_not_known(
    commands: Commands, dialect: str, kind: FaultKind, words: str
) -> None:
    """One list that could not be asked for is bad, is not called a missing right, and hides none of the others."""
    at_stripe = AtStripe(faults=_fault(kind, "/v1/refunds"))

    answer, lines = _lines(commands, at_stripe, RECONCILER_STRIPE__READ_TIMEOUT_S="0.5")

    assert answer.code == 1
    assert list(_bad(lines)) == ["read refunds"]
    assert _bad(lines)["read refunds"].startswith(words)
    assert {each["state"] for each in lines if each["what"] != "read refunds"} == {"ok"}


def test_it_asks_nothing_more_than_once(commands: Commands, dialect: str) -> None:
    """A Stripe that fails is not asked again: one fault a list, and the next run is content."""
    once = tuple(Fault(kind=FaultKind.ERROR_500, path="*") for _ in range(8))
    with AtStripe(faults=once).answering() as environ:
        first = commands.run("doctor", **environ)
        second = commands.run("doctor", **environ)

    assert (first.code, second.code) == (1, 0)


def test_it_gives_up_on_a_stripe_that_says_nothing(commands: Commands, dialect: str) -> None:
    """A server that takes the question and is silent costs one time-out, and one line."""
    began = time.monotonic()
    with loopback(None) as (base, _), AtStripe().answering() as environ:
        environ |= {"STRIPE_API_BASE": base, "RECONCILER_STRIPE__READ_TIMEOUT_S": "0.3"}
        answer = commands.run("doctor", **environ)

    assert answer.code == 1
    assert f"look at the way to {base}" in " ".join(answer.out.split())
    # Far from exact: eight questions one after the other, four times each, would take more than ten seconds.
    assert time.monotonic() - began < 8


def test_it_gives_up_on_a_door_that_nobody_opens(commands: Commands, dialect: str) -> None:
    """No connection is one bad line."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with AtStripe().answering() as environ:
        answer = commands.run(
            "doctor", **{**environ, "STRIPE_API_BASE": f"http://127.0.0.1:{port}"}
        )

    assert answer.code == 1
    assert "BAD   Stripe" in answer.out
    assert "no connection" in answer.out


@pytest.mark.parametrize(
    "environ",
    [{"STRIPE_API_KEY": ""}, {"STRIPE_API_KEY": "nonsense"}, {"RECONCILER_STRIPE__MODE": "live"}],
)
def test_it_shows_stripe_no_key_that_can_only_be_wrong(
    commands: Commands, dialect: str, environ: dict[str, str]
) -> None:
    """Without a key of the settings' mode, nothing is asked and no line is about Stripe."""
    answer, lines = _lines(commands, AtStripe(), **environ)

    assert answer.code == 1
    assert not {"Stripe", "API version", "clock"} & {each["what"] for each in lines}


def test_it_would_rather_have_a_restricted_key(commands: Commands, dialect: str) -> None:
    """A full secret key works and is worth a look, because it may move money."""
    full = "sk_test_canary0123456789"
    answer, lines = _lines(commands, AtStripe(key=full), STRIPE_API_KEY=full)

    [line] = [each for each in lines if each["what"] == "api_key"]
    assert (answer.code, line["state"], line["ok"]) == (0, "look", True)
    assert "a restricted key (rk_...) with read rights is enough" in line["words"]
