"""How is a webhook asked again and again, and what may it answer while something is missing?"""

import contextlib
import http.client
import time
from collections import Counter
from typing import Final

from tests.journeys.stories import Sender
from tests.torture.ground import Unfit, Victim
from tests.torture.told import Past

_BACK_WITHIN_S: Final = 20.0


def try_all(server: Victim, told: Past) -> tuple[list[str], Counter[int]]:
    """Send every event once; returns the ids that got a 200, and all answers."""
    sender, answers, acknowledged = Sender(server.port), Counter[int](), []
    for each in told.told:
        with contextlib.suppress(OSError, http.client.HTTPException):
            status = sender.send(each)
            answers[status] += 1
            if status == http.client.OK:
                acknowledged.append(each["id"])
    sender.close()
    return acknowledged, answers


def send_all(server: Victim, told: Past) -> None:
    """Send every event until it gets a 200, for as long as that may take when all is well again."""
    deadline = time.monotonic() + _BACK_WITHIN_S
    sender = Sender(server.port)
    for each in told.told:
        while sender.send(each) != http.client.OK:
            if time.monotonic() > deadline:
                raise Unfit(f"it does not come back: {server.last_words()}")
            time.sleep(0.05)
    sender.close()


def unstored(answers: Counter[int], what: str) -> list[str]:
    """What is wrong with answers, some of which must be 503, and none anything but that or 200."""
    odd = {status for status in answers if status not in {200, 503}}
    found = [f"answers {sorted(odd)}"] if odd else []
    return found if answers[503] else [*found, f"nobody noticed that {what}: {dict(answers)}"]


def ask_until(
    server: Victim, told: Past, until_s: float, number: int
) -> tuple[Counter[int], float]:
    """Send one event again and again until a moment; returns the answers, and how long the slowest took."""
    sender, answers, longest_s = Sender(server.port), Counter[int](), 0.0
    while time.monotonic() < until_s:
        began_s = time.monotonic()
        try:
            answers[sender.send(told.told[number % len(told.told)])] += 1
        except (OSError, http.client.HTTPException):
            answers[0] += 1
        longest_s = max(longest_s, time.monotonic() - began_s)
    sender.close()
    return answers, longest_s


def is_at_home(server: Victim) -> bool:
    """Whether a webhook answers at all."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=3)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.client.OK
    except (TimeoutError, OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
