"""A real browser, and everything that it meets."""
