"""A simulated Stripe: what would the real one say, and what is the truth about each invoice?

It stands in for Stripe in the demo and in the tests, and only for Stripe: it is seeded, keeps the state of every object,
runs on a clock that can be moved, and is spoken to over HTTP like the real one. It shares no code with the core, so that
it can be wrong in other ways than the core is.
"""
