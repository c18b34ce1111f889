"""Seeded histories: many stories, many faults, one truth."""
