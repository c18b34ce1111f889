"""The program that the tests start: the real server and webhook, with an inbox that writes down what it got."""

import argparse
import sys
from pathlib import Path

from tests.webhook.fake_inbox import FakeInbox
from tests.webhook.signing import SECRET
from webhook.app import WebhookSettings, create_app, serve
from webhook.protocol import BoundedProtocol


def main() -> int:
    """Serve on the socket that the test has opened, with timeouts that a test can wait for."""
    options = argparse.ArgumentParser()
    options.add_argument("--fd", type=int, required=True)
    options.add_argument("--journal", type=Path, required=True)
    options.add_argument("--pause-s", type=float, default=0.0)
    chosen = options.parse_args()
    BoundedProtocol.head_timeout_s = 1.0
    app = create_app(
        FakeInbox(journal=chosen.journal, pause_s=chosen.pause_s),
        WebhookSettings(secrets=(SECRET,), body_timeout_s=1.0),
    )
    return serve(app, host="127.0.0.1", port=0, fd=chosen.fd)


if __name__ == "__main__":
    sys.exit(main())
