"""Whether no secret and no person is ever in the log, whatever is logged and however it fails."""

import io
import logging

import pytest
import structlog

from reconciler import logs
from reconciler.logs import Format

CANARY = "canary0123456789"
BOTH: list[Format] = ["json", "console"]
# Each holds the canary in a shape that must be masked wherever it turns up.
SECRETS = [
    f"whsec_{CANARY}",
    f"whsec_{CANARY}+/=",
    f"sk_live_{CANARY}",
    f"sk_test_{CANARY}",
    f"rk_live_{CANARY}",
    f"rk_test_51_{CANARY}",
    f"key=sk_live_{CANARY}&x=1",
    f"Authorization: Bearer {CANARY}",
    f"bearer%20{CANARY}",
    f"BEARER  {CANARY}",
    f"postgresql+psycopg://user:{CANARY}@host/db",
    f"postgres://user:pa@{CANARY}@host/db",
    f"https://:{CANARY}@host",
    f"postgresql://host/db?user=u&password={CANARY}",
    f"host=h PASSWORD={CANARY} dbname=d",
    # Letters that are others only until their case is ignored.
    f"host=h pa\u017f\u017fword={CANARY} dbname=d",
    f"{CANARY}@example.com",
    f"Ann <ann.{CANARY}+x@mail.example.co.uk>",
    f"/search?q={CANARY}%40example.com",
    f"é{CANARY}@exämple.com",
]


def fail_twice(secret: str) -> None:
    """Raise an error whose cause holds the secret."""
    try:
        int(secret)
    except ValueError as error:
        raise RuntimeError("outer") from error


@pytest.mark.parametrize("fmt", BOTH)
@pytest.mark.parametrize("secret", SECRETS)
def test_it_never_writes_a_secret(secret: str, fmt: Format, stream: io.StringIO) -> None:
    """Wherever a secret or an address stands in an event, the log has stars instead."""
    logs.configure(fmt, "debug", stream)
    logger = logs.get("x")

    structlog.contextvars.bind_contextvars(bound=secret)
    logger.bind(also=secret).info(f"it.said {secret}", value=secret, **{secret: 1})
    logger.info("it.nested", value={"a": [(secret, {secret})], secret: secret}, raw=secret.encode())
    logger.info("it.failed", error=ValueError(secret))
    logging.getLogger("uvicorn.error").error("a %s b", secret)
    try:
        fail_twice(secret)
    except RuntimeError:
        logger.exception("it.raised")
        logging.getLogger("apscheduler").exception("job raised")

    assert CANARY not in stream.getvalue()
    assert len(stream.getvalue().splitlines()) == 6


@pytest.mark.parametrize("fmt", BOTH)
@pytest.mark.parametrize(
    "name", ["STRIPE_WEBHOOK_SECRET", "vapid_private_key", "apiKey", "password", "Cookie", "Authorization"]
)  # fmt: skip
def test_it_hides_what_is_named_a_secret(name: str, fmt: Format, stream: io.StringIO) -> None:
    """Some secrets look like nothing; a name that says so is enough, at any depth."""
    logs.configure(fmt, "info", stream)

    logs.get("x").info("it.said", **{name: CANARY}, nested=[{name: [CANARY]}])

    assert CANARY not in stream.getvalue()
    assert "***" in stream.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "evt_1PzYxK2eZvKYlo2C",
        "http://127.0.0.1:3000/api/webhooks/stripe",
        "12:30 @ noon",
        "pi_3 is of in_1",
    ],
)
def test_it_leaves_honest_text_alone(text: str) -> None:
    """Ids, addresses without a password and times stay as they are."""
    event = {"event": "it.said", "value": text, "secret_count": 2}

    assert logs.redact(None, "info", dict(event)) == event


@pytest.mark.parametrize("fmt", BOTH)
def test_it_says_when_a_line_is_lost(
    fmt: Format, stream: io.StringIO, capsys: pytest.CaptureFixture[str]
) -> None:
    """A record that can't be written leaves a line that says so, and nothing raw anywhere."""
    logs.configure(fmt, "info", stream)

    logging.getLogger("lib").info("two %s %s", *(f"sk_live_{CANARY}",))

    [line] = stream.getvalue().splitlines()
    assert "log.failed" in line
    assert "lib" in line
    assert CANARY not in line + capsys.readouterr().err


@pytest.mark.parametrize("name", ["ours", "theirs"])
def test_it_says_when_a_line_cannot_be_written(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A text that the stream's encoding lacks leaves a line that says so, and the caller goes on."""
    written = io.BytesIO()
    logs.configure("console", "info", io.TextIOWrapper(written, "ascii"))
    said = f"caf\u00e9 {CANARY}"

    if name == "ours":
        logs.get(name).info("it.said", words=said)
    else:
        logging.getLogger(name).info(said)

    [line] = written.getvalue().decode().splitlines()
    assert line.endswith(f"error    log.failed logger={name}")
    assert CANARY not in capsys.readouterr().err
