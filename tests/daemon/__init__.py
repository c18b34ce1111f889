"""Tests of the daemon: its jobs, their watch, and who leads."""
