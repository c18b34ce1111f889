"""Everything that knows Stripe: signatures, shapes and, later, requests. The only package that imports stripe."""

import stripe

# Telemetry writes a file below the home directory, and a service without one dies of that at its first
# request. It is switched off here, so that it is off before any module of ours can make a request.
stripe.enable_telemetry = False
