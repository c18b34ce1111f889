"""`demo`: the whole system against a simulated Stripe, without an account and without a network."""

from reconciler.cli.demo.command import demo

__all__ = ["demo"]
