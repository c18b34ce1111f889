"""What does the webhook make of bent bodies and headers, signed and unsigned?

The whole application is asked, with the real inbox on a real database: nothing is answered with 5xx, nothing is stored that
Stripe has not signed, and what is stored is applied, ignored or kept for later, but never a failure of ours.
"""

import hmac
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from types import TracebackType
from typing import Final, Self

from sqlalchemy import func, select

from reconciler.apply import Policy
from reconciler.db import embedded, events, tables
from reconciler.db.events import EventState
from reconciler.db.session import Database
from reconciler.inbox import Inbox
from reconciler.stripe_api.envelope import MalformedBody, read_event
from reconciler.verify import verify
from tests.fuzz import corpus
from tests.fuzz.asking import Asker
from tests.fuzz.mutation import Chance, bent, body, bytes_bent
from tests.webhook.signing import SECRET, sign, v1
from webhook.app import STRIPE_PATH, create_app
from webhook.wiring import WebhookSettings

NOW: Final = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
OTHER_SECRET: Final = "whsec_fedcba9876543210"
TOLERANCE_S: Final = 300
PATIENCE_S: Final = 300.0
MAX_BYTES: Final = 1024 * 1024
# An object without an id is nothing that could be asked for again: it is tried again, and then shown to a person.
JUSTIFIED: Final = ("UnreadableObject",)
# A bent balance transaction need not add up, and our books hold what was said.
STRIPES_OWN: Final = frozenset({"transaction_sum"})

Header = tuple[bytes, bytes]


class StripeTarget:
    """One application on one empty database; `how` is what is bent: `unsigned`, `signed` or `headers`."""

    def __init__(self, db: Database, how: str) -> None:
        self._db = db
        self._how = how
        self._accepted: set[str] = set()
        with db.writing() as tx:
            events.settle_setting(tx, "mode", "test")
            embedded.upsert_invoices(tx, [_row(each) for each in corpus.invoices()], NOW)
        # A machine that has better things to do makes no answer wrong.
        patient = WebhookSettings(secrets=(SECRET,), storage_timeout_s=PATIENCE_S)
        self._asker = Asker(create_app(Inbox(db=db), patient, clock=lambda: NOW))

    def __enter__(self) -> Self:
        """Begin to answer."""
        self._asker.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop answering."""
        self._asker.__exit__(kind, error, trace)

    def play(self, chance: Chance) -> str:
        """Send one request and judge the answer; returns a word for the count."""
        raw = _body(chance, is_plain=self._how == "headers")
        headers = _headers(chance, raw, self._how)
        answer = self._asker.ask("POST", STRIPE_PATH, headers, _pieces(chance, raw))
        what = f"{answer} to {headers!r} {raw[:2000]!r}"
        assert answer.status in {200, 400, 413} and not answer.raised, what  # noqa: PT018
        is_genuine = is_signed(headers, raw)
        if answer.status == 200:
            assert is_genuine, f"accepted without a signature: {what}"
            return self._judge_stored(raw)
        assert b"not accepted" in answer.body, what
        if is_genuine and self._how == "signed" and len(raw) <= MAX_BYTES:
            assert _reason(raw), f"an event was refused: {what}"
        return f"refused {answer.status}"

    def check(self) -> None:
        """Judge what is left behind: exactly what was accepted, and books that are what deciding again gives."""
        with self._db.reading() as tx:
            stored = tx.execute(select(func.count()).select_from(tables.stripe_events)).scalar_one()
        assert stored == len(self._accepted), f"{stored} stored, {len(self._accepted)} accepted"
        if self._contradicts_itself():
            return
        report = verify(self._db, Policy(), now=NOW, rebuild=True)
        ours = [each for each in report.problems if each.check not in STRIPES_OWN]
        assert ours == [], ours[:5]

    def _contradicts_itself(self) -> bool:
        """Whether one id stands for objects of two kinds, or one object names two payments: Stripe's never do, bent ones may."""
        seen = tables.observations.c
        kinds: dict[str, set[str]] = {}
        payers: dict[str, set[str]] = {}
        names: dict[str, set[str]] = {}
        with self._db.reading() as tx:
            rows = tx.execute(select(seen.kind, seen.object_id, seen.projection)).all()
            payments = tx.execute(select(tables.payments.c.id)).scalars().all()
        for kind, id_, projection in rows:
            kinds.setdefault(id_, set()).add("payment_intent" if kind == "foreign" else kind)
            told = json.loads(projection)
            if kind == "charge":
                payers.setdefault(id_, set()).add(told["intent"] or id_)
            elif told.get("intent"):
                names.setdefault(id_, set()).add(told["intent"])
        for id_ in payments:
            kinds.setdefault(id_, set()).add(
                "charge" if id_ in payers.get(id_, ()) else "payment_intent"
            )
        return any(len(each) > 1 for each in (*kinds.values(), *payers.values(), *names.values()))

    def _judge_stored(self, raw: bytes) -> str:
        id_ = read_event(raw).id
        self._accepted.add(id_)
        column = tables.stripe_events.c
        with self._db.reading() as tx:
            row = tx.execute(select(column.state, column.error).where(column.id == id_)).one()
        is_wrong = row.state in {EventState.FAILED, EventState.DEAD}
        assert not is_wrong or row.error.startswith(JUSTIFIED), f"{row.error}: {raw!r}"
        return str(row.state)


def is_signed(headers: Sequence[Header], raw: bytes) -> bool:
    """Whether any time and any signature in these headers are Stripe's: read as leniently as one could."""
    text = b",".join(value for name, value in headers if name == b"stripe-signature")
    parts = [part.partition(b"=") for part in text.split(b",")]
    times = [value.strip() for key, _, value in parts if key.strip() == b"t"]
    signatures = {value.strip() for key, _, value in parts if key.strip() == b"v1"}
    for each in times:
        is_time = each.isdigit() and len(each) <= 12
        if is_time and abs(int(each) - NOW.timestamp()) <= TOLERANCE_S:
            signed = hmac.new(SECRET.encode(), each + b"." + raw, sha256).hexdigest().encode()
            if signed in signatures:
                return True
    return False


def _row(invoice: dict[str, object]) -> dict[str, object]:
    return {**invoice, "created_at": NOW}


def _reason(raw: bytes) -> str:
    try:
        raw.decode()
        read_event(raw)
    except UnicodeDecodeError:
        return "not_utf8"
    except MalformedBody as refused:
        return refused.reason
    return ""


def _body(chance: Chance, *, is_plain: bool) -> bytes:
    event = dict(chance.choice(corpus.events()))
    event["id"] = f"evt_{chance.getrandbits(64):x}"
    if is_plain:
        return body(chance, event)
    if chance.random() < 0.03:
        return bytes_bent(chance, b"x" * chance.choice((0, 1, 100, MAX_BYTES - 1, MAX_BYTES + 1)))
    if chance.random() < 0.6 and isinstance(event.get("data"), dict):
        # What is bent within the object goes all the way to the books.
        event["data"] = {"object": bent(chance, event["data"]["object"], corpus.events())}
        return body(chance, event) if chance.random() < 0.1 else json.dumps(event).encode()
    return body(chance, bent(chance, event, corpus.events()))


def _headers(chance: Chance, raw: bytes, how: str) -> list[Header]:
    good = sign(raw, SECRET, NOW).encode()
    if how == "signed":
        return [(b"stripe-signature", good)]
    value = _forged(chance, raw, good)
    found = [(b"stripe-signature", value)]
    if chance.random() < 0.1:
        found.append((b"stripe-signature", chance.choice((good, value, b""))))
    if chance.random() < 0.1:
        found = []
    if chance.random() < 0.3:
        found.append(chance.choice(_STRANGE_HEADERS))
    return found


def _forged(chance: Chance, raw: bytes, good: bytes) -> bytes:
    t = str(int(NOW.timestamp())).encode()
    mac = good.partition(b"v1=")[2]
    other = v1(
        raw, chance.choice((OTHER_SECRET, "", " ", SECRET.removeprefix("whsec_"))), NOW
    ).encode()
    value = chance.choice(
        (
            good,
            bytes_bent(chance, good),
            b"t=" + t + b",v1=" + other,
            b"t=" + t + b",v0=" + mac,
            b"t=" + t + b",v1=" + mac[: chance.randrange(64)],
            b"t=" + t + b",v1=" + mac.upper(),
            b"t=" + t + (b",v1=" + other) * chance.choice((2, 50, 2000)) + b",v1=" + mac,
            b"t=" + chance.choice(_TIMES) + b",v1=" + mac,
            b"t=" + chance.choice(_TIMES) + b"," + good,
            good + b",t=" + chance.choice(_TIMES),
            b" " + good.replace(b",", b" , "),
            good + b"," + bytes(chance.randrange(256) for _ in range(8)),
            b"t=" + t + b",v1=",
            b"",
            b"," * chance.choice((1, 4000, 30_000)),
        )
    )
    return value.replace(b"\r", b"").replace(b"\n", b"")


def _pieces(chance: Chance, raw: bytes) -> list[bytes]:
    if chance.random() < 0.8:
        return [raw]
    at = chance.randrange(len(raw) + 1)
    return [raw[:at], b"", raw[at:]]


_TIMES = (
    b"0", b"-1", b"+1772366400", b"1772366400.0", b"1_772_366_400", b"9" * 12, b"9" * 13, b"9" * 5000, b"", b" ", b"nan", b"1e9",
    b"1772366100", b"1772366099", b"1772366700", b"1772366701", b"\xd9\xa1\xd9\xa2", b"\xb2", b"0x1", b"1772366400 ",
)  # fmt: skip
_STRANGE_HEADERS: tuple[Header, ...] = (
    (b"content-length", b"-1"), (b"content-length", b"9" * 30), (b"content-length", b"\xb2"), (b"content-length", b"1e3"),
    (b"content-type", b"text/html; charset=utf-7"), (b"content-encoding", b"gzip"), (b"transfer-encoding", b"x"),
    (b"x-forwarded-for", b"\xff"), (b"cookie", b"=" * 3000), (b"expect", b"100-continue"), (b"host", b"\x00"),
)  # fmt: skip
