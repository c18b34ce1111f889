"""Tests of the run over a range of days."""
