"""Tests of the simulated Stripe, and what other tests use of it."""
