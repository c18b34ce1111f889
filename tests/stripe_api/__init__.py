"""The tests of everything that knows Stripe."""
