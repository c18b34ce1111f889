"""Everything that knows Stripe: signatures, shapes and, later, requests. The only package that imports stripe."""
