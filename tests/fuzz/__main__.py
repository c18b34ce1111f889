"""What breaks under inputs that nobody would send? `python -m tests.fuzz --seconds 60 --seed 1`, for as long as one likes.

Each input is drawn from the seed, its target and its number. A few hundred share an empty database; the first that breaks a
promise is told with the command that repeats it, and the run ends with 1. No input may take longer than a few seconds of
the processor, and all of them together only so much memory.
"""

# ruff: noqa: T201 - what it prints is its answer

import argparse
import io
import random
import resource
import sys
import tempfile
import time
import traceback
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from reconciler import logs
from tests.fuzz.targets import TARGETS, Ground, Play

BATCH: Final = 400
INPUT_MAX_S: Final = 5.0
# What may be added to what the program needs once it has begun.
MEMORY_MAX_BYTES: Final = 768 * 1024 * 1024
REPORT_EVERY_S: Final = 30.0


class Watched(io.StringIO):
    """A log that keeps nothing, and cries out where a secret is written into it."""

    def write(self, text: str) -> int:
        """Look at one line."""
        for secret in ("0123456789abcdef", "an app's secret of"):
            if secret in text:
                raise AssertionError(f"a secret is in the log: {text}")
        return len(text)


@dataclass(slots=True)
class Tally:
    """How many inputs, and what became of them."""

    words: Counter[str]
    slowest_s: float = 0.0
    spent_s: float = 0.0


def main() -> int:
    """Fuzz what the arguments say; returns 0 if every promise was kept, else 1."""
    asked = _arguments()
    logs.configure("json", "info", Watched())
    names = asked.only or list(TARGETS)
    tallies = {name: Tally(Counter()) for name in names}
    ends_s = time.monotonic() + asked.seconds
    told_s = time.monotonic()
    print(f"seed {asked.seed}", flush=True)
    with ExitStack() as stack:
        ground = Ground(
            Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fuzz-"))), stack
        )
        _limit_memory()
        for batch in count(asked.first // BATCH):
            for name in names:
                is_broken = not _batch(name, ground, asked, batch, tallies[name])
                if is_broken:
                    return 1
            if (
                asked.n and (batch + 1) * BATCH >= asked.first + asked.n
            ) or time.monotonic() > ends_s:
                break
            if time.monotonic() - told_s > REPORT_EVERY_S:
                told_s = time.monotonic()
                print(_line(tallies), flush=True)
    _summary(tallies, asked.seed)
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the seed of the run")
    parser.add_argument("--seconds", type=float, default=60.0, help="begin no batch after that")
    parser.add_argument("--only", choices=TARGETS, action="append", help="a target, or several")
    parser.add_argument(
        "--first", type=int, default=0, help=f"the first input, a multiple of {BATCH}"
    )
    parser.add_argument("--n", type=int, default=0, help="so many inputs of each target at most")
    return parser.parse_args()


def _batch(name: str, ground: Ground, asked: argparse.Namespace, batch: int, tally: Tally) -> bool:
    """Play one batch on an empty database; False if a promise was broken."""
    numbers = range(batch * BATCH, (batch + 1) * BATCH)
    if asked.n:
        numbers = range(numbers.start, min(numbers.stop, asked.first + asked.n))
    at = numbers.start
    try:
        with TARGETS[name](ground) as target:
            for at in numbers:
                _play(target.play, random.Random(f"{asked.seed} {name} {at}"), tally)  # noqa: S311 - no secret
            target.check()
    except Exception:  # noqa: BLE001 - whatever it is, the seed must be told
        print(traceback.format_exc())
        n = at - numbers.start + 1
        print(
            f"repeat it: python -m tests.fuzz --seed {asked.seed} --only {name}"
            f" --first {numbers.start} --n {n}"
        )
        return False
    return True


def _play(play: Play, chance: random.Random, tally: Tally) -> None:
    began_s = time.process_time()
    word = play(chance)
    took_s = time.process_time() - began_s
    assert took_s < INPUT_MAX_S, f"took {took_s:.1f} s of the processor"
    tally.words[word] += 1
    tally.slowest_s = max(tally.slowest_s, took_s)
    tally.spent_s += took_s


def _limit_memory() -> None:
    """Let an input that asks for memory without end fail at once."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY_MAX_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def _line(tallies: dict[str, Tally]) -> str:
    inputs = sum(each.words.total() for each in tallies.values())
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return f"{inputs} inputs kept their promises; at most {peak} MiB"


def _summary(tallies: dict[str, Tally], seed: int) -> None:
    print("\n| target | inputs | a second | slowest | what became of them |\n|---|---|---|---|---|")
    for name, each in tallies.items():
        words = ", ".join(f"{n} {word}" for word, n in each.words.most_common())
        rate = each.words.total() / max(each.spent_s, 0.001)
        print(f"| {name} | {each.words.total()} | {rate:.0f} | {each.slowest_s:.2f} s | {words} |")
    print(f"\n{_line(tallies)}; seed {seed}, {time.strftime('%Y-%m-%d')}")


if __name__ == "__main__":
    sys.exit(main())
