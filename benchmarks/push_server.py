"""What takes ten thousand messages, and costs the sender nothing?

A push service in a process of its own: `python -m benchmarks.push_server FILE COUNT HOSTS` makes so many browsers at so many
hosts, writes them to a file, prints its address and serves until its standard input ends.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from reconciler.simulator.browser import Browser
from reconciler.simulator.push_service import PushService

HOSTS: Final = ("fcm.googleapis.com", "updates.push.services.mozilla.com", "web.push.apple.com")


@contextmanager
def served(file: Path, count: int, server_key: str) -> Iterator[str]:
    """The address of a push service with so many browsers, which stand in the file."""
    command = [sys.executable, "-m", "benchmarks.push_server", str(file), str(count), server_key]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process.stdout.readline().strip() if process.stdout else ""
        finally:
            if process.stdin:
                process.stdin.close()


def browsers(file: Path) -> list[dict[str, str]]:
    """The browsers that a server has written down."""
    found: list[dict[str, str]] = json.loads(file.read_text())
    return found


def _written(browser: Browser) -> dict[str, str]:
    keys = {"p256dh": browser.p256dh, "auth": browser.auth}
    return {"endpoint": browser.endpoint, "host": browser.host, **keys}


def main() -> None:
    """Serve until nobody listens any more."""
    file, count, server_key = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    with PushService() as service:
        made = [
            service.new_subscription(HOSTS[number % len(HOSTS)], server_key=server_key)
            for number in range(count)
        ]
        file.write_text(json.dumps([_written(each) for each in made]))
        print(service.base_url, flush=True)
        sys.stdin.read()
        if not all(each.clear for each in service.arrived) or service.refused:
            sys.exit("the push service could not read every message, or refused some")


if __name__ == "__main__":
    main()
