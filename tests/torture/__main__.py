"""How long do the books keep their promises? `python -m tests.torture --seed 1`, for as long as one likes.

A suite is played in parts, each with a seed of its own: the run's, and its number. What is done is written down after each
part, so that `--resume` goes on there. A part that fails is told with the command that repeats it, and the run ends with 1.
"""

# ruff: noqa: T201 - what it prints is its answer

import argparse
import json
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.torture.outcome import Outcome, Skipped
from tests.torture.suites import SUITES, Grounds, Suite, Wanted, never_reached

ROOT: Final = Path(__file__).resolve().parents[2]
STATE: Final = ROOT / "build" / "torture.json"


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a suite on one database."""

    suite: Suite
    engine: str
    number: int

    @property
    def key(self) -> str:
        """Its name in the state."""
        return f"{self.suite.name}/{self.engine}/{self.number}"


@dataclass
class State:
    """What was done so far, in a file."""

    path: Path
    seed: int
    is_short: bool = False
    figures: dict[str, dict[str, int]] = field(default_factory=dict)

    def keep(self, part: Part, outcome: Outcome) -> None:
        """Write down that a part is done."""
        self.figures[part.key] = dict(outcome.figures)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        kept = {"seed": self.seed, "short": self.is_short, "figures": self.figures}
        self.path.write_text(json.dumps(kept, indent=1))


class Mixed(Exception):  # noqa: N818 - a plain answer
    """The figures of two runs must not become one table; the message says why, and what to type instead."""


def state_of(path: Path, *, seed: int | None, is_short: bool, resume: bool) -> State:
    """The state to go on with, or a new one. Raises Mixed where what is asked is another run than the one that is kept."""
    if not (resume and path.exists()):
        return State(path, 1 if seed is None else seed, is_short)
    kept = json.loads(path.read_text())
    state = State(path, kept["seed"], kept.get("short", False), kept["figures"])
    if seed not in {None, state.seed}:
        raise Mixed(
            f"{path} is of seed {state.seed}: ask for that seed, or begin anew without --resume"
        )
    if is_short != state.is_short:
        mend = "add --short" if state.is_short else "leave --short out"
        raise Mixed(
            f"{path} is of a {'short' if state.is_short else 'whole'} run: {mend}, or begin anew without --resume"
        )
    return state


def main() -> int:
    """Play what the arguments say; returns 0 if every promise was kept, 2 for wrong use, else 1."""
    asked = _arguments()
    try:
        state = state_of(asked.state, seed=asked.seed, is_short=asked.short, resume=asked.resume)
    except Mixed as mixed:
        print(mixed)
        return 2
    began_s = time.monotonic()
    skipped: dict[str, str] = {}
    failures = 0
    print(f"seed {state.seed}")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="torture-")))
        folder.chmod(0o755)
        grounds = Grounds(folder, stack)
        for part in _parts(asked):
            if part.key in state.figures or f"{part.suite.name}/{part.engine}" in skipped:
                continue
            if asked.seconds and time.monotonic() - began_s > asked.seconds:
                print(f"the time is over: --resume --state {asked.state} goes on")
                break
            try:
                outcome = _play(part, grounds, state.seed, asked)
            except Skipped as why:
                skipped[f"{part.suite.name}/{part.engine}"] = str(why)
                print(f"{part.suite.name} on {part.engine} left out: {why}")
                continue
            if outcome.problems:
                failures += 1
                _tell(part, outcome, state.seed, asked)
                if not asked.keep_going:
                    return 1
                continue
            state.keep(part, outcome)
            line = ", ".join(f"{n} {name}" for name, n in list(outcome.figures.items())[:4])
            print(f"{part.key}: kept, {time.monotonic() - began_s:.0f} s: {line}", flush=True)
        is_whole = not (asked.short or asked.only_points or asked.seconds)
        missed = never_reached(state.figures) if is_whole else []
    _summary(state, skipped)
    for each in missed:
        print(f"never reached: {each}")
    return 1 if failures or missed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--seed", type=int, help="the seed of the run; else 1")
    parser.add_argument("--only", choices=SUITES, action="append", help="a suite, or several")
    parser.add_argument("--database", choices=("both", "sqlite", "postgresql"), default="both")
    parser.add_argument("--cycles", type=int, help="blows of a storm; else what the suite says")
    parser.add_argument("--parts", type=int, help="parts of each suite; else what the suite says")
    parser.add_argument("--part", type=int, help="this part only")
    parser.add_argument(
        "--points", nargs="*", default=[], help="these crash points only", dest="only_points"
    )
    parser.add_argument("--seconds", type=float, help="begin no part after that")
    parser.add_argument("--short", action="store_true", help="a few minutes of everything")
    parser.add_argument("--resume", action="store_true", help="go on where the state ends")
    parser.add_argument("--state", type=Path, default=STATE, help="where what is done is written")
    parser.add_argument("--keep-going", action="store_true", help="go on after a failure")
    return parser.parse_args()


def _parts(asked: argparse.Namespace) -> Iterator[Part]:
    """Turn by turn through the suites, so that a run that is cut short has tried everything."""
    suites = [each for name, each in SUITES.items() if name in (asked.only or SUITES)]
    engines = ("sqlite", "postgresql") if asked.database == "both" else (asked.database,)
    counts = {
        each.name: asked.parts or (each.short_parts if asked.short else each.parts)
        for each in suites
    }
    for number in range(max(counts.values())):
        for suite in suites:
            for engine in engines:
                is_wanted = asked.part is None or number == asked.part
                if number < counts[suite.name] and engine in suite.engines and is_wanted:
                    yield Part(suite, engine, number)


def _play(part: Part, grounds: Grounds, seed: int, asked: argparse.Namespace) -> Outcome:
    cycles = asked.cycles or (part.suite.short_cycles if asked.short else part.suite.cycles)
    ground = grounds.of(part.engine)
    try:
        return part.suite.play(
            Wanted(
                ground=ground,
                server=grounds.server,
                seed=seed + part.number,
                cycles=cycles,
                names=asked.only_points,
                is_short=asked.short,
            )
        )
    except Skipped:
        raise
    except Exception:  # noqa: BLE001 - whatever it is, the seed must be told
        return Outcome(problems=[traceback.format_exc()])
    finally:
        ground.end_all()


def _tell(part: Part, outcome: Outcome, seed: int, asked: argparse.Namespace) -> None:
    print(f"{part.key} with seed {seed} broke {len(outcome.problems)} promises:")
    print(*(f"  {each}" for each in outcome.problems[:20]), sep="\n")
    command = f"python -m tests.torture --seed {seed} --only {part.suite.name} --database {part.engine} --part {part.number}"
    cycles = asked.cycles or (part.suite.short_cycles if asked.short else part.suite.cycles)
    short = " --short" if asked.short else ""
    print(f"repeat it: {command} --cycles {cycles}{short}", flush=True)


def _summary(state: State, skipped: dict[str, str]) -> None:
    """Print a table of what was reached, as it may stand in a document."""
    print("\n| claim | database | figure |\n|---|---|---|")
    for name, suite in SUITES.items():
        for engine in suite.engines:
            whole: Counter[str] = Counter()
            for key, figures in state.figures.items():
                if key.startswith(f"{name}/{engine}/"):
                    whole.update(figures)
            said = suite.summary(whole) if whole else skipped.get(f"{name}/{engine}", "not played")
            print(f"| {suite.claim} | {engine} | {said} |")
    print(f"\nseed {state.seed}, {time.strftime('%Y-%m-%d')}")


if __name__ == "__main__":
    sys.exit(main())
