"""The pure core: facts in, decisions out. No clock, no log, no I/O, no settings."""
