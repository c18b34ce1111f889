"""Everything that knows Stripe: signatures, shapes and requests. The only package that imports stripe."""

import sys

# Stripe's library looks for aiohttp, for calls that wait in an event loop. We make none, and to load it takes a sixth of the time
# in which a command starts. It is here because pywebpush wants it; for this one import it is not.
_is_hidden = sys.modules.setdefault("aiohttp", None) is None  # type: ignore[arg-type]

import stripe  # noqa: E402 - the line above must come first

if _is_hidden:
    del sys.modules["aiohttp"]

# Telemetry writes a file below the home directory, and a service without one dies of that at its first
# request. It is switched off here, so that it is off before any module of ours can make a request.
stripe.enable_telemetry = False
