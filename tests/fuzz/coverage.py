"""What does a fuzzer find that sees which lines it reaches? `python -m tests.fuzz.coverage [options of libFuzzer]`.

It needs atheris, which is no dependency of ours (`pip install atheris`). What Stripe really sends is its first corpus. An
input is a body as it comes, a header, or the choices by which a good body is bent; it goes through the signature check, the
envelope, the translation and the merge of facts. Anything but an answer of ours stops it with the input that did it, and
so does one that takes longer than `-timeout` or more memory than `-rss_limit_mb`.
"""

# ruff: noqa: T201 - what it prints is its answer

import random
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

try:
    import atheris
except ImportError:
    print("left out: atheris is not installed (pip install atheris)")
    sys.exit(0)

with atheris.instrument_imports(include=["reconciler"]):
    from reconciler.core.known import Known, absorb, books
    from reconciler.core.payment import summarise
    from reconciler.stripe_api.envelope import MalformedBody, read_event
    from reconciler.stripe_api.signature import BadSignature, verify
    from reconciler.stripe_api.translate import UnreadableObject, Vocabulary, translate

from tests.fuzz import corpus
from tests.fuzz.mutation import bent, body
from tests.webhook.signing import SECRET, sign

NOW: Final = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BODY: Final = b'{"id": "evt_1"}'
SEEDS_MAX: Final = 400
_HEADER, _BENT = 0, 1
_VOCABULARY: Final = Vocabulary()


def main() -> None:
    """Fuzz until libFuzzer's options say that it is enough."""
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        _plant(Path(folder))
        defaults = ["-timeout=5", "-rss_limit_mb=1024", "-max_len=16384", "-print_final_stats=1"]
        atheris.Setup([sys.argv[0], *defaults, *sys.argv[1:], folder], judge)
        atheris.Fuzz()


def judge(data: bytes) -> None:
    """Try one input; whatever is raised is a find."""
    kind, rest = (data[0] % 8, data[1:]) if data else (_BENT + 1, b"")
    if kind == _HEADER:
        _judge_header(rest.decode("latin-1"))
    elif kind == _BENT:
        chance = random.Random(rest)  # noqa: S311 - no secret
        _judge_body(body(chance, bent(chance, chance.choice(corpus.events()), corpus.events())))
    else:
        _judge_body(rest)


def _judge_header(header: str) -> None:
    good = sign(BODY, SECRET, NOW)
    try:
        verify(BODY, header, (SECRET,), now=NOW, tolerance_s=300)
    except BadSignature:
        assert header != good
        return
    assert good.partition("v1=")[2] in header, header


def _judge_body(raw: bytes) -> None:
    try:
        event = read_event(raw)
        told = translate(event, _VOCABULARY)
    except (MalformedBody, UnreadableObject):
        return
    known = absorb(Known(), told.observations)
    assert absorb(known, told.observations) == known, raw
    for book in books(known).values():
        summarise(book)


def _plant(folder: Path) -> None:
    """Give the fuzzer what Stripe really sends."""
    some = corpus.events()[:: max(1, len(corpus.events()) // SEEDS_MAX)]
    straight = random.Random(0)  # noqa: S311 - no secret
    for at, event in enumerate(some):
        (folder / f"{at}.json").write_bytes(b"\x07" + body(straight, event))
    (folder / "header").write_bytes(b"\x00" + sign(BODY, SECRET, NOW).encode())


if __name__ == "__main__":
    main()
