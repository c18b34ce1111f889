"""Fuzzing: what comes from outside, bent in every way that we can think of, and in some that only a machine can."""
