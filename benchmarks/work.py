"""What does a piece of work cost, in a process that does nothing else?

`python -m benchmarks.work TASK` reads what it is given as JSON, gets ready, does the task once and prints what that took. What
a task does not need it does not import, so that its memory is its own.
"""

import http.client
import json
import re
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeAlias
from urllib.parse import urlencode, urlsplit

from benchmarks.shelf import DATE_S, LAG_S

KEY: Final = "rk_test_benchmark"
# As many as the sweep has.
LANES: Final = 4
REFUSED_S: Final = 0.02
# In bytes on macOS, else in KiB.
_RSS_UNITS_A_MIB: Final = 1024**2 if sys.platform == "darwin" else 1024
_ID: Final = re.compile(rb'"id": "(pi_\w+)"')

Given: TypeAlias = Mapping[str, Any]
Said: TypeAlias = dict[str, int]
Task: TypeAlias = Callable[[], Said]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a task took, how much memory its process had at most, and how many objects it says it read."""

    wall_s: float
    cpu_s: float
    rss_mib: float
    said: Said


def cost_of(task: str, **given: Any) -> Cost:
    """Do a task in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.work", task]
    done = subprocess.run(
        command, input=json.dumps(given), stdout=subprocess.PIPE, text=True, check=True
    )
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def drain(given: Given) -> Task:
    """Read the whole window with sockets and a search for ids, and nothing else: what the server can give."""
    until_s = DATE_S - LAG_S
    since_s = until_s - given["reach_s"]
    edges = [since_s + lane * given["reach_s"] // LANES for lane in range(LANES + 1)]

    def drain_all() -> Said:
        with ThreadPoolExecutor(LANES) as pool:
            counts = pool.map(partial(_drained, given["base"]), edges[:-1], edges[1:])
            return {"objects": sum(counts)}

    return drain_all


def _drained(base: str, since_s: int, until_s: int) -> int:
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=8)
    asked: dict[str, Any] = {"created[gte]": since_s, "created[lt]": until_s, "limit": 100}
    count, more = 0, True
    while more:
        connection.request("GET", f"/v1/payment_intents?{urlencode(asked)}")
        answer = connection.getresponse()
        body = answer.read()
        if answer.status == http.client.TOO_MANY_REQUESTS:
            time.sleep(REFUSED_S)
            continue
        ids = _ID.findall(body)
        count += len(ids)
        more = b'"has_more": true' in body[-100:]
        if more:
            asked["starting_after"] = ids[-1].decode()
    return count


def library(given: Given) -> Task:
    """Read the whole window as Stripe's own library does, one page after the other."""
    import stripe  # noqa: PLC0415 - its memory belongs to those that use it

    client = stripe.StripeClient(KEY, base_addresses={"api": given["base"]})
    until_s = DATE_S - LAG_S

    def read_all() -> Said:
        created: Any = {"gte": until_s - given["reach_s"], "lt": until_s}
        listed = client.v1.payment_intents.list({"limit": 100, "created": created})
        return {"objects": sum(1 for _ in listed.auto_paging_iter())}

    return read_all


def sweep(given: Given) -> Task:
    """Sweep the recent objects of the window, as the daemon does."""
    from benchmarks.sweeping import sweep_of  # noqa: PLC0415 - the same

    return sweep_of(**given)


def reconcile(given: Given) -> Task:
    """Reconcile the days of the window."""
    from benchmarks.reconciling import reconciled_of  # noqa: PLC0415 - the same

    return reconciled_of(**given)


def loop(given: Given) -> Task:
    """Take the window in as everybody does."""
    from benchmarks.reconciling import looped_of  # noqa: PLC0415 - the same

    return looped_of(**given)


def apply(given: Given) -> Task:
    """Apply pages of a hundred."""
    from benchmarks.pages import applied_of  # noqa: PLC0415 - the same

    return applied_of(**given)


def upserts(given: Given) -> Task:
    """Upsert and commit one by one."""
    from benchmarks.pages import upserted_of  # noqa: PLC0415 - the same

    return upserted_of(**given)


def send(given: Given) -> Task:
    """Send messages, without any books."""
    from benchmarks.posting import sent_of  # noqa: PLC0415 - the same

    return sent_of(**given)


def deliver(given: Given) -> Task:
    """Deliver notifications from the books."""
    from benchmarks.posting import delivered_of  # noqa: PLC0415 - the same

    return delivered_of(**given)


def apply_each(given: Given) -> Task:
    """Apply payments one by one."""
    from benchmarks.posting import applied_beside_of  # noqa: PLC0415 - the same

    return applied_beside_of(**given)


def seed(given: Given) -> Task:
    """Fill the books with browsers and notifications."""
    from benchmarks.posting import seeded_of  # noqa: PLC0415 - the same

    return seeded_of(**given)


TASKS: Final[Mapping[str, Callable[[Given], Task]]] = MappingProxyType(
    {
        "drain": drain,
        "library": library,
        "sweep": sweep,
        "reconcile": reconcile,
        "loop": loop,
        "apply": apply,
        "upserts": upserts,
        "send": send,
        "deliver": deliver,
        "apply_each": apply_each,
        "seed": seed,
    }
)


def main() -> None:
    """Do the task that is named, once, with what standard input gives."""
    task = TASKS[sys.argv[1]](json.load(sys.stdin))
    before, began_s = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    said = task()
    wall_s, after = time.monotonic() - began_s, resource.getrusage(resource.RUSAGE_SELF)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    cost = {"wall_s": wall_s, "cpu_s": cpu_s, "rss_mib": _peak_rss_mib(), "said": said}
    print(json.dumps(cost))


def _peak_rss_mib() -> float:
    status = Path("/proc/self/status")
    if status.exists():
        # What getrusage tells on Linux is never less than what the process had from which this one was made.
        found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
        return int(found[1]) / 1024 if found else 0.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _RSS_UNITS_A_MIB


if __name__ == "__main__":
    main()
