"""How is a good body bent so that it still looks like one?

Every choice is drawn from `chance`: a seeded one in long runs, Hypothesis's in the tests, a string of bytes under a
coverage-guided fuzzer. First the tree of the JSON is changed, then, now and then, its text: what no tree can hold (keys
that stand twice, NaN, half a body, depth without end) is written into the bytes.
"""

import json
import random
from collections.abc import Callable, Sequence
from typing import Any

Chance = random.Random
Path = tuple[Any, ...]

WORDS = (
    "succeeded", "canceled", "processing", "requires_capture", "requires_payment_method", "requires_action", "pending",
    "failed", "paid", "unpaid", "no_payment_required", "won", "lost", "warning_closed", "needs_response", "complete",
    "usd", "eur", "jpy", "kwd", "isk", "xxx", "payment_intent", "charge", "refund", "dispute", "checkout.session",
    "balance_transaction", "event", "v2.core.event", "list", "INV-1", "1", "a word that nobody knows",
)  # fmt: skip
TEXTS = (
    "", " ", "\n", "\u0000", "\u0000x", "\ud800", "\udfff\ud800", "\ufeff", "é" * 300, "x" * 256, "x" * 5000, "\u202eevil",
    "\x1b[2J", "<script>", "=1+1", "' OR 1=1 --", "%s%n", "${jndi:x}", "../../etc/passwd", "\uff11\uff12", "\u017f", "\u0130", "a@b.example",
    "pi_", "2026-11-23T11:00:00.123Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "1e9", "null", "True",
)  # fmt: skip
NUMBERS = (
    0, -0.0, 1, -1, 2, 99, 100, 2**31 - 1, 2**31, 2**32, 2**53 - 1, 2**53, 2**53 + 1, -(2**53), 2**63 - 1, 2**63, -(2**63) - 1,
    2**64, 10**30, 0.1, 1e-9, 5e-324, 1.7e308, 1e15, 253_402_300_799, 253_402_300_800, -62_135_596_801,
)  # fmt: skip
OTHERS: tuple[Any, ...] = (
    None,
    True,
    False,
    [],
    {},
    [[]],
    [None],
    {"": None},
    {"id": 7},
    {"id": None, "object": []},
)
# A tree that has grown beyond it is bent no more: thirty times thirty times thirty would be our own slowness.
NODES_MAX = 2_000
DEPTHS = (3, 30, 60, 63, 64, 65, 200)


def bent(chance: Chance, good: Any, others: Sequence[Any]) -> Any:
    """Return a changed copy of a JSON tree; parts may come from other trees."""
    root = json.loads(json.dumps(good))
    for _ in range(chance.choice((0, 1, 1, 1, 2, 3, 6))):
        # No two places hold one object, so that none is ever put into itself.
        root = json.loads(json.dumps(root))
        paths = _paths(root)
        if not paths or len(paths) > NODES_MAX:
            break
        _bend(chance, root, chance.choice(paths), others)
    return root


def body(chance: Chance, tree: Any) -> bytes:
    """Return a tree as bytes: as Stripe writes it, or in a way that no serialiser would."""
    text = json.dumps(tree, indent=chance.choice((None, 2)), ensure_ascii=chance.random() < 0.5)
    raw = text.encode("utf-8", "surrogatepass")
    for _ in range(chance.choice((0, 0, 0, 0, 1, 1, 2))):
        raw = chance.choice(_SCRATCHES)(chance, raw)
    return raw


def bytes_bent(chance: Chance, raw: bytes) -> bytes:
    """Return changed bytes of any kind."""
    for _ in range(chance.choice((1, 1, 2, 4))):
        raw = chance.choice((_flip, _cut, _repeat, _insert, _swap))(chance, raw)
    return raw


def _paths(root: Any) -> list[Path]:
    """Return the way to every value; found level by level, so that depth costs no stack."""
    found: list[Path] = []
    level: list[tuple[Path, Any]] = [((), root)]
    while level and len(found) <= NODES_MAX:
        below = []
        for path, value in level:
            pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()  # fmt: skip
            below += [((*path, key), inner) for key, inner in pairs]
        found += [path for path, _ in below]
        level = below
    return found


def _bend(chance: Chance, root: Any, path: Path, others: Sequence[Any]) -> None:
    holder = root
    for key in path[:-1]:
        holder = holder[key]
    key = path[-1]
    deed = chance.randrange(9)
    if deed == 0:
        del holder[key]
    elif deed == 1:
        holder[key] = _value(chance)
    elif deed == 2:
        holder[key] = _near(chance, holder[key])
    elif deed == 3:
        holder[key] = _part_of(chance, chance.choice(others))
    elif deed == 4:
        holder[key] = _part_of(chance, root)
    elif deed == 5:
        holder[key] = _deep(chance, holder[key])
    elif deed == 6:
        holder[key] = [holder[key]] * chance.choice((1, 2, 30))
    elif isinstance(holder, dict):
        holder[chance.choice((*WORDS, *TEXTS, *map(str, holder)))] = holder[key]
    else:
        holder.append(_value(chance))


def _value(chance: Chance) -> Any:
    return chance.choice(chance.choice((WORDS, TEXTS, NUMBERS, OTHERS)))


def _near(chance: Chance, value: Any) -> Any:
    """Return a value of the same type, so that most of what is bent still goes a long way."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return chance.choice(
            (value + 1, value - 1, -value, value * 2, value // 2, float(value), str(value))
        )
    if isinstance(value, str):
        return chance.choice((*WORDS, value.upper(), value + "x", value[:-1], f" {value}"))
    return _value(chance)


def _part_of(chance: Chance, tree: Any) -> Any:
    value = tree
    for _ in range(chance.randrange(1, 6)):
        if isinstance(value, dict) and value:
            value = value[chance.choice(sorted(value))]
        elif isinstance(value, list) and value:
            value = chance.choice(value)
    return json.loads(json.dumps(value))


def _deep(chance: Chance, value: Any) -> Any:
    for _ in range(chance.choice(DEPTHS)):
        value = [value] if chance.random() < 0.5 else {"a": value}
    return value


def _flip(chance: Chance, raw: bytes) -> bytes:
    at = chance.randrange(len(raw) + 1)
    return raw[:at] + bytes([chance.randrange(256)]) + raw[at + 1 :]


def _cut(chance: Chance, raw: bytes) -> bytes:
    at = chance.randrange(len(raw) + 1)
    return chance.choice((raw[:at], raw[at:]))


def _repeat(chance: Chance, raw: bytes) -> bytes:
    at = chance.randrange(len(raw) + 1)
    piece = raw[at : at + chance.choice((1, 8, 64))]
    return raw[:at] + piece * chance.choice((2, 3, 100)) + raw[at:]


def _insert(chance: Chance, raw: bytes) -> bytes:
    at = chance.randrange(len(raw) + 1)
    return raw[:at] + chance.choice(_PIECES) + raw[at:]


def _swap(chance: Chance, raw: bytes) -> bytes:
    at, to = sorted((chance.randrange(len(raw) + 1), chance.randrange(len(raw) + 1)))
    return raw[to:] + raw[at:to] + raw[:at]


def _twice(chance: Chance, raw: bytes) -> bytes:
    """Write a key in front of the one that is there, or after it."""
    said = chance.choice(
        (
            b'"id":"evt_other"',
            b'"object":"event"',
            b'"livemode":true',
            b'"account":"acct_1"',
            b'"data":[]',
        )
    )
    if chance.random() < 0.5:
        return raw.replace(b"{", b"{" + said + b",", 1)
    return raw[:-1] + b"," + said + b"}"


def _number(chance: Chance, raw: bytes) -> bytes:
    """Put what JSON has no word for, or what no number can be, in the place of the first number."""
    wild = (
        b"NaN",
        b"-Infinity",
        b"1e999",
        b"-0",
        b"01",
        b"9" * 5000,
        b"1" + b"0" * 400,
        b"0." + b"1" * 900,
        b"1e-999",
        b"0x1",
    )
    digits = b'created": '
    at = raw.find(digits)
    if at < 0:
        return raw + chance.choice(wild)
    return raw[: at + len(digits)] + chance.choice(wild) + b"," + raw[at + len(digits) :]


def _abyss(chance: Chance, raw: bytes) -> bytes:
    count = chance.choice((100, 1000, 20_000))
    opened, closed = chance.choice(((b"[", b"]"), (b'{"a":', b"}")))
    return opened * count + (raw + closed * count if chance.random() < 0.5 else b"")


def _wrapped(chance: Chance, raw: bytes) -> bytes:
    return chance.choice(
        (
            b"\xef\xbb\xbf" + raw,
            b"\r\n\t " + raw + b"\n\n",
            b"[" + raw + b"]",
            raw + raw,
            raw.decode("utf-8", "replace").encode("utf-16"),
            raw.decode("utf-8", "replace").encode("latin-1", "replace"),
            b"",
            b"null",
            b"\x1f\x8b\x08" + raw,
            b"payload=" + raw,
        )
    )


_PIECES = (
    b"\x00", b"\\u0000", b"\\ud800", b"\xed\xa0\x80", b"\xff", b"\\", b'"', b"{", b"}", b"[", b"]", b",", b":", b"NaN", b"1e999",
    b"9" * 400, b"\r\n", b"\t", b";", b"=", b"'", b"\xe2\x80\xae", b"\xef\xbb\xbf", b"#", b"[[", b'"""', b"\x1b[2J", b"-", b"_", b".",
)  # fmt: skip
_SCRATCHES: tuple[Callable[[Chance, bytes], bytes], ...] = (
    _flip, _cut, _insert, _repeat, _swap, _twice, _twice, _number, _number, _abyss, _wrapped,
)  # fmt: skip
