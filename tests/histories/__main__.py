"""Play many seeded histories: `python -m tests.histories --seed 1 --n 10000`, on all cores.

Each is played on an emptied SQLite file and, one in ten of them, on PostgreSQL too. The first that does not end in the truth is
told with the command that repeats it, and ends the run with 1.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack

from tests.databases import own_server, with_driver
from tests.histories.crew import Result, Task, command_of, play_all

SHARE_ON_POSTGRESQL = 10
STORIES = 3
REPORT_EVERY_S = 10.0


def main() -> int:
    """Play what the arguments say; returns 0 if every history ended in the truth, else 1."""
    parser = argparse.ArgumentParser(description="Play seeded histories of payments and faults.")
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--n", type=int, default=1000, help="how many histories")
    parser.add_argument("--stories", type=int, default=STORIES, help="payments in each")
    parser.add_argument("--db", choices=("both", "sqlite", "postgresql"), default="both")
    asked = parser.parse_args()
    seeds = range(asked.seed, asked.seed + asked.n)
    tasks = []
    if asked.db in {"both", "sqlite"}:
        tasks += [Task(seed, asked.stories, "sqlite") for seed in seeds]
    if asked.db in {"both", "postgresql"}:
        step = 1 if asked.db == "postgresql" else SHARE_ON_POSTGRESQL
        tasks += [Task(seed, asked.stories, "postgresql") for seed in seeds[::step]]
    with ExitStack() as stack:
        url = None
        if any(task.engine == "postgresql" for task in tasks):
            given = os.environ.get("TEST_DATABASE_URL")
            url = with_driver(given) if given else stack.enter_context(own_server()).url
        return _tell(play_all(tasks, url), len(tasks))


def _tell(results: Iterator[Result], count: int) -> int:
    began_s = told_s = time.monotonic()
    for done, result in enumerate(results, start=1):
        if result.problems:
            print(f"seed {result.task.seed} on {result.task.engine} did not end in the truth:")  # noqa: T201
            print(*(f"  {each}" for each in result.problems), sep="\n")  # noqa: T201
            print(f"repeat it: {command_of(result.task)}")  # noqa: T201
            return 1
        if done == count or time.monotonic() - told_s > REPORT_EVERY_S:
            told_s = time.monotonic()
            line = f"{done} of {count} histories ended in the truth, {told_s - began_s:.0f} s"
            print(line, flush=True)  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main())
