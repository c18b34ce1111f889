"""One webhook of Stripe, sent by a program of its own, which can stand in another network than the tests.

With `--in-two` the second half of the body waits for a line on stdin.
"""

import argparse
import http.client
import json
import ssl
import sys
from datetime import UTC, datetime

from tests.journeys import stories
from tests.webhook.signing import sign
from webhook.app import STRIPE_PATH

TLS_PORT = 443


def main() -> None:
    """Send one event about a payment of nobody, and print the status of the answer."""
    options = argparse.ArgumentParser()
    options.add_argument("--id", required=True)
    options.add_argument("--secret", required=True)
    options.add_argument("--port", type=int, default=3000)
    options.add_argument("--in-two", action="store_true")
    chosen = options.parse_args()
    about = stories.intent(f"pi_{chosen.id}", "requires_action", 1000)
    body = json.dumps(stories.event(chosen.id, "payment_intent.requires_action", about)).encode()
    half = len(body) // 2
    connection = _connection(chosen.port)
    connection.putrequest("POST", STRIPE_PATH)
    connection.putheader("Stripe-Signature", sign(body, chosen.secret, datetime.now(UTC)))
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders(body[:half])
    if chosen.in_two:
        _say("half")
        sys.stdin.readline()
    connection.send(body[half:])
    _say(str(connection.getresponse().status))


def _connection(port: int) -> http.client.HTTPConnection:
    if port != TLS_PORT:
        return http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    trusting = ssl.create_default_context()
    trusting.check_hostname = False
    trusting.verify_mode = ssl.CERT_NONE
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=trusting)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
