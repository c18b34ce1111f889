"""The tests of the log: what a line looks like, and what is never in it."""
