"""How does a message reach a browser that a user said yes in?

`address` (where may we send?), `keys` (who says that we are we?) and `sending` (the one place that knows pywebpush). Nothing is
imported here: the webhook looks at addresses and keys, and must not load what sends.
"""
