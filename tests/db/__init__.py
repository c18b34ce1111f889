"""Tests of the database package, on real SQLite and real PostgreSQL."""
