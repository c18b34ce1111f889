"""`doctor`: is everything there that the program needs, here and at Stripe? One line each, with the mend."""

import sys
from dataclasses import replace
from typing import Final

from reconciler import logs
from reconciler.cli.context import AsJson, Config, app, settings_of
from reconciler.cli.doctor.at_stripe import stripe_lines
from reconciler.cli.doctor.here import database_lines, expects_webhooks, settings_lines
from reconciler.cli.doctor.push import push_lines
from reconciler.cli.lines import Colour, Line, as_data, is_red, show
from reconciler.cli.output import say_json

_RED: Final = "BAD"
_OF_WEBHOOKS: Final = frozenset(
    {"webhook_secret", "read webhook_endpoints", "endpoint", "endpoint version"}
)


@app.command()
def doctor(config: Config = None, as_json: AsJson = False) -> None:
    """Check settings, secrets, database and the Stripe account; exit 1 if a line is bad."""
    settings = settings_of(config)
    # What the log would say of a question that was asked in vain has a line of its own here.
    logs.configure(settings.log.format, "error")
    lines = [*settings_lines(settings)]
    # A key of the other mode, or none, is not even shown to Stripe.
    may_ask = not is_red([each for each in lines if each.what in {"mode", "api_key"}])
    lines += database_lines(settings)
    lines += push_lines(settings)
    if may_ask:
        lines += stripe_lines(settings)
    if not expects_webhooks(settings):
        lines = [_eased(each) for each in lines]
    if as_json:
        say_json([{"ok": each["state"] != _RED, **each} for each in as_data(lines, red=_RED)])
    else:
        show(lines, red=_RED)
    sys.exit(1 if is_red(lines) else 0)


def _eased(line: Line) -> Line:
    """What only webhooks need is no fault of a daemon that works alone."""
    if line.colour is not Colour.RED or line.what not in _OF_WEBHOOKS:
        return line
    return replace(line, colour=Colour.LOOK, words=f"{line.words}. A daemon alone needs none")
