"""Is a range of days right, and what differed? The run that a person asks for.

It looks at all that Stripe lists of the range, and what it finds goes through the one door. Nothing here writes the state of
a payment or of an invoice.
"""
